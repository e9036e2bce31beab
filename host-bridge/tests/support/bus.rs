//! A bus that takes events and keeps them: what a component that publishes needs, and no more.

use super::Memory;
use a4co_host::bus::{BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, EventBus, Receipt, TimerRule};
use a4co_host::clock::Millis;
use a4co_host::durability::Watermark;
use a4co_host::event::Event;
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::broadcast;

pub struct Kept {
    memory: Arc<Memory>,
    pub events: Mutex<Vec<Arc<Event>>>,
}

impl Kept {
    pub fn new(memory: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self { memory, events: Mutex::default() })
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, BusError>>;

impl EventBus for Kept {
    fn publish(&self, event: Arc<Event>) -> Answer<'_, Receipt> {
        let mut events = self.events.lock();
        events.push(event);
        let sequence = events.len() as u64;
        let watermark = self.memory.step();
        ready(Ok(Receipt { stream: "YARD".into(), incarnation: 1, sequence, duplicate: false, watermark })).boxed()
    }

    fn consume(&self, _: ConsumerConfig) -> Answer<'_, Arc<dyn Consumer>> {
        unreachable!()
    }

    fn fire_due_timers(&self, _: Millis, _: TimerRule) -> Answer<'_, Option<Millis>> {
        unreachable!()
    }

    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        unreachable!()
    }

    fn dead_letters(&self, _: usize, _: Option<String>) -> Answer<'_, Vec<DeadLetter>> {
        unreachable!()
    }

    fn dead_letter(&self, _: &str) -> Answer<'_, DeadLetter> {
        unreachable!()
    }

    fn replay(&self, _: &str) -> Answer<'_, Watermark> {
        unreachable!()
    }

    fn discard(&self, _: &str) -> Answer<'_, Watermark> {
        unreachable!()
    }

    fn consumers(&self) -> Answer<'_, Vec<ConsumerStatus>> {
        unreachable!()
    }

    fn pause(&self, _: &str, _: &str, _: bool) -> Answer<'_, Watermark> {
        unreachable!()
    }

    fn correlated(&self, _: &str, _: usize) -> Answer<'_, Vec<Arc<Event>>> {
        unreachable!()
    }

    fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        unreachable!()
    }
}
