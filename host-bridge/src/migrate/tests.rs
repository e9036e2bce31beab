//! A state with a bit of everything, moved to a real server: what was settled stays settled, what was not comes.

use super::{MOVED, MigrateOptions, run};
use crate::bus::contract::{event, subscription};
use crate::bus::embedded::EmbeddedBus;
use crate::bus::nats::{NatsBus, NatsBusOptions};
use crate::bus::{Consumer, DeadLetterCause, EventBus, Message, Settlement, Start, StreamConfig, TimerRule};
use crate::cli::NatsOptions;
use crate::clock::{Clock as _, SystemClock};
use crate::dispatch::{Effect, Timer};
use crate::keyvalue::embedded::EmbeddedKeyValue;
use crate::keyvalue::nats::{NatsKeyValue, Place};
use crate::keyvalue::{KeyValue, Swap};
use crate::manifest::Given;
use crate::nats::{Nats, NatsSettings};
use crate::node;
use crate::store::{DATABASE, Store, StoreOptions};
use crate::subject::SubjectPattern;
use artifacts::nats::NatsServer;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const MANIFEST: &str = r#"
spin_manifest_version = 2
application.name = "test"
trigger.http = []
[application.tool.events.streams]
ORDERS = { subjects = ["order.>"], max_messages = 20 }
STOCK = { subjects = ["stock.>"] }
"#;

fn streams() -> Vec<StreamConfig> {
    let stream = |name: &str, subject: &str, max_messages| StreamConfig {
        name: name.to_owned(),
        subjects: vec![SubjectPattern::new(subject).unwrap()],
        max_age: None,
        max_messages,
    };
    vec![stream("ORDERS", "order.>", Some(20)), stream("STOCK", "stock.>", None)]
}

fn open(directory: &Path) -> Arc<Store> {
    Store::open(directory, StoreOptions::new(Arc::<SystemClock>::default(), streams())).unwrap()
}

fn cause() -> DeadLetterCause {
    let (kind, reason) = ("rejected".to_owned(), "no".to_owned());
    DeadLetterCause { kind, reason, path: None, deliveries: 1, component_digest: None }
}

async fn take(consumer: &Arc<dyn Consumer>, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(20), consumer.next(count - taken.len())).await;
        taken.extend(next.expect("more messages come").unwrap());
    }
    taken
}

/// A stopped host's state: 25 events of which the oldest are gone, 24 of them handed out and 20 settled, one of them with
/// a timer; one that failed once, one dead, one dead and replayed, one untouched; a paused consumer; values.
async fn embedded() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spin.toml"), MANIFEST).unwrap();
    let store = open(&folder.path().join("state"));
    let bus = EmbeddedBus::new(store.clone());
    let saga = bus.consume(subscription("saga", "ORDERS", &[("order.>", Start::All)])).await.unwrap();
    let stock = bus.consume(subscription("shop", "STOCK", &[("stock.>", Start::New)])).await.unwrap();
    for number in 0..15 {
        bus.publish(event("order.created", &format!("c-{number}"))).await.unwrap();
    }
    for (number, message) in take(&saga, 15).await.into_iter().enumerate() {
        let effects = if number == 0 { vec![Effect::SetTimer(timer())] } else { Vec::new() };
        saga.settle(&message, Settlement::Done(effects)).await.unwrap();
    }
    for number in 15..25 {
        bus.publish(event("order.created", &format!("c-{number}"))).await.unwrap();
    }
    let messages = take(&saga, 9).await;
    for message in &messages[..5] {
        saga.settle(message, Settlement::Done(Vec::new())).await.unwrap();
    }
    saga.handed_out(&messages[5]).await.unwrap();
    saga.retry_at(&messages[5], SystemClock::default().now(), true).await.unwrap();
    for message in &messages[6..8] {
        saga.settle(message, Settlement::DeadLetter(cause())).await.unwrap();
    }
    let letters = bus.dead_letters(10, None).await.unwrap();
    bus.replay(&letters[0].id).await.unwrap();
    bus.publish(event("stock.low", "s-1")).await.unwrap();
    bus.pause("shop", "STOCK", true).await.unwrap();
    let values = EmbeddedKeyValue::new(store.clone());
    let writes = (0..1_200).map(|n| (format!("order/{n}"), Some(Bytes::from(format!("value {n}"))))).collect();
    values.put_many("default", writes).await.unwrap();
    values.put_many("default", vec![("order/7".into(), None)]).await.unwrap();
    values.swap("other", "x.y", 0, "1".into()).await.unwrap();
    drop((saga, stock));
    store.close();
    folder
}

