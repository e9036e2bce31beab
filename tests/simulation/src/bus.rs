//! The bus as one process reaches it: every call is an await at which the process may die, before and after its effect.

use crate::process::Process;
use crate::world::World;
use a4co_host::bus::simulated::SimulatedBus;
use a4co_host::bus::{
    BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, EventBus, Message, Receipt, Settlement, TimerRule,
};
use a4co_host::clock::Millis;
use a4co_host::durability::Watermark;
use a4co_host::event::Event;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::broadcast;

/// The bus of one process.
#[derive(Clone)]
pub struct ProcessBus {
    world: Arc<World>,
    process: Arc<Process>,
}

impl ProcessBus {
    /// The world's bus, as this process reaches it.
    #[must_use]
    pub fn new(world: Arc<World>, process: Arc<Process>) -> Self {
        Self { world, process }
    }

    async fn step(&self) {
        self.world.step(&self.process).await;
    }

    /// The call between two awaits. The simulated bus does its work when it is called, not when it is awaited.
    async fn call<'a, T>(
        &'a self,
        call: impl FnOnce(&'a SimulatedBus) -> BoxFuture<'a, Result<T, BusError>>,
    ) -> Result<T, BusError> {
        self.step().await;
        let outcome = call(&self.world.bus).await;
        self.world.wrote();
        self.step().await;
        outcome
    }
}

impl EventBus for ProcessBus {
    fn publish(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Receipt, BusError>> {
        self.call(|bus| bus.publish(event)).boxed()
    }

    fn consume(&self, config: ConsumerConfig) -> BoxFuture<'_, Result<Arc<dyn Consumer>, BusError>> {
        async move {
            let consumer = self.call(|bus| bus.consume(config)).await?;
            Ok(Arc::new(ProcessConsumer { bus: self.clone(), consumer }) as Arc<dyn Consumer>)
        }
        .boxed()
    }

    fn fire_due_timers(&self, now: Millis, rule: TimerRule) -> BoxFuture<'_, Result<Option<Millis>, BusError>> {
        self.call(move |bus| bus.fire_due_timers(now, rule)).boxed()
    }

    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        self.world.bus.timers_changed()
    }

    fn dead_letters(&self, limit: usize, before: Option<String>) -> BoxFuture<'_, Result<Vec<DeadLetter>, BusError>> {
        self.world.bus.dead_letters(limit, before)
    }

    fn dead_letter(&self, id: &str) -> BoxFuture<'_, Result<DeadLetter, BusError>> {
        self.world.bus.dead_letter(id)
    }

    fn replay(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let id = id.to_owned();
        async move { self.call(|bus| bus.replay(&id)).await }.boxed()
    }

    fn discard(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let id = id.to_owned();
        async move { self.call(|bus| bus.discard(&id)).await }.boxed()
    }

    fn consumers(&self) -> BoxFuture<'_, Result<Vec<ConsumerStatus>, BusError>> {
        self.world.bus.consumers()
    }

    fn pause(&self, component: &str, stream: &str, paused: bool) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let (component, stream) = (component.to_owned(), stream.to_owned());
        async move { self.call(|bus| bus.pause(&component, &stream, paused)).await }.boxed()
    }

    fn correlated(&self, correlation_id: &str, limit: usize) -> BoxFuture<'_, Result<Vec<Arc<Event>>, BusError>> {
        self.world.bus.correlated(correlation_id, limit)
    }

    fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        self.world.bus.tail()
    }
}

/// A consumer that a process holds, until another one holds it.
struct ProcessConsumer {
    bus: ProcessBus,
    consumer: Arc<dyn Consumer>,
}

impl ProcessConsumer {
    /// The call between two awaits. The simulated bus does its work when it is called, not when it is awaited.
    async fn call<'a, T>(
        &'a self,
        call: impl FnOnce(&'a dyn Consumer) -> BoxFuture<'a, Result<T, BusError>>,
    ) -> Result<T, BusError> {
        self.bus.step().await;
        if self.bus.process.is_fenced() {
            return Err(BusError::Held(self.consumer.source().to_string()));
        }
        let outcome = call(&*self.consumer).await;
        self.bus.world.wrote();
        self.bus.step().await;
        outcome
    }

    fn source_of(&self, message: &Message) -> Arc<str> {
        if message.replay > 0 { self.consumer.replay_source() } else { self.consumer.source() }
    }

    /// It was acknowledged: its outcome is not needed any more, whatever may still come again.
    fn acknowledged(&self, message: &Message) {
        let source = self.source_of(message);
        self.bus.world.settles(&self.bus.process, &source, message.sequence);
        let component = source.split('/').next().unwrap_or_default().to_owned();
        let delivery = (component.clone(), source.to_string(), message.sequence);
        let key = self.bus.world.unsettled.lock().remove(&delivery);
        if let Some(key) = key {
            crate::chaos::may_empty_inbox(&self.bus.world, &component, &key);
        }
    }
}

impl Consumer for ProcessConsumer {
    fn source(&self) -> Arc<str> {
        self.consumer.source()
    }

    fn replay_source(&self) -> Arc<str> {
        self.consumer.replay_source()
    }

    fn backlog_end(&self) -> u64 {
        self.consumer.backlog_end()
    }

    fn next(&self, max: usize) -> BoxFuture<'_, Result<Vec<Message>, BusError>> {
        async move {
            let messages = self.consumer.next(max).await?;
            // They are this process's now, if it still lives to hear of them.
            self.call(|_| std::future::ready(Ok(messages)).boxed()).await
        }
        .boxed()
    }

    fn handed_out(&self, message: &Message) -> BoxFuture<'_, Result<(), BusError>> {
        let message = message.clone();
        async move {
            self.call(|consumer| consumer.handed_out(&message)).await?;
            if self.bus.process.counts_at_once() {
                self.bus.world.durable().await;
            }
            Ok(())
        }
        .boxed()
    }

    fn retry_at(&self, message: &Message, at: Millis, failed: bool) -> BoxFuture<'_, Result<(), BusError>> {
        let message = message.clone();
        async move { self.call(|consumer| consumer.retry_at(&message, at, failed)).await }.boxed()
    }

    fn settle(&self, message: &Message, settlement: Settlement) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let message = message.clone();
        async move {
            self.bus.step().await;
            if self.bus.process.is_fenced() {
                return Err(BusError::Held(self.consumer.source().to_string()));
            }
            let settled = self.consumer.settle(&message, settlement).await;
            self.bus.world.wrote();
            if settled.is_ok() {
                self.acknowledged(&message);
            }
            self.bus.step().await;
            settled
        }
        .boxed()
    }

    fn release(&self, messages: &[Message]) -> BoxFuture<'_, Result<(), BusError>> {
        let messages = messages.to_vec();
        async move { self.call(|consumer| consumer.release(&messages)).await }.boxed()
    }
}
