//! The event trigger: one task a consumer drives a [`crate::delivery::Machine`] with the bus on one side and the
//! components on the other.

mod budget;
mod driver;
mod invocation;
mod observer;
mod settling;
mod source;
mod subscriber;
#[cfg(test)]
mod tests;

pub use observer::{About, DeliveryObserver, Happening, LogDeliveries};
pub use subscriber::{KeyRules, Subscriber, SubscriberError};

use crate::bus::{BusError, EventBus};
use crate::clock::Clock;
use crate::dispatch::Dispatch;
use budget::Budget;
use driver::{Control, Driver};
use source::Source;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// What the trigger works with.
#[derive(Clone)]
pub struct Parts {
    /// Where events come from.
    pub bus: Arc<dyn EventBus>,
    /// What handles them.
    pub dispatch: Arc<dyn Dispatch>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub observer: Arc<dyn DeliveryObserver>,
}

type Controls = Arc<BTreeMap<(String, String), watch::Sender<Control>>>;

/// Stops and resumes the hand-outs of single consumers of a running trigger; of none where there is no trigger.
#[derive(Clone, Default)]
pub struct PauseSwitch(Controls);

/// The running trigger. Dropping it stops all deliveries at once, as a crash would; see [`EventTrigger::shutdown`].
pub struct EventTrigger {
    controls: Controls,
    drivers: JoinSet<String>,
    behind: watch::Receiver<usize>,
}

impl EventTrigger {
    /// Opens every consumer of `subscribers`, then starts to deliver.
    ///
    /// # Errors
    /// Where the bus refuses a consumer; then nothing was delivered.
    pub async fn start(parts: Parts, subscribers: Vec<Subscriber>) -> Result<Self, BusError> {
        let solo = Arc::new(Semaphore::new(1));
        let (behind, behind_seen) = watch::channel(0);
        let mut opened = Vec::new();
        for subscriber in &subscribers {
            let budget = Budget::new(subscriber.concurrency, solo.clone());
            for (config, keys) in &subscriber.consumers {
                let consumer = parts.bus.consume(config.clone()).await?;
                let source = Source::new(subscriber, keys.clone(), consumer, parts.clone());
                opened.push((config, subscriber.policy(source.consumer.backlog_end()), source, budget.clone()));
            }
        }
        behind.send_replace(opened.len());
        let (mut controls, mut drivers) = (BTreeMap::new(), JoinSet::new());
        for (config, policy, source, budget) in opened {
            let (control, controlled) = watch::channel(Control::default());
            controls.insert((config.component.clone(), config.stream.clone()), control);
            drivers.spawn(Driver::new(source, policy, budget, (controlled, behind.clone())).run());
        }
        Ok(Self { controls: Arc::new(controls), drivers, behind: behind_seen })
    }

    /// How many consumers have not drained yet, for the first time since the start, what they found.
    #[must_use]
    pub fn behind(&self) -> watch::Receiver<usize> {
        self.behind.clone()
    }

    /// The switch of its consumers.
    #[must_use]
    pub fn switch(&self) -> PauseSwitch {
        PauseSwitch(self.controls.clone())
    }

    /// Returns, with the consumer's name or what its driver said at last, when a driver ended though nobody asked it to:
    /// a defect, after which the process should end rather than leave events lying.
    pub async fn failed(&mut self) -> String {
        match self.drivers.join_next().await {
            Some(Ok(source)) => source,
            Some(Err(error)) => error.to_string(),
            None => std::future::pending().await,
        }
    }

    /// Hands out nothing more, lets what is in flight finish for at most `within`, and releases the rest: it comes again
    /// after the next start and counts no attempt.
    pub async fn shutdown(mut self, within: Duration) {
        for control in self.controls.values() {
            control.send_modify(|control| control.stop_within = Some(within));
        }
        while self.drivers.join_next().await.is_some() {}
    }
}

impl PauseSwitch {
    /// Stops or resumes hand-outs of one consumer in this process, those already fetched included. That it stays so over
    /// a restart is the bus's part ([`EventBus::pause`]). False where there is no such consumer.
    pub fn pause(&self, component: &str, stream: &str, paused: bool) -> bool {
        let control = self.0.get(&(component.to_owned(), stream.to_owned()));
        control.is_some_and(|control| {
            control.send_modify(|control| control.paused = paused);
            true
        })
    }
}
