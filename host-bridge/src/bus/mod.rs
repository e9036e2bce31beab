//! The event bus port: streams of events, durable consumers over them, timers and dead letters.
//!
//! Adapters: `embedded` (one SQLite file), `nats` (JetStream, shared by many processes). What a consumer hands out next is
//! not decided here but by [`crate::delivery`], which drives any adapter.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod embedded;
mod letter_id;
pub mod nats;
pub(crate) mod overdue;
#[cfg(any(test, feature = "contract"))]
pub mod simulated;

use crate::clock::Millis;
use crate::durability::Watermark;
use crate::event::Event;
use crate::subject::SubjectPattern;
pub use delivery::{DeadLetterCause, Message, Settlement};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A stream: where the events of some subjects lie, in one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Such as `ORDERS`.
    pub name: String,
    /// What it takes. No two streams overlap.
    pub subjects: Vec<SubjectPattern>,
    /// Older events go, once every subscriber has settled them.
    pub max_age: Option<Duration>,
    /// Past this number the oldest go, once every subscriber has settled them.
    pub max_messages: Option<u64>,
}

/// Is told of an event that a timer published.
pub type Fired = Arc<dyn Fn(&Event) + Send + Sync>;

/// Where a new durable consumer starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At what is published from now on.
    #[default]
    New,
    /// At the oldest event the stream still has.
    All,
}

/// A durable consumer: one component on one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// The component.
    pub component: String,
    /// The stream.
    pub stream: String,
    /// Which of the stream's subjects, and where each starts when it is new to this consumer.
    pub filters: Vec<(SubjectPattern, Start)>,
}

impl ConsumerConfig {
    /// The durable's name, `component/STREAM`; never a replica's name in it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.component, self.stream)
    }
}

/// Where a published event lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The stream.
    pub stream: String,
    /// The stream's incarnation: a recreated stream is another source.
    pub incarnation: u64,
    /// Position in the stream, from 1.
    pub sequence: u64,
    /// It was there already: an event of this id, within the deduplication window.
    pub duplicate: bool,
    /// Up to where the log must be on disk for it to be certain.
    pub watermark: Watermark,
}

/// A dead letter as it is kept.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Derived from (component, stream, sequence, replay number), never the event's own.
    pub id: String,
    /// The consumer that failed.
    pub component: String,
    /// The stream it came from.
    pub stream: String,
    /// Its position there.
    pub sequence: u64,
    /// Which replay failed; 0 for the first time.
    pub replay: u32,
    /// The original, byte for byte.
    pub event: Arc<Event>,
    /// Why.
    pub cause: DeadLetterCause,
    /// When.
    pub died_at: Millis,
}

/// How a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStatus {
    /// The component.
    pub component: String,
    /// The stream.
    pub stream: String,
    /// Every matching event up to here is settled.
    pub settled_to: u64,
    /// Matching events not settled yet.
    pub pending: u64,
    /// Age of the oldest of them, in milliseconds.
    pub oldest_pending_ms: u64,
    /// Nothing is handed out until it is resumed.
    pub paused: bool,
}

/// Why the bus did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// No stream takes the subject. The caller must not try again.
    #[error("no stream takes the subject `{0}`: add it to a stream under [application.tool.events.streams]")]
    NoStream(String),
    /// The stream is at its limit and holds only events that a subscriber still needs. Nothing was stored.
    #[error(
        "stream {0} is full and its oldest events are not consumed yet: raise its limit or let its consumers catch up"
    )]
    StreamFull(String),
    /// No such consumer, dead letter or stream.
    #[error("there is no {0}")]
    NotFound(String),
    /// Someone else holds the consumer. The caller must not try again before that holder has let go.
    #[error("the consumer {0} is held by another holder already")]
    Held(String),
    /// The consumer went to another holder, or its stream is gone: this handle does nothing more. The caller drops it and
    /// opens the consumer anew.
    #[error("the consumer is lost: {0}")]
    Lost(String),
    /// The event is larger than the bus takes. The caller must not try again.
    #[error("the event is larger than the bus takes: {0}")]
    TooLarge(String),
    /// The outcome is unknown: publish again with the same id.
    #[error("the bus did not answer in time: {0}")]
    Unknown(String),
    /// The bus is out of reach: nothing happened.
    #[error("the bus is out of reach: {0}")]
    Unavailable(String),
}

/// Why a holder is to give a consumer up though nobody stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Another process is to have it: hand out nothing more, let what is in flight settle, then drop the consumer.
    Orderly,
    /// It is lost: whatever is in flight cannot be settled any more.
    AtOnce,
}

/// How long a caller waits before it asks again for a consumer that is held, where the bus cannot tell when to.
const HELD_WAIT: Duration = Duration::from_millis(500);

/// Longest wait for the backlog of a timer whose period is not known.
const UNKNOWN_PERIOD: Duration = Duration::from_secs(30);

/// When a timer may fire: downtime must not look like silence, so a deadline that fell due while nobody listened waits
/// until what arrived meanwhile has been handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerRule {
    /// Every consumer has drained its backlog once: a timer fires at its `fire_at`.
    CaughtUp,
    /// Some consumer has not: a timer waits, but no longer than its own period after the start.
    CatchingUp {
        /// When the process started to consume.
        since: Millis,
    },
}

