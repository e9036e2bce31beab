//! The bus on NATS JetStream, shared by any number of processes.
//!
//! Streams hold the events; what a consumer has settled is not the server's acknowledgement state but a value of ours,
//! its *position*, in a bucket ([`record`]). It is written by compare-and-swap alone, so it is also the lease: one write
//! renews it, moves the cursor, counts hand-outs and acknowledges any number of events, and a holder that was paused for
//! too long finds that it cannot write. A new holder reads the position and hands out what is unsettled before anything
//! new; nothing depends on when the server redelivers, or on how often.

mod bells;
mod bucket;
mod careful;
mod consumer;
mod core;
mod correlated;
mod filters;
mod headers;
mod holding;
pub(crate) mod import;
mod layout;
mod lease;
mod letters;
mod names;
mod nodes;
mod opening;
mod paused;
mod position;
mod positions;
mod publish;
mod range;
mod reader;
mod record;
mod replays;
mod tail;
#[cfg(test)]
pub(in crate::bus) mod tests;
mod timers;

use self::core::Core;
use super::{
    BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, EventBus, Fired, Receipt, StreamConfig, TimerRule,
};
use crate::clock::{Clock, Millis};
use crate::durability::{Durability, Watermark};
use crate::event::Event;
use crate::nats::Nats;
use futures::future::{BoxFuture, FutureExt as _, ready};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tail::Tail;
use tokio::sync::broadcast;
use tokio_util::sync::DropGuard;

/// How long closing waits for the server.
const CLOSING: Duration = Duration::from_secs(5);

/// What a bus on NATS is opened with.
#[derive(Clone)]
pub struct NatsBusOptions {
    /// What all names on the server begin with: one application, one prefix. `A4CO` by default.
    pub prefix: String,
    /// Who this process is. Unique among those that live; one that starts again under the same name takes over at once
    /// what its predecessor held, so its caller must know that the predecessor is dead.
    pub node: String,
    /// The application's streams. They are there already.
    pub streams: Vec<StreamConfig>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Is told of every event that a timer published in this process.
    pub fired: Option<Fired>,
}

/// The NATS adapter.
#[derive(Clone)]
pub struct NatsBus {
    core: Arc<Core>,
    tail: Arc<Tail>,
    /// With the last handle, this process stops to tell that it lives.
    _living: Arc<DropGuard>,
}

impl NatsBus {
    /// Opens the bus: creates or verifies what the host keeps on the server, and tells other processes that this one
    /// lives.
    ///
    /// # Errors
    /// Where the server cannot be reached, a stream of the application is missing, or something on the server is not as
    /// it must be; the message says what.
    pub async fn open(nats: Nats, options: NatsBusOptions) -> Result<Self, BusError> {
        let core = Core::open(nats, options).await?;
        let living = Arc::new(core.stopping.clone().drop_guard());
        Ok(Self { core, tail: Arc::default(), _living: living })
    }

    /// Lets go of all that is held, so that other processes need not wait for the leases to run out, and waits until
    /// that is written, for at most a few seconds.
    pub async fn close(&self) {
        let closing = async {
            self.core.timers.close().await;
            let held: Vec<_> = self.core.holdings.lock().values().cloned().collect();
            for holding in held {
                holding.close();
                holding.ended().await;
            }
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::warn!("NATS is away: what this process held is free once its leases have run out");
        }
        self.core.stopping.cancel();
        let _unheard = self.core.nats.client().publish(self.core.names.freed(), bytes::Bytes::new()).await;
        let _unsent = self.core.nats.client().flush().await;
    }
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsBus").field("prefix", &self.core.names.prefix()).field("node", &self.core.node).finish()
    }
}

/// What the server has acknowledged is as durable as its preset says, before anyone is told of it.
impl Durability for NatsBus {
    fn is_durable(&self, _: Watermark) -> bool {
        true
    }

    fn latest(&self) -> Watermark {
        Watermark(self.core.ticks.load(Ordering::Relaxed))
    }

    fn durable(&self, _: Watermark) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}

impl EventBus for NatsBus {
    fn publish(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Receipt, BusError>> {
        async move { self.core.publish_event(&event).await }.boxed()
    }

    fn consume(&self, config: ConsumerConfig) -> BoxFuture<'_, Result<Arc<dyn Consumer>, BusError>> {
        async move { self.core.consume(config).await }.boxed()
    }

    fn freed<'a>(&'a self, config: &'a ConsumerConfig) -> BoxFuture<'a, ()> {
        self.core.wait_for(config).boxed()
    }

    fn fire_due_timers(&self, now: Millis, rule: TimerRule) -> BoxFuture<'_, Result<Option<Millis>, BusError>> {
        self.core.fire(now, rule).boxed()
    }

    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        self.core.timers.changed().boxed()
    }

    fn dead_letters(&self, limit: usize, before: Option<String>) -> BoxFuture<'_, Result<Vec<DeadLetter>, BusError>> {
        self.core.letters(limit, before).boxed()
    }

    fn dead_letter(&self, id: &str) -> BoxFuture<'_, Result<DeadLetter, BusError>> {
        let id = id.to_owned();
        async move { self.core.letter(&id).await }.boxed()
    }

    fn replay(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let id = id.to_owned();
        async move { self.core.replay_letter(&id).await }.boxed()
    }

    fn discard(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let id = id.to_owned();
        async move { self.core.discard_letter(&id).await }.boxed()
    }

    fn consumers(&self) -> BoxFuture<'_, Result<Vec<ConsumerStatus>, BusError>> {
        self.core.statuses().boxed()
    }

    fn pause(&self, component: &str, stream: &str, paused: bool) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let (component, stream) = (component.to_owned(), stream.to_owned());
        async move { self.core.set_paused(&component, &stream, paused).await }.boxed()
    }

    fn correlated(&self, correlation_id: &str, limit: usize) -> BoxFuture<'_, Result<Vec<Arc<Event>>, BusError>> {
        let id = correlation_id.to_owned();
        async move { self.core.find_correlated(&id, limit).await }.boxed()
    }

    fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        self.tail.watch(&self.core)
    }
}
