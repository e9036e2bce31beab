//! A bus in memory for tests: deterministic by its seed, with the faults a real bus has, and crashes.
//!
//! What a crash leaves is the state as of some flush, as with one write-ahead log: everything up to it, nothing after.

mod consumer;
mod faults;
mod state;
#[cfg(test)]
mod tests;

pub use faults::{Faults, Injected};

use super::{
    BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, EventBus, Receipt, StreamConfig, TimerRule,
};
use crate::clock::{Clock, Millis};
use crate::durability::{Durability, Watermark};
use crate::event::Event;
use consumer::SimulatedConsumer;
pub(crate) use faults::Chance;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;
use state::State;
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};

/// Events a slow reader of the tail may lag behind.
const TAIL: usize = 1_024;

/// The bus. Clones are the same bus.
#[derive(Clone)]
pub struct SimulatedBus(Arc<Inner>);

struct Inner {
    world: Mutex<World>,
    published: Notify,
    timers: Notify,
    tail: broadcast::Sender<Arc<Event>>,
    clock: Arc<dyn Clock>,
}

struct World {
    live: State,
    /// What a crash leaves; `None` where that is all there is, so that a bus that flushes at once copies nothing.
    on_disk: Option<Box<State>>,
    life: u64,
    /// Hand-outs are counted with the next flush.
    counts_wait: bool,
    chance: Chance,
}

impl SimulatedBus {
    /// An empty bus with these streams.
    #[must_use]
    pub fn new(streams: Vec<StreamConfig>, clock: Arc<dyn Clock>, faults: Faults) -> Self {
        let live = State::new(streams);
        let world = World { on_disk: None, live, life: 0, counts_wait: false, chance: Chance::new(faults) };
        let (tail, _) = broadcast::channel(TAIL);
        Self(Arc::new(Inner { world: Mutex::new(world), published: Notify::new(), timers: Notify::new(), tail, clock }))
    }

    /// Everything so far is on disk.
    pub fn flush(&self) {
        self.0.world.lock().on_disk = None;
    }

    /// The process dies: what was not flushed is lost, every open consumer is dead.
    pub fn crash(&self) {
        let mut world = self.0.world.lock();
        if let Some(on_disk) = world.on_disk.take() {
            world.live = *on_disk;
        }
        world.life += 1;
        drop(world);
        self.0.published.notify_waiters();
    }

    /// From now on these faults.
    pub fn set_faults(&self, faults: Faults) {
        self.0.world.lock().chance.set(faults);
    }

    /// How often what went wrong so far.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.0.world.lock().chance.injected()
    }

    /// From now on hand-outs are counted with the next flush, as the embedded bus does after a clean end (`true`), or
    /// on disk before the call (`false`, as at first).
    pub fn count_with_next_flush(&self, wait: bool) {
        self.0.world.lock().counts_wait = wait;
    }

    /// Stores an event of the log once more, with a sequence of its own: a copy that comes after the deduplication
    /// window. Where no stream takes it nothing happens.
    pub fn copy(&self, event: &Arc<Event>) {
        let now = self.0.clock.now();
        let mut world = self.0.world.lock();
        if world.on_disk.is_none() && world.chance.may_lose() {
            world.on_disk = Some(Box::new(world.live.clone()));
        }
        world.live.copy(event, now);
        drop(world);
        self.0.published.notify_waiters();
    }

    /// How many timers are set.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.0.world.lock().live.timers()
    }

    /// Every event of `stream`, in order.
    #[must_use]
    pub fn log(&self, stream: &str) -> Vec<Arc<Event>> {
        self.0.world.lock().live.log(stream)
    }

    /// Whether every event of every consumer is settled.
    #[must_use]
    pub fn all_settled(&self) -> bool {
        let now = self.0.clock.now();
        self.0.world.lock().live.statuses(now).iter().all(|status| status.pending == 0)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State, Millis) -> Result<T, BusError>) -> Result<T, BusError> {
        let now = self.0.clock.now();
        let mut world = self.0.world.lock();
        if world.chance.refuses() {
            return Err(BusError::Unavailable("simulated".into()));
        }
        let (before, first_timer) = (world.live.events(), world.live.first_timer());
        let kept = (world.on_disk.is_none() && world.chance.may_lose()).then(|| Box::new(world.live.clone()));
        let outcome = match change(&mut world.live, now) {
            Ok(outcome) => outcome,
            Err(error) => {
                world.on_disk = world.on_disk.take().or(kept);
                return Err(error);
            }
        };
        world.live.version += 1;
        if world.live.events() > before && world.chance.copies() {
            world.live.copy_last();
        }
        if world.chance.flushes() {
            world.on_disk = None;
        } else if world.on_disk.is_none() {
            world.on_disk = kept;
        }
        let lost = world.chance.loses_answer();
        let fresh = world.live.take_fresh();
        let earlier = world.live.first_timer().is_some_and(|first| first_timer.is_none_or(|before| first < before));
        drop(world);
        for event in fresh {
            let _ = self.0.tail.send(event);
        }
        self.0.published.notify_waiters();
        if earlier {
            self.0.timers.notify_one();
        }
        if lost { Err(BusError::Unknown("simulated".into())) } else { Ok(outcome) }
    }
}

