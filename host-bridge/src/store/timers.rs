//! Timers in memory: when each is due, and which may not come back. Their events lie on disk alone.

use super::batch::TimerRow;
use super::hash::{self, TimerKey};
use super::state::State;
use super::stepping::Stepping;
use crate::bus::{TimerRule, overdue};
use crate::clock::Millis;
use crate::dispatch::Timer;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Notify;

/// How long after its instant a timer that fired or was cancelled cannot be set again by the same cause, in
/// milliseconds: a copy of the cause comes soon or finds the deadline passed.
const REMEMBERED_MS: u64 = 5 * 60_000;
/// The grain in which that is forgotten, in milliseconds.
pub(crate) const MINUTE: u64 = 60_000;

/// All timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    slots: FxHashMap<TimerKey, Slot>,
    due: BTreeSet<(u64, TimerKey)>,
    spent: BTreeMap<u64, FxHashSet<u64>>,
    /// What the driver was told: when it will look again.
    promised: Option<u64>,
    /// What overdue timers wait for, after a start.
    pub stepping: Option<Stepping>,
    /// The driver has been told something.
    driven: bool,
    pub changed: Arc<Notify>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    id: u64,
    cause: u64,
    fire_at: u64,
    set_at: Millis,
}

/// A timer that is due: its key and its row.
pub(crate) type Due = (TimerKey, u64);

impl Timers {
    /// Takes in a timer that was set before this start.
    pub(crate) fn restore(&mut self, key: TimerKey, (id, cause): (u64, u64), (fire_at, set_at): (u64, u64)) {
        self.slots.insert(key, Slot { id, cause, fire_at, set_at: Millis(set_at) });
        self.due.insert((fire_at, key));
    }

    /// Takes in a timer that may not be set again.
    pub(crate) fn restore_spent(&mut self, minute: u64, hash: u64) {
        self.spent.entry(minute).or_default().insert(hash);
    }

    /// How many are set.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many may not be set again.
    pub(crate) fn spent_len(&self) -> usize {
        self.spent.values().map(FxHashSet::len).sum()
    }

    /// Those due at `now` under `rule`, earliest first, at most `limit`.
    pub(crate) fn due(&self, now: Millis, rule: TimerRule, limit: usize) -> Vec<Due> {
        let overdue = self.due.iter().take_while(|(fire_at, _)| *fire_at <= now.0);
        let ready = overdue.filter_map(|(fire_at, key)| {
            let slot = self.slots.get(key)?;
            let due = rule.due(slot.set_at, Millis(*fire_at));
            (due <= now).then_some((due, *key, slot.id))
        });
        if rule == TimerRule::CaughtUp {
            return ready.take(limit).map(|(_, key, id)| (key, id)).collect();
        }
        let mut ready: Vec<_> = ready.collect();
        ready.sort_unstable();
        ready.into_iter().take(limit).map(|(_, key, id)| (key, id)).collect()
    }

    /// The first step of those overdue at `now`, at most `limit`; whether more are.
    pub(crate) fn first_step(&self, now: Millis, limit: usize) -> (Vec<Due>, bool) {
        let (keys, more) = overdue::first(&self.due, now, limit);
        let due = keys.into_iter().filter_map(|key| self.slots.get(&key).map(|slot| (key, slot.id)));
        (due.collect(), more)
    }

    /// Whether one is overdue that waits.
    pub(crate) fn hold_back(&self, now: Millis) -> bool {
        self.stepping.is_some() && self.due.first().is_some_and(|(fire_at, _)| *fire_at <= now.0)
    }

    /// When the next is due under `rule`; the driver counts on it until [`Timers::changed`].
    pub(crate) fn promise(&mut self, rule: TimerRule) -> Option<Millis> {
        let mut next: Option<Millis> = None;
        for (fire_at, key) in &self.due {
            // Nothing is due before its instant, so no later one can come first.
            if next.is_some_and(|next| next.0 <= *fire_at) {
                break;
            }
            let due = self.slots.get(key).map(|slot| rule.due(slot.set_at, Millis(*fire_at)));
            next = next.into_iter().chain(due).min();
        }
        self.driven = true;
        self.promised = next.map(|next| next.0);
        next
    }

    /// Whether the timer is still the one of that row.
    pub(crate) fn is_set(&self, (key, id): Due) -> bool {
        self.slots.get(&key).is_some_and(|slot| slot.id == id)
    }

    /// Forgets spent timers whose time is over.
    pub(crate) fn forget_before(&mut self, minute: u64) {
        self.spent = self.spent.split_off(&minute);
    }

    fn is_spent(&self, hash: u64) -> bool {
        self.spent.values().any(|hashes| hashes.contains(&hash))
    }
}

impl State {
    /// Sets a timer of `component`, replacing the one of that name; not if the same cause had it already and it fired,
    /// was cancelled or was replaced.
    pub(crate) fn set_timer(&mut self, component: &str, timer: &Timer) {
        let key = hash::timer_key(component, &timer.aggregate, &timer.name);
        let cause = hash::cause(&timer.cause);
        if self.timers.is_spent(hash::tombstone(key, cause)) {
            return;
        }
        if let Some(slot) = self.timers.slots.get(&key).copied() {
            match slot.cause == cause {
                true if slot.fire_at == timer.fire_at.0 => return,
                true => drop(self.remove_timer((key, slot.id))),
                false => self.end_timer((key, slot.id)),
            }
        }
        let id = self.advance();
        let fire_at = timer.fire_at.0.min(i64::MAX.cast_unsigned());
        self.timers.restore(key, (id, cause), (fire_at, timer.set_at.0));
        let row = TimerRow { key, cause, fire_at, set_at: timer.set_at.0, event: timer.event.clone() };
        self.batch.timers.insert(id, row);
        if self.timers.driven && self.timers.promised.is_none_or(|promised| fire_at < promised) {
            self.timers.promised = Some(fire_at);
            self.timers.changed.notify_one();
        }
    }

    /// Cancels a timer of `component`, if it is set.
    pub(crate) fn cancel_timer(&mut self, component: &str, aggregate: &str, name: &str) {
        let key = hash::timer_key(component, aggregate, name);
        if let Some(slot) = self.timers.slots.get(&key) {
            self.end_timer((key, slot.id));
        }
    }

    /// Takes a timer away for good: it fired, was cancelled or replaced.
    pub(crate) fn end_timer(&mut self, due: Due) {
        let (key, Some(slot)) = (due.0, self.remove_timer(due)) else { return };
        let minute = slot.fire_at.saturating_add(REMEMBERED_MS) / MINUTE + 1;
        let hash = hash::tombstone(key, slot.cause);
        self.timers.restore_spent(minute, hash);
        self.batch.tombstones.entry(minute).or_default().push(hash);
    }

    fn remove_timer(&mut self, (key, id): Due) -> Option<Slot> {
        let slot = self.timers.slots.remove(&key)?;
        self.advance();
        self.timers.due.remove(&(slot.fire_at, key));
        if self.batch.timers.remove(&id).is_none() {
            self.batch.gone_timers.push(id);
        }
        Some(slot)
    }

    /// Moves a timer that cannot be published later, in memory alone.
    pub(crate) fn postpone_timer(&mut self, (key, _): Due, until: Millis) {
        let Some(slot) = self.timers.slots.get_mut(&key) else { return };
        self.timers.due.remove(&(slot.fire_at, key));
        slot.fire_at = until.0;
        self.timers.due.insert((until.0, key));
    }
}
