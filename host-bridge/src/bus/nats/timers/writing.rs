//! Setting and cancelling timers, by whoever settles the event that asks for it.

use super::slot::{self, Slot, TimerKey};
use crate::bus::BusError;
use crate::bus::nats::bucket::{Cell, WriteError};
use crate::bus::nats::core::Core;
use crate::clock::Millis;
use crate::dispatch::Effect;
use crate::nats::Memory;

/// Conflicts in a row until setting a timer is given up for now.
const CONFLICTS: usize = 16;
/// What a place takes beside the event that lies in it, in bytes; roughly.
const PLACE: usize = 256;

impl Core {
    /// Sets and cancels the timers among `effects`, those of one name in their order and in one write.
    pub(in crate::bus::nats) async fn carry_timers(&self, component: &str, effects: &[Effect]) -> Result<(), BusError> {
        let mut places: Vec<(TimerKey, Vec<&Effect>)> = Vec::new();
        for effect in effects {
            let (aggregate, name) = match effect {
                Effect::Publish(_) => continue,
                Effect::SetTimer(timer) => (&timer.aggregate, &timer.name),
                Effect::CancelTimer { aggregate, name } => (aggregate, name),
            };
            let key = slot::key(component, aggregate, name);
            match places.iter_mut().find(|(known, _)| *known == key) {
                Some((_, of_key)) => of_key.push(effect),
                None => places.push((key, vec![effect])),
            }
        }
        let written = places.iter().map(|(key, effects)| self.write_timer(component, *key, effects));
        futures::future::try_join_all(written).await.map(|_| ())
    }

    /// Applies `effects` to one timer; again and again while others write it too.
    async fn write_timer(&self, component: &str, key: TimerKey, effects: &[&Effect]) -> Result<(), BusError> {
        let now = self.clock.now();
        let mut guess = self.guess(key, effects);
        for _ in 0..CONFLICTS {
            let guessed = guess.is_some();
            let found = match guess.take() {
                Some(guess) => guess,
                None => self.buckets.timers.read::<Slot>(&slot::key_text(key)).await?,
            };
            let (slot, changed) = applied(found.value, component, effects, now);
            match changed {
                // Only a write shows whether a guess was right.
                false if guessed => continue,
                false => return Ok(()),
                true => {}
            }
            match self.store_timer(key, &slot, found.revision).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Conflict) => {}
                Err(WriteError::Unknown(error)) => return Err(BusError::Unknown(format!("a timer: {error}"))),
            }
        }
        Err(BusError::Unknown("a timer is written by others all the time".to_owned()))
    }

    /// What is likely to be there: what this process wrote, or nothing where the timer is only set.
    fn guess(&self, key: TimerKey, effects: &[&Effect]) -> Option<Cell<Slot>> {
        match (self.timers.remembered.recall(&key), effects) {
            (Some(Memory { value, revision }), _) => Some(Cell { value: Some(value), revision }),
            (None, [Effect::SetTimer(_)]) => Some(Cell { value: None, revision: 0 }),
            (None, _) => None,
        }
    }

    /// Writes one timer's place, and tells the driver where it is in this process.
    pub(super) async fn store_timer(&self, key: TimerKey, slot: &Slot, revision: u64) -> Result<(), WriteError> {
        let written = self.buckets.timers.write(&slot::key_text(key), slot, revision).await;
        let Ok(revision) = written else {
            self.timers.remembered.forget(&key);
            return written.map(drop);
        };
        let bytes = PLACE + slot.event_bytes();
        self.timers.remembered.remember(key, Memory { value: slot.clone(), revision }, bytes);
        self.timers.saw(key, revision, slot);
        Ok(())
    }
}

/// A timer's place after `effects`, and whether that changes it.
fn applied(found: Option<Slot>, component: &str, effects: &[&Effect], now: Millis) -> (Slot, bool) {
    let mut place = found;
    let mut changed = false;
    for effect in effects {
        match effect {
            Effect::Publish(_) => {}
            Effect::SetTimer(timer) => {
                let new = || Slot::new(component, &timer.aggregate, &timer.name);
                changed |= place.get_or_insert_with(new).set(timer, now);
            }
            Effect::CancelTimer { .. } => changed |= place.as_mut().is_some_and(Slot::spend),
        }
    }
    (place.unwrap_or_default(), changed)
}
