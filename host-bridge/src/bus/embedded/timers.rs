//! Fires timers: reads their events, publishes them, and takes the timers away in the same step.

use super::{EmbeddedBus, away, wake};
use crate::bus::{BusError, TimerRule};
use crate::clock::Millis;
use crate::durability::Watermark;
use crate::event::Event;
use crate::store::log::{Prepared, Wakes};
use crate::store::readers;
use crate::store::stepping::Fires;
use crate::store::timers::Due;
use std::sync::Arc;
use std::time::Duration;

/// Timers fired in one step.
const AT_ONCE: usize = 256;
/// When one is tried again whose event no stream takes, because the manifest changed meanwhile.
const NO_STREAM_DELAY: Duration = Duration::from_secs(60);
/// How often it is looked whether what overdue timers wait for is settled.
const LOOK: Duration = Duration::from_millis(20);

impl EmbeddedBus {
    pub(super) async fn fire(&self, now: Millis, rule: TimerRule) -> Result<Option<Millis>, BusError> {
        let holds = match self.store.look(|state| state.fires(rule)) {
            Fires::Due(holds) => {
                self.fire_due(now, holds).await?;
                holds
            }
            Fires::Step => {
                let (due, more) = self.store.look(|state| state.timers.first_step(now, AT_ONCE));
                self.fire_these(due, now).await?;
                self.store.look(|state| state.stepped(more));
                rule
            }
        };
        let (next, waits) = self.store.look(|state| (state.timers.promise(holds), state.timers.hold_back(now)));
        // While the host says that consumers catch up, it says itself when they have.
        let look = now.after(LOOK);
        Ok(if waits && rule == TimerRule::CaughtUp { next.map(|next| next.min(look)) } else { next })
    }

    async fn fire_due(&self, now: Millis, rule: TimerRule) -> Result<(), BusError> {
        loop {
            let due = self.store.look(|state| state.timers.due(now, rule, AT_ONCE));
            if due.is_empty() {
                return Ok(());
            }
            self.fire_these(due, now).await?;
        }
    }

    async fn fire_these(&self, due: Vec<Due>, now: Millis) -> Result<(), BusError> {
        // A timer's row number is the tick at which it was set; its event is read from the row.
        let newest = due.iter().map(|(_, id)| *id).max().unwrap_or(0);
        self.store.writable()?;
        self.store.flushed_to(Watermark(newest)).await?;
        let ids: Vec<u64> = due.iter().map(|(_, id)| *id).collect();
        let events = self.store.read(|connection| readers::timer_events(connection, &ids)).map_err(away)?;
        for (due, event) in due.into_iter().zip(events) {
            self.fire_one(due, event.as_ref(), now)?;
        }
        Ok(())
    }

    fn fire_one(&self, due: Due, event: Option<&Arc<Event>>, now: Millis) -> Result<(), BusError> {
        let mut wakes = Wakes::new();
        let prepared = event.map(Prepared::new);
        let result = self.store.change(|state| {
            // Cancelled or replaced while its event was being read.
            if !state.timers.is_set(due) {
                return Ok(false);
            }
            match &prepared {
                None => tracing::error!(timer = due.1, "a timer has no event; it is dropped"),
                Some(prepared) => match state.publish_all(std::slice::from_ref(prepared), now, &mut wakes) {
                    Ok(_) => {}
                    Err(error @ BusError::NoStream(_)) => {
                        tracing::error!(%error, "a timer cannot be published; it is tried again in a minute");
                        state.postpone_timer(due, now.after(NO_STREAM_DELAY));
                        return Ok(false);
                    }
                    Err(error) => return Err(error),
                },
            }
            state.end_timer(due);
            Ok(true)
        });
        wake(wakes);
        let fired = result?;
        if let Some(event) = event.filter(|_| fired) {
            self.store.fired(event);
        }
        Ok(())
    }
}