impl TimerRule {
    /// When a timer set at `set_at` for `fire_at` is due: at `fire_at`, or, while catching up, one period
    /// (`fire_at - set_at`) after the start, whichever is later. One that was set after the start is never held up, but for one that is overdue when it is
    /// set: a repeat of a handling from before an outage sets it, and its answer is only asked for now.
    #[must_use]
    pub fn due(self, set_at: Millis, fire_at: Millis) -> Millis {
        match self {
            Self::CaughtUp => fire_at,
            Self::CatchingUp { since } => {
                let period = if fire_at < set_at { UNKNOWN_PERIOD } else { fire_at.since(set_at) };
                fire_at.max(since.after(period))
            }
        }
    }
}

/// Streams, consumers, timers, dead letters.
pub trait EventBus: Send + Sync + 'static {
    /// Publishes one event. A repeat of an id within the deduplication window is answered, not stored again.
    fn publish(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Receipt, BusError>>;

    /// Opens a durable consumer, creating it where it is new. One holder at a time.
    fn consume(&self, config: ConsumerConfig) -> BoxFuture<'_, Result<Arc<dyn Consumer>, BusError>>;

    /// Returns when a consumer that was [`BusError::Held`] may be free. Until then it costs little to wait; whether it is
    /// free tells [`EventBus::consume`].
    fn freed<'a>(&'a self, _config: &'a ConsumerConfig) -> BoxFuture<'a, ()> {
        Box::pin(tokio::time::sleep(HELD_WAIT))
    }

    /// Publishes, in order of their due time, the timers that are due at `now` under `rule` (see
    /// [`TimerRule::due`]); returns when the next one is due under the same rule, `None` where no timer is set. Only the
    /// timers' driver calls it; nothing fires otherwise.
    fn fire_due_timers(&self, now: Millis, rule: TimerRule) -> BoxFuture<'_, Result<Option<Millis>, BusError>>;

    /// Returns when a timer was set that is due earlier than what [`EventBus::fire_due_timers`] last returned.
    fn timers_changed(&self) -> BoxFuture<'_, ()>;

    /// Dead letters, newest first, at most `limit`, older than `before` (an id) where given.
    fn dead_letters(&self, limit: usize, before: Option<String>) -> BoxFuture<'_, Result<Vec<DeadLetter>, BusError>>;

    /// One dead letter.
    fn dead_letter(&self, id: &str) -> BoxFuture<'_, Result<DeadLetter, BusError>>;

    /// Hands a dead letter to the consumer that failed, and to it alone, as a message of its replay source.
    fn replay(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>>;

    /// Forgets a dead letter.
    fn discard(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>>;

    /// How all consumers stand.
    fn consumers(&self) -> BoxFuture<'_, Result<Vec<ConsumerStatus>, BusError>>;

    /// Stops or resumes a consumer's hand-outs, durably.
    fn pause(&self, component: &str, stream: &str, paused: bool) -> BoxFuture<'_, Result<Watermark, BusError>>;

    /// Events of one correlation, in the order they happened, at most `limit`.
    fn correlated(&self, correlation_id: &str, limit: usize) -> BoxFuture<'_, Result<Vec<Arc<Event>>, BusError>>;

    /// Everything published from now on, once it is durable. A slow reader loses events and is told how many.
    fn tail(&self) -> tokio::sync::broadcast::Receiver<Arc<Event>>;
}

/// An open durable consumer. Dropping it releases it.
pub trait Consumer: Send + Sync + 'static {
    /// Its source, as components see it: `component/STREAM#incarnation`.
    fn source(&self) -> Arc<str>;

    /// The source of this consumer's replayed dead letters, `component/dlq/STREAM`, with a sequence of its own that
    /// never starts again. One per consumer: a source that two consumers delivered from would have no order.
    fn replay_source(&self) -> Arc<str>;

    /// The highest sequence of an event (replays apart) that this consumer still had to settle when it was opened; 0
    /// where there was none. Once it and all before it are settled, the backlog is drained.
    fn backlog_end(&self) -> u64;

    /// Returns when the holder is to give the consumer up. A bus of one process never asks for it.
    fn leave(&self) -> BoxFuture<'static, Leave> {
        Box::pin(std::future::pending())
    }

    /// Tells whether an operator has paused the consumer, where that may happen in another process: its driver then hands
    /// nothing out of what was fetched already. `None` where only this process can do it, which tells the driver itself.
    fn paused(&self) -> Option<tokio::sync::watch::Receiver<bool>> {
        None
    }

    /// The next messages in order, replays among them, each once in the life of this handle; at least one, at most
    /// `max`. Waits where there is none, or where the consumer is paused.
    fn next(&self, max: usize) -> BoxFuture<'_, Result<Vec<Message>, BusError>>;

    /// Counts a hand-out, before the call. Where the last end of the process was not clean this returns only once the
    /// count is on disk, so that an event that kills the process reaches its limit.
    fn handed_out(&self, message: &Message) -> BoxFuture<'_, Result<(), BusError>>;

    /// Notes that a hand-out was answered, until when the event waits, and, where `failed`, one more failure (those in
    /// `message` do not count it yet); where not, the answer spends no attempt.
    fn retry_at(&self, message: &Message, at: Millis, failed: bool) -> BoxFuture<'_, Result<(), BusError>>;

    /// Settles a message: effects or dead letter first, then the acknowledgement.
    fn settle(&self, message: &Message, settlement: Settlement) -> BoxFuture<'_, Result<Watermark, BusError>>;

    /// Takes back hand-outs that will not be answered in this life (shutdown): they do not count as unanswered.
    fn release(&self, messages: &[Message]) -> BoxFuture<'_, Result<(), BusError>>;
}
