//! A server that tests share, each in an account of its own, and servers of their own for those that break them.

use crate::bus::contract::{START, event, streams, subscription};
use crate::bus::nats::{NatsBus, NatsBusOptions};
use crate::bus::{BusError, Consumer, ConsumerConfig, EventBus, Message, Settlement, Start};
use crate::clock::{Clock, ManualClock, Millis};
use crate::dispatch::Effect;
use crate::nats::{Nats, NatsSettings, Preset};
use artifacts::nats::NatsServer;
use async_nats::jetstream::stream::Config;
use parking_lot::Mutex;
use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Accounts of one server; after so many tests the next begins another.
const ACCOUNTS: usize = 64;

/// A fresh account of a server that the tests which run now share; it ends with the last of them.
pub struct Account {
    url: String,
    _server: Arc<NatsServer>,
}

impl Deref for Account {
    type Target = str;

    fn deref(&self) -> &str {
        &self.url
    }
}

/// A fresh account.
pub fn account() -> Account {
    static SHARED: Mutex<(Weak<NatsServer>, usize)> = Mutex::new((Weak::new(), 0));
    let mut shared = SHARED.lock();
    let server = shared.0.upgrade().filter(|_| shared.1 < ACCOUNTS).unwrap_or_else(|| {
        let server = Arc::new(NatsServer::configured(&accounts()));
        *shared = (Arc::downgrade(&server), 0);
        server
    });
    let url = format!("nats://t{}:t@{}", shared.1, server.address());
    shared.1 += 1;
    Account { url, _server: server }
}

fn accounts() -> String {
    let mut text = "accounts {\n".to_owned();
    for number in 0..ACCOUNTS {
        writeln!(text, "T{number} {{ jetstream: enabled, users: [{{ user: t{number}, password: t }}] }}").unwrap();
    }
    text + "}"
}

/// A connection to `url`.
pub async fn connect(url: &str) -> Nats {
    let settings = NatsSettings { servers: vec![url.to_owned()], preset: Preset::Fast, ..NatsSettings::default() };
    Nats::connect(&settings).await.unwrap()
}

/// Creates the contract's streams where they are missing.
pub async fn provide(nats: &Nats) {
    for stream in streams() {
        let subjects = stream.subjects.iter().map(|subject| subject.as_str().to_owned()).collect();
        let config = Config { name: stream.name, subjects, ..Config::default() };
        nats.jetstream().get_or_create_stream(config).await.unwrap();
    }
}

/// A process called `node` on `url`.
pub async fn open(url: &str, node: &str, clock: Arc<dyn Clock>) -> NatsBus {
    let nats = connect(url).await;
    provide(&nats).await;
    open_on(nats, node, clock).await
}

/// The same over a connection.
pub async fn open_on(nats: Nats, node: &str, clock: Arc<dyn Clock>) -> NatsBus {
    let options =
        NatsBusOptions { prefix: "A4CO".to_owned(), node: node.to_owned(), streams: streams(), clock, fired: None };
    NatsBus::open(nats, options).await.unwrap()
}

/// A clock that stands.
pub fn clock() -> ManualClock {
    ManualClock::at(Millis(START))
}

/// How long something that must happen may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The component `one` on all orders, from the first on.
pub fn orders() -> ConsumerConfig {
    subscription("one", "ORDERS", &[("order.>", Start::All)])
}

/// Publishes an order event for each id.
pub async fn publish(bus: &NatsBus, ids: &[&str]) {
    for id in ids {
        bus.publish(event("order.created", id)).await.unwrap();
    }
}

/// Opens the consumer once it is free.
pub async fn wait_and_open(bus: &NatsBus, config: &ConsumerConfig) -> Arc<dyn Consumer> {
    let opening = async {
        loop {
            match bus.consume(config.clone()).await {
                Ok(consumer) => return consumer,
                Err(BusError::Held(_)) => bus.freed(config).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(DEADLINE, opening).await.expect("the consumer becomes free")
}

/// The next `count` messages.
pub async fn take(consumer: &Arc<dyn Consumer>, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let more = tokio::time::timeout(DEADLINE, consumer.next(count - taken.len())).await;
        taken.extend(more.unwrap_or_else(|_| panic!("{} of {count} messages came", taken.len())).unwrap());
    }
    taken
}

/// Settles a message with nothing but these events.
pub async fn settle(consumer: &Arc<dyn Consumer>, message: &Message, effects: &[(&str, &str)]) -> Result<(), BusError> {
    let effects = effects.iter().map(|(subject, id)| Effect::Publish(event(subject, id))).collect();
    consumer.settle(message, Settlement::Done(effects)).await.map(|_| ())
}

/// Plays `kill -STOP` and `kill -CONT` of the process that has `bus`, for its consumer `name`.
pub fn stop(bus: &NatsBus, name: &str, stopped: bool) {
    bus.core.holdings.lock().get(name).unwrap().stop(stopped);
}

/// How many messages a stream has.
pub async fn stored(bus: &NatsBus, stream: &str) -> u64 {
    bus.core.look_at(stream).await.unwrap().state.messages
}

/// Polls until it holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
