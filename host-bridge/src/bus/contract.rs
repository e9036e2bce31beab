//! What every bus adapter keeps, as a suite: an adapter's tests call each function with a [`Bench`] of their own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a suite fails by panicking")]

mod letters;
mod log;
#[cfg(test)]
mod tests;
mod timers;

pub use letters::*;
pub use log::*;
pub use timers::*;

use super::{Consumer, ConsumerConfig, DeadLetterCause, EventBus, Message, Settlement, Start, StreamConfig};
use crate::clock::{ManualClock, Millis};
use crate::dispatch::Effect;
use crate::event::{Event, Headers};
use crate::subject::{Subject, SubjectPattern};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// When every bench's clock starts, in milliseconds.
pub const START: u64 = 1_700_000_000_000;
/// How long something that must happen may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// An adapter set up for one test: empty, with [`streams`], at [`START`].
pub trait Bench: Send {
    /// The bus.
    fn bus(&self) -> Arc<dyn EventBus>;

    /// Its clock.
    fn clock(&self) -> &ManualClock;

    /// Brings everything to disk, ends the process that holds the bus and starts another. No consumer is open.
    fn restart(&mut self) -> BoxFuture<'_, ()>;
}

/// The streams a bench has: `ORDERS` takes `order.>`, `STOCK` takes `stock.>`, both without limits.
#[must_use]
pub fn streams() -> Vec<StreamConfig> {
    let stream = |name: &str, pattern: &str| StreamConfig {
        name: name.to_owned(),
        subjects: vec![SubjectPattern::new(pattern).unwrap()],
        max_age: None,
        max_messages: None,
    };
    vec![stream("ORDERS", "order.>"), stream("STOCK", "stock.>")]
}

/// An event of this subject and id; its correlation is the part of the id before `-`.
#[must_use]
pub fn event(subject: &str, id: &str) -> Arc<Event> {
    let correlation = id.split('-').next().unwrap_or(id);
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"T","aggregateId":"a","eventVersion":1,"occurredOn":"now","eventData":{{}},
        "metadata":{{"publishedAt":"now","correlationId":"{correlation}","causationId":"x"}}}}"#
    );
    Arc::new(Event::new(Subject::new(subject).unwrap(), body.into(), Headers::default()))
}

/// One component's subscription to one pattern of a stream.
#[must_use]
pub fn subscription(component: &str, stream: &str, filters: &[(&str, Start)]) -> ConsumerConfig {
    let filters = filters.iter().map(|(pattern, start)| (SubjectPattern::new(pattern).unwrap(), *start));
    ConsumerConfig { component: component.to_owned(), stream: stream.to_owned(), filters: filters.collect() }
}

async fn open(bus: &Arc<dyn EventBus>, component: &str) -> Arc<dyn Consumer> {
    bus.consume(subscription(component, "ORDERS", &[("order.>", Start::All)])).await.unwrap()
}

/// The next `count` messages; panics where they do not come.
async fn take(consumer: &Arc<dyn Consumer>, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let wanted = count - taken.len();
        let more = tokio::time::timeout(DEADLINE, consumer.next(wanted)).await;
        let more = more.unwrap_or_else(|_| panic!("{} of {count} messages came: {taken:?}", taken.len())).unwrap();
        assert!(!more.is_empty() && more.len() <= wanted);
        taken.extend(more);
    }
    taken
}

async fn take_one(consumer: &Arc<dyn Consumer>) -> Message {
    take(consumer, 1).await.remove(0)
}

/// Nothing is there to be handed out. Everything an adapter knows when it is asked, it answers without waiting.
async fn has_none(consumer: &Arc<dyn Consumer>) -> bool {
    tokio::time::timeout(Duration::from_millis(30), consumer.next(1)).await.is_err()
}

fn ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.event.id().unwrap()).collect()
}

fn sequences(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.sequence).collect()
}

async fn settle(consumer: &Arc<dyn Consumer>, message: &Message, effects: Vec<Effect>) {
    consumer.settle(message, Settlement::Done(effects)).await.unwrap();
}

async fn bury(consumer: &Arc<dyn Consumer>, message: &Message, reason: &str) {
    let kind = "rejected".to_owned();
    let cause = DeadLetterCause { kind, reason: reason.to_owned(), path: None, deliveries: 3, component_digest: None };
    consumer.settle(message, Settlement::DeadLetter(cause)).await.unwrap();
}

fn at(ms: u64) -> Millis {
    Millis(START + ms)
}
