//! An open consumer of the simulated bus: dead once the process that opened it has crashed.

use super::SimulatedBus;
use super::state::{Durable, place};
use crate::bus::{BusError, Consumer, ConsumerConfig, Message, Settlement};
use crate::clock::Millis;
use crate::durability::{Durability, Watermark};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;
use std::sync::Arc;

pub(super) struct SimulatedConsumer {
    bus: SimulatedBus,
    config: ConsumerConfig,
    name: String,
    life: u64,
    backlog_end: u64,
    /// How far the stream and the replays were offered.
    offered: Mutex<(u64, u64)>,
}

impl SimulatedConsumer {
    pub(super) fn new(bus: SimulatedBus, config: ConsumerConfig, life: u64, backlog_end: u64) -> Self {
        Self { bus, name: config.name(), config, life, backlog_end, offered: Mutex::new((0, 0)) }
    }

    fn alive(&self) -> Result<(), BusError> {
        let alive = self.bus.0.world.lock().life == self.life;
        if alive { Ok(()) } else { Err(BusError::Unavailable("the process of this consumer is dead".into())) }
    }

    fn change(&self, change: impl FnOnce(&mut Durable)) -> Result<(), BusError> {
        self.alive()?;
        self.bus.change(|state, _| state.durable(&self.name).map(change))
    }

    fn take(&self, max: usize) -> Result<Vec<Message>, BusError> {
        self.alive()?;
        let mut world = self.bus.0.world.lock();
        if world.chance.refuses() {
            return Err(BusError::Unavailable("simulated".into()));
        }
        let max = if world.chance.delays() { 1 + world.chance.below(max) } else { max };
        let mut offered = self.offered.lock();
        if world.live.durable(&self.name)?.paused {
            return Ok(Vec::new());
        }
        let messages = world.live.open_messages(&self.name, *offered, max)?;
        for message in &messages {
            let to = if message.replay > 0 { &mut offered.1 } else { &mut offered.0 };
            *to = message.sequence;
        }
        Ok(messages)
    }
}

impl Consumer for SimulatedConsumer {
    fn source(&self) -> Arc<str> {
        format!("{}#1", self.name).into()
    }

    fn replay_source(&self) -> Arc<str> {
        format!("{}/dlq/{}", self.config.component, self.config.stream).into()
    }

    fn backlog_end(&self) -> u64 {
        self.backlog_end
    }

    fn next(&self, max: usize) -> BoxFuture<'_, Result<Vec<Message>, BusError>> {
        let waits = async move {
            loop {
                let published = self.bus.0.published.notified();
                let mut published = std::pin::pin!(published);
                published.as_mut().enable();
                let messages = self.take(max)?;
                if !messages.is_empty() {
                    return Ok(messages);
                }
                published.await;
            }
        };
        waits.boxed()
    }

    fn handed_out(&self, message: &Message) -> BoxFuture<'_, Result<(), BusError>> {
        let counted = self.change(|durable| durable.count_hand_out(place(message)));
        if counted.is_ok() && !self.bus.0.world.lock().counts_wait {
            self.bus.flush();
        }
        ready(counted).boxed()
    }

    fn retry_at(&self, message: &Message, at: Millis, failed: bool) -> BoxFuture<'_, Result<(), BusError>> {
        ready(self.change(|durable| durable.retry_at(place(message), at, failed))).boxed()
    }

    fn settle(&self, message: &Message, settlement: Settlement) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let settled = self.alive().and_then(|()| {
            let forgotten = self.bus.0.world.lock().chance.forgets_ack();
            self.bus.change(|state, now| state.settle(&self.name, message, (&settlement, forgotten), now))
        });
        ready(settled.map(|()| self.bus.latest())).boxed()
    }

    fn release(&self, messages: &[Message]) -> BoxFuture<'_, Result<(), BusError>> {
        let places: Vec<_> = messages.iter().map(place).collect();
        ready(self.change(|durable| places.into_iter().for_each(|place| durable.take_back(place)))).boxed()
    }
}