fn timer() -> Timer {
    let now = SystemClock::default().now();
    Timer {
        aggregate: "a".into(),
        name: "deadline".into(),
        cause: "c-0".into(),
        fire_at: now.after(Duration::from_secs(3_600)),
        set_at: now,
        event: event("stock.deadline", "t-1"),
    }
}

fn options(folder: &Path, server: &NatsServer) -> MigrateOptions {
    MigrateOptions {
        manifest: folder.join("spin.toml"),
        given: Given::default(),
        state_dir: folder.join("state"),
        nats: NatsOptions {
            settings: NatsSettings { servers: vec![server.url()], ..NatsSettings::default() },
            prefix: "A4CO".into(),
        },
    }
}

async fn bus(server: &NatsServer) -> (Nats, NatsBus) {
    let nats = Nats::connect(&NatsSettings { servers: vec![server.url()], ..NatsSettings::default() }).await.unwrap();
    let options = NatsBusOptions {
        prefix: "A4CO".into(),
        node: "test".into(),
        streams: streams(),
        clock: Arc::<SystemClock>::default(),
        fired: None,
    };
    (nats.clone(), NatsBus::open(nats, options).await.unwrap())
}

/// All of [`embedded`] is there, once.
async fn check_moved(server: &NatsServer) {
    let (nats, bus) = bus(server).await;
    let orders = nats.jetstream().get_stream("ORDERS").await.unwrap().cached_info().state.clone();
    assert_eq!((orders.first_sequence, orders.last_sequence, orders.messages), (6, 25, 20));

    let saga = bus.consume(subscription("saga", "ORDERS", &[("order.>", Start::All)])).await.unwrap();
    let mut found: Vec<_> = take(&saga, 4)
        .await
        .into_iter()
        .map(|message| (message.event.id().unwrap().to_owned(), message.failures, message.replay))
        .collect();
    found.sort();
    let expected = [("c-20", 1, 0), ("c-22", 0, 1), ("c-23", 0, 0), ("c-24", 0, 0)];
    assert_eq!(found, expected.map(|(id, failures, replay)| (id.to_owned(), failures, replay)));
    let more = tokio::time::timeout(Duration::from_millis(300), saga.next(1)).await;
    assert!(more.is_err(), "{more:?}");

    let letters = bus.dead_letters(10, None).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| letter.event.id().unwrap()).collect();
    assert_eq!(ids, ["c-21"]);
    let stock = bus.consumers().await.unwrap().into_iter().find(|one| one.component == "shop").unwrap();
    assert_eq!((stock.paused, stock.pending), (true, 1));

    let place = Place { prefix: "A4CO".into(), application: "test".into() };
    let values = NatsKeyValue::new(nats, place);
    let (mut keys, mut cursor) = (0, None);
    loop {
        let page = values.list_keys("default", cursor.as_deref(), 1_000).await.unwrap();
        keys += page.keys.len();
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(keys, 1_199);
    let seven = values.get("default", "order/7").await.unwrap();
    assert_eq!(seven.value, None);
    let eight = values.get("default", "order/8").await.unwrap();
    assert_eq!(eight.value, Some("value 8".into()));
    assert!(matches!(values.swap("default", "order/8", eight.revision, "next".into()).await, Ok(Swap::Done { .. })));
    assert_eq!(values.get("other", "x.y").await.unwrap().value, Some("1".into()));

    let later = SystemClock::default().now().after(Duration::from_secs(7_200));
    bus.fire_due_timers(later, TimerRule::CaughtUp).await.unwrap();
    let fired = bus.correlated("t", 10).await.unwrap();
    assert_eq!(fired.iter().map(|event| event.id().unwrap()).collect::<Vec<_>>(), ["t-1"]);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_state_is_moved_once() {
    let (server, folder) = (NatsServer::start(), embedded().await);
    let mut said = Vec::new();
    run(options(folder.path(), &server), &mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    let counts = "moved 21 events, 1200 values, 1 dead letters, 1 replays, 1 timers and the positions of 2 consumers";
    assert!(said.starts_with(counts) && said.contains("start with a4co up --nats"), "{said}");
    check_moved(&server).await;
    let state = folder.path().join("state");
    assert!(state.join(MOVED).exists() && !state.join(DATABASE).exists());
    let again = run(options(folder.path(), &server), &mut Vec::new()).await.unwrap_err().to_string();
    assert!(again.contains("holds no state to migrate"), "{again}");
    // Whoever puts the database back does not double it.
    std::fs::rename(state.join(MOVED), state.join(DATABASE)).unwrap();
    let again = run(options(folder.path(), &server), &mut Vec::new()).await.unwrap_err().to_string();
    assert!(again.contains("has been migrated already"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_migration_goes_on_and_nothing_starts_on_a_part() {
    let (server, folder) = (NatsServer::start(), embedded().await);
    let state = folder.path().join("state");
    let store = open(&state);
    let source = node::id(&state, SystemClock::default().now()).unwrap();
    let nats = provisioned(&server, folder.path()).await;
    let (_, part) = bus(&server).await;
    let import = part.import();
    import.note(&source, false).await.unwrap();
    nats.api::<serde_json::Value>("STREAM.PURGE.ORDERS", &serde_json::json!({ "seq": 6 })).await.unwrap();
    let orders = store.kept_streams().remove(0);
    for row in store.kept_events(&orders, 0, 7).unwrap() {
        import.event("ORDERS", (row.sequence, row.published_at), &row.event).await.unwrap();
    }
    for replay in store.kept_replays().unwrap() {
        let numbers = (replay.origin, replay.number, replay.sequence);
        import.replay((&replay.component, &replay.stream), numbers, &replay.event).await.unwrap();
    }
    assert!(import.is_unfinished().await.unwrap());
    part.close().await;
    store.close();
    run(options(folder.path(), &server), &mut Vec::new()).await.unwrap();
    check_moved(&server).await;
}

/// Creates the streams as the manifest has them.
async fn provisioned(server: &NatsServer, folder: &Path) -> Nats {
    let application = crate::manifest::load(&folder.join("spin.toml"), &Given::default()).unwrap();
    let nats = Nats::connect(&NatsSettings { servers: vec![server.url()], ..NatsSettings::default() }).await.unwrap();
    crate::nats::streams::provision(&nats, &application.wanted_streams()).await.unwrap();
    nats
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_something_of_its_own_is_refused_and_untouched() {
    let (server, folder) = (NatsServer::start(), embedded().await);
    let nats = provisioned(&server, folder.path()).await;
    nats.jetstream().publish("order.created", "{}".into()).await.unwrap().await.unwrap();
    let refused = run(options(folder.path(), &server), &mut Vec::new()).await.unwrap_err().to_string();
    assert!(refused.contains("is not empty: stream ORDERS with 1 messages"), "{refused}");
    assert!(folder.path().join("state").join(DATABASE).exists());
    let none = tempfile::tempdir().unwrap();
    std::fs::write(none.path().join("spin.toml"), MANIFEST).unwrap();
    let refused = run(options(none.path(), &server), &mut Vec::new()).await.unwrap_err().to_string();
    assert!(refused.contains("holds no state to migrate"), "{refused}");
}
