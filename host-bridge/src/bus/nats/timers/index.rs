//! When each timer is due, in the memory of the one process that fires them.

use super::slot::{Slot, TimerKey};
use crate::bus::{TimerRule, overdue};
use crate::clock::Millis;
use std::collections::{BTreeSet, HashMap};

/// All timers of the bucket, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Index {
    known: HashMap<TimerKey, Known>,
    due: BTreeSet<(u64, TimerKey)>,
    /// What holds nothing but what must be remembered, by when that ends.
    ending: BTreeSet<(u64, TimerKey)>,
    /// What the driver was told: when it will look again.
    promised: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    revision: u64,
    /// When it is due and when it was set, where it is set.
    set: Option<(u64, u64)>,
    until: u64,
}

impl Index {
    /// A place was read or written. Tells whether it is due earlier than what the driver was told.
    pub(super) fn saw(&mut self, key: TimerKey, revision: u64, slot: &Slot) -> bool {
        if self.known.get(&key).is_some_and(|known| known.revision >= revision) {
            return false;
        }
        self.forget(key);
        let set = slot.set.as_ref().map(|set| (set.fire_at, set.set_at));
        let until = slot.until();
        match set {
            Some((fire_at, _)) => self.due.insert((fire_at, key)),
            None => self.ending.insert((until, key)),
        };
        self.known.insert(key, Known { revision, set, until });
        set.is_some_and(|(fire_at, _)| self.promised.is_none_or(|promised| fire_at < promised))
    }

    /// A place is gone.
    pub(super) fn forget(&mut self, key: TimerKey) {
        let Some(known) = self.known.remove(&key) else { return };
        match known.set {
            Some((fire_at, _)) => self.due.remove(&(fire_at, key)),
            None => self.ending.remove(&(known.until, key)),
        };
    }

    /// Those due at `now` under `rule`, earliest first, at most `limit`.
    pub(super) fn due(&self, now: Millis, rule: TimerRule, limit: usize) -> Vec<TimerKey> {
        let overdue = self.due.iter().take_while(|(fire_at, _)| *fire_at <= now.0);
        let ready = overdue.filter_map(|(fire_at, key)| {
            let due = rule.due(Millis(self.set_at(*key)?), Millis(*fire_at));
            (due <= now).then_some((due, *fire_at, *key))
        });
        let mut ready: Vec<_> = ready.collect();
        ready.sort_unstable();
        ready.into_iter().take(limit).map(|(_, _, key)| key).collect()
    }

    /// The first step of those overdue at `now`, at most `limit`; whether more are.
    pub(super) fn first_step(&self, now: Millis, limit: usize) -> (Vec<TimerKey>, bool) {
        overdue::first(&self.due, now, limit)
    }

    /// When the next is due under `rule`; the driver counts on it.
    pub(super) fn promise(&mut self, rule: TimerRule) -> Option<Millis> {
        let mut next: Option<Millis> = None;
        for (fire_at, key) in &self.due {
            // Nothing is due before its instant, so no later one can come first.
            if next.is_some_and(|next| next.0 <= *fire_at) {
                break;
            }
            let due = self.set_at(*key).map(|set_at| rule.due(Millis(set_at), Millis(*fire_at)));
            next = next.into_iter().chain(due).min();
        }
        self.promised = next.map(|next| next.0);
        next
    }

    /// Moves a timer that cannot be published later, in memory alone.
    pub(super) fn postpone(&mut self, key: TimerKey, until: Millis) {
        let Some(known) = self.known.get_mut(&key) else { return };
        if let Some((fire_at, _)) = &mut known.set {
            self.due.remove(&(*fire_at, key));
            *fire_at = until.0;
            self.due.insert((until.0, key));
        }
    }

    /// Places that need not be remembered any more, with their revisions, at most `limit`.
    pub(super) fn over(&self, now: Millis, limit: usize) -> Vec<(TimerKey, u64)> {
        let over = self.ending.iter().take_while(|(until, _)| *until <= now.0).take(limit);
        over.filter_map(|(_, key)| self.known.get(key).map(|known| (*key, known.revision))).collect()
    }

    fn set_at(&self, key: TimerKey) -> Option<u64> {
        self.known.get(&key)?.set.map(|(_, set_at)| set_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract::event;
    use crate::dispatch::Timer;

    fn slot(fire_at: u64) -> Slot {
        let mut slot = Slot::new("c", "a", "t");
        let (fire_at, set_at) = (Millis(fire_at), Millis(fire_at - 50));
        let (aggregate, name, cause) = ("a".to_owned(), "t".to_owned(), "x".to_owned());
        slot.set(&Timer { aggregate, name, cause, fire_at, set_at, event: event("stock.low", "x") }, Millis(0));
        slot
    }

    #[test]
    fn the_earliest_comes_first_and_an_older_revision_changes_nothing() {
        let mut index = Index::default();
        assert!(index.saw(1, 5, &slot(200)), "the driver was told nothing yet");
        assert!(index.saw(2, 6, &slot(100)));
        assert_eq!(index.promise(TimerRule::CaughtUp), Some(Millis(100)));
        assert!(!index.saw(3, 7, &slot(150)) && index.saw(4, 8, &slot(90)));
        assert!(!index.saw(1, 4, &slot(60)), "that was before");
        assert_eq!(index.due(Millis(150), TimerRule::CaughtUp, 10), [4, 2, 3]);
        assert_eq!(index.due(Millis(150), TimerRule::CaughtUp, 1), [4]);
        let rule = TimerRule::CatchingUp { since: Millis(80) };
        assert_eq!(index.due(Millis(140), rule, 10), [4, 2]);
    }

    #[test]
    fn what_fired_is_remembered_for_its_time() {
        let mut index = Index::default();
        let mut spent = slot(100);
        index.saw(1, 1, &spent);
        spent.spend();
        index.saw(1, 2, &spent);
        assert_eq!(index.promise(TimerRule::CaughtUp), None);
        assert!(index.over(Millis(spent.until() - 1), 10).is_empty());
        assert_eq!(index.over(Millis(spent.until()), 10), [(1, 2)]);
        index.forget(1);
        assert!(index.over(Millis(u64::MAX), 10).is_empty());
    }
}
