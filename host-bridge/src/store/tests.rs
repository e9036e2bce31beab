//! What the store promises of the disk: what a crash leaves, what a commit carries, what each damage says.

mod ageing;
mod clock;
mod crashes;
mod damage;
mod files;
mod full;
mod limits;
mod writes;

use super::*;
use crate::bus::embedded::EmbeddedBus;
use crate::bus::{BusError, Consumer, ConsumerConfig, EventBus, Message, Settlement, Start};
use crate::clock::{ManualClock, Millis};
use crate::dispatch::{Effect, Timer};
use crate::event::Headers;
use crate::keyvalue::KeyValue;
use crate::keyvalue::embedded::EmbeddedKeyValue;
use crate::subject::{Subject, SubjectPattern};
use std::time::Duration;

const NOW: Millis = Millis(1_700_000_000_000);
const DEADLINE: Duration = Duration::from_secs(20);

/// A state directory whose store can be ended and opened again.
struct Bench {
    directory: tempfile::TempDir,
    clock: ManualClock,
    faults: Arc<Faults>,
    stream: StreamConfig,
}

impl Bench {
    fn new() -> Self {
        let subjects = vec![SubjectPattern::new("order.>").unwrap()];
        let stream = StreamConfig { name: "ORDERS".into(), subjects, max_age: None, max_messages: None };
        let directory = tempfile::tempdir().unwrap();
        Self { directory, clock: ManualClock::at(NOW), faults: Arc::default(), stream }
    }

    fn options(&self) -> StoreOptions {
        let options = StoreOptions::new(Arc::new(self.clock.clone()), vec![self.stream.clone()]);
        StoreOptions { faults: self.faults.clone(), ..options }
    }

    fn open(&self) -> Arc<Store> {
        Store::open(self.directory.path(), self.options()).unwrap()
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn bus(store: &Arc<Store>) -> EmbeddedBus {
    EmbeddedBus::new(store.clone())
}

fn keys(store: &Arc<Store>) -> EmbeddedKeyValue {
    EmbeddedKeyValue::new(store.clone())
}

fn event(id: &str) -> Arc<Event> {
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"T","aggregateId":"a","eventVersion":1,"occurredOn":"now","eventData":{{}},
        "metadata":{{"publishedAt":"now","correlationId":"c","causationId":"x"}}}}"#
    );
    Arc::new(Event::new(Subject::new("order.created").unwrap(), body.into(), Headers::default()))
}

async fn consumer(store: &Arc<Store>) -> Arc<dyn Consumer> {
    let filters = vec![(SubjectPattern::new("order.>").unwrap(), Start::All)];
    let config = ConsumerConfig { component: "one".into(), stream: "ORDERS".into(), filters };
    bus(store).consume(config).await.unwrap()
}

/// The next `count` messages; panics where they do not come.
async fn take(consumer: &Arc<dyn Consumer>, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let more = tokio::time::timeout(DEADLINE, consumer.next(count - taken.len())).await;
        taken.extend(more.expect("the messages come").unwrap());
    }
    taken
}

async fn settle(consumer: &Arc<dyn Consumer>, message: &Message) -> Watermark {
    consumer.settle(message, Settlement::Done(Vec::new())).await.unwrap()
}

async fn flush(store: &Store) {
    tokio::time::timeout(DEADLINE, store.durable(store.latest())).await.expect("the flush comes");
}
