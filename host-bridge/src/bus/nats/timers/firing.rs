//! Fires due timers: publishes their events in the order they are due, then marks them spent. The event's id lies in the
//! timer, so that one that fires twice, because the mark was lost, is the same event.

use super::slot::{self, Slot, TimerKey};
use crate::bus::nats::bucket::{Cell, WriteError};
use crate::bus::nats::core::Core;
use crate::bus::{BusError, TimerRule};
use crate::clock::Millis;
use crate::event::Event;
use std::sync::Arc;
use std::time::Duration;

/// Timers fired in one step.
const AT_ONCE: usize = 128;
/// When one is tried again whose event no stream takes, because the manifest changed meanwhile.
const NO_STREAM_DELAY: Duration = Duration::from_secs(60);

/// A timer that is to fire, as it was read.
struct Due {
    key: TimerKey,
    slot: Slot,
    revision: u64,
    event: Arc<Event>,
}

impl Core {
    /// Fires all that is due.
    pub(super) async fn fire_due(&self, now: Millis, rule: TimerRule) -> Result<(), BusError> {
        loop {
            let keys = self.timers.index.lock().as_ref().map(|index| index.due(now, rule, AT_ONCE)).unwrap_or_default();
            if keys.is_empty() {
                return Ok(());
            }
            self.fire_these(&keys, now).await?;
        }
    }

    /// Fires the first step of what is overdue; tells whether more is.
    pub(super) async fn fire_step(&self, now: Millis) -> Result<bool, BusError> {
        let first = self.timers.index.lock().as_ref().map(|index| index.first_step(now, AT_ONCE));
        let (keys, more) = first.unwrap_or_default();
        self.fire_these(&keys, now).await?;
        Ok(more)
    }

    async fn fire_these(&self, keys: &[TimerKey], now: Millis) -> Result<(), BusError> {
        let reads = keys.iter().map(|key| self.read_due(*key, now));
        let read = futures::future::try_join_all(reads).await?;
        let due: Vec<Due> = read.into_iter().flatten().filter(|due| self.has_stream(due, now)).collect();
        let events: Vec<&Arc<Event>> = due.iter().map(|due| &due.event).collect();
        self.publish_all(&events).await?;
        let marked = due.into_iter().map(|due| self.mark_spent(due));
        futures::future::try_join_all(marked).await.map(drop)
    }

    /// Forgets timers whose time to be remembered is over.
    pub(super) async fn clean_up(&self, now: Millis) {
        let over = self.timers.index.lock().as_ref().map(|index| index.over(now, AT_ONCE)).unwrap_or_default();
        for (key, revision) in over {
            // Where it was written meanwhile, another revision is there and stays.
            if self.buckets.timers.remove(revision).await.is_ok()
                && let Some(index) = self.timers.index.lock().as_mut()
            {
                index.forget(key);
            }
        }
    }

    /// A timer that the index says is due, read from the leader; none where it is not any more.
    async fn read_due(&self, key: TimerKey, now: Millis) -> Result<Option<Due>, BusError> {
        let Cell { value, revision } = self.buckets.timers.read::<Slot>(&slot::key_text(key)).await?;
        let Some(slot) = value else {
            if let Some(index) = self.timers.index.lock().as_mut() {
                index.forget(key);
            }
            return Ok(None);
        };
        // Cancelled or replaced meanwhile: the index learns it now.
        self.timers.saw(key, revision, &slot);
        let set = slot.set.as_ref().filter(|set| set.fire_at <= now.0);
        let Some(event) = set.and_then(slot::Set::event) else {
            if slot.set.as_ref().is_some_and(|set| set.event().is_none()) {
                tracing::error!(
                    timer = slot.name,
                    component = slot.component,
                    "a timer has no event; it does not fire"
                );
                self.postpone(key, now);
            }
            return Ok(None);
        };
        Ok(Some(Due { key, slot, revision, event }))
    }

    fn has_stream(&self, due: &Due, now: Millis) -> bool {
        let routed = self.route(&due.event);
        if let Err(error) = &routed {
            tracing::error!(%error, timer = due.slot.name, "a timer cannot be published; it is tried again in a minute");
            self.postpone(due.key, now);
        }
        routed.is_ok()
    }

    fn postpone(&self, key: TimerKey, now: Millis) {
        if let Some(index) = self.timers.index.lock().as_mut() {
            index.postpone(key, now.after(NO_STREAM_DELAY));
        }
    }

    async fn mark_spent(&self, due: Due) -> Result<(), BusError> {
        let Due { key, mut slot, revision, event } = due;
        slot.spend();
        match self.store_timer(key, &slot, revision).await {
            Ok(()) => {
                if let Some(told) = &self.fired {
                    told(&event);
                }
                Ok(())
            }
            // Somebody set or cancelled it meanwhile: what is there now is looked at again.
            Err(WriteError::Conflict) => {
                let Cell { value, revision } = self.buckets.timers.read::<Slot>(&slot::key_text(key)).await?;
                if let Some(slot) = value {
                    self.timers.saw(key, revision, &slot);
                }
                Ok(())
            }
            Err(WriteError::Unknown(error)) => Err(BusError::Unknown(format!("a timer that fired: {error}"))),
        }
    }
}
