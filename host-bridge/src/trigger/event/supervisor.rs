//! Keeps one consumer driven: opens it as soon as it is free, and again whenever another process had it meanwhile.

use super::Parts;
use super::behind::Behind;
use super::budget::Budget;
use super::driver::{Control, Driver, Ended};
use super::observer::Happening;
use super::settling::next_wait;
use super::source::Source;
use super::subscriber::{KeyRules, Subscriber};
use crate::bus::{BusError, Consumer, ConsumerConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// See the module.
pub struct Supervisor {
    /// The component.
    pub subscriber: Arc<Subscriber>,
    /// Its consumer.
    pub config: ConsumerConfig,
    /// Where keys lie.
    pub keys: KeyRules,
    /// What the trigger works with.
    pub parts: Parts,
    /// The component's concurrency.
    pub budget: Budget,
    /// What it is told.
    pub control: watch::Receiver<Control>,
    /// How many consumers have not caught up.
    pub behind: watch::Sender<usize>,
}

impl Supervisor {
    /// Drives the consumer until it is told to stop, beginning with `open` where it is open already; returns the
    /// consumer's name.
    pub async fn run(mut self, open: Option<(Arc<dyn Consumer>, Behind)>) -> String {
        let mut open = open;
        loop {
            let Some((consumer, behind)) = (match open.take() {
                Some(opened) => Some(opened),
                None => self.open().await,
            }) else {
                return self.config.name();
            };
            let source = Source::new(&self.subscriber, self.keys.clone(), consumer, self.parts.clone());
            let policy = self.subscriber.policy(source.consumer.backlog_end());
            let driver = Driver::new(source, policy, self.budget.clone(), (self.control.clone(), behind));
            if driver.run().await == Ended::Stopped {
                return self.config.name();
            }
        }
    }

    /// Opens the consumer as soon as it can be; `None` where it is told to stop before.
    async fn open(&mut self) -> Option<(Arc<dyn Consumer>, Behind)> {
        let mut control = self.control.clone();
        tokio::select! {
            // Nobody is left who could tell to stop: that is the same.
            _ = control.wait_for(|control| control.stop_within.is_some()) => None,
            opened = self.wait_and_open() => Some(opened),
        }
    }

    async fn wait_and_open(&self) -> (Arc<dyn Consumer>, Behind) {
        let mut wait = Duration::ZERO;
        loop {
            self.parts.bus.freed(&self.config).await;
            match self.parts.bus.consume(self.config.clone()).await {
                Ok(consumer) => return (consumer, Behind::new(self.behind.clone())),
                Err(BusError::Held(_)) => {}
                Err(error) => {
                    wait = next_wait(wait);
                    let name = self.config.name();
                    self.parts.observer.observe(&Happening::FetchFailed { source: &name, error: &error, wait });
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}