impl Durability for SimulatedBus {
    fn is_durable(&self, watermark: Watermark) -> bool {
        let world = self.0.world.lock();
        watermark.0 <= world.on_disk.as_deref().unwrap_or(&world.live).version
    }

    fn latest(&self) -> Watermark {
        Watermark(self.0.world.lock().live.version)
    }

    fn durable(&self, _: Watermark) -> BoxFuture<'_, ()> {
        self.flush();
        ready(()).boxed()
    }
}

impl EventBus for SimulatedBus {
    fn publish(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Receipt, BusError>> {
        ready(self.change(|state, now| state.publish(&event, now))).boxed()
    }

    fn consume(&self, config: ConsumerConfig) -> BoxFuture<'_, Result<Arc<dyn Consumer>, BusError>> {
        let opened = self.change(|state, _| state.open(&config));
        let life = self.0.world.lock().life;
        let consumer = opened.map(|backlog_end| {
            Arc::new(SimulatedConsumer::new(self.clone(), config, life, backlog_end)) as Arc<dyn Consumer>
        });
        ready(consumer).boxed()
    }

    fn fire_due_timers(&self, now: Millis, rule: TimerRule) -> BoxFuture<'_, Result<Option<Millis>, BusError>> {
        ready(self.change(|state, _| state.fire_due(now, rule))).boxed()
    }

    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        self.0.timers.notified().boxed()
    }

    fn dead_letters(&self, limit: usize, before: Option<String>) -> BoxFuture<'_, Result<Vec<DeadLetter>, BusError>> {
        let world = self.0.world.lock();
        let newest_first = world.live.letters.iter().rev();
        let after = newest_first.skip_while(|letter| before.as_ref().is_some_and(|id| letter.id != *id));
        let page = after.skip(usize::from(before.is_some())).take(limit).cloned().collect();
        ready(Ok(page)).boxed()
    }

    fn dead_letter(&self, id: &str) -> BoxFuture<'_, Result<DeadLetter, BusError>> {
        let world = self.0.world.lock();
        let found = world.live.letters.iter().find(|letter| letter.id == id).cloned();
        ready(found.ok_or_else(|| BusError::NotFound(format!("dead letter {id}")))).boxed()
    }

    fn replay(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        ready(self.change(|state, _| state.replay(id)).map(|()| self.latest())).boxed()
    }

    fn discard(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        ready(self.change(|state, _| state.take_letter(id)).map(|_| self.latest())).boxed()
    }

    fn consumers(&self) -> BoxFuture<'_, Result<Vec<ConsumerStatus>, BusError>> {
        let now = self.0.clock.now();
        ready(Ok(self.0.world.lock().live.statuses(now))).boxed()
    }

    fn pause(&self, component: &str, stream: &str, paused: bool) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let name = format!("{component}/{stream}");
        let changed = self.change(|state, _| state.durable(&name).map(|durable| durable.paused = paused));
        ready(changed.map(|()| self.latest())).boxed()
    }

    fn correlated(&self, correlation_id: &str, limit: usize) -> BoxFuture<'_, Result<Vec<Arc<Event>>, BusError>> {
        ready(Ok(self.0.world.lock().live.correlated(correlation_id, limit))).boxed()
    }

    fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.tail.subscribe()
    }
}
