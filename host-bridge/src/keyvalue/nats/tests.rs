//! The adapter on real servers, beside the contract suite: what other clients see, outages, and what is refused.

use super::{NatsKeyValue, Place};
use crate::keyvalue::contract::{self, Keys};
use crate::keyvalue::{KeyValue, KeyValueError, Swap};
use crate::nats::{Nats, NatsSettings};
use artifacts::nats::NatsServer;
use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// An answer that is known at once takes no longer than this on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(500);
/// How long something that must happen may take.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn connect(server: &NatsServer) -> Nats {
    let settings = NatsSettings { servers: vec![server.url()], ..NatsSettings::default() };
    Nats::connect(&settings).await.unwrap()
}

/// A place that no other test uses.
fn place() -> Place {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let prefix = format!("T{}", COUNT.fetch_add(1, Ordering::Relaxed));
    Place { prefix, application: "test".into() }
}

/// An empty store for the contract suite.
pub(in crate::keyvalue) fn in_nats() -> (Keys, Arc<NatsServer>) {
    let server = NatsServer::shared();
    let nats = tokio::task::block_in_place(|| Handle::current().block_on(connect(&server)));
    (Arc::new(NatsKeyValue::new(nats, place()).expiring(contract::ageing())), server)
}

/// The same with reads as from a cluster, where a follower must not answer.
pub(in crate::keyvalue) fn in_nats_asking_the_leader() -> (Keys, Arc<NatsServer>) {
    let (server, place) = (NatsServer::shared(), place());
    let nats = tokio::task::block_in_place(|| Handle::current().block_on(connect(&server)));
    let make = async {
        for store in ["s", "other", "third", "none"] {
            let bucket = format!("{}_{store}", place.prefix);
            let config = Config {
                name: format!("KV_{bucket}"),
                subjects: vec![format!("$KV.{bucket}.>")],
                max_messages_per_subject: 1,
                allow_direct: false,
                ..Config::default()
            };
            nats.jetstream().create_stream(config).await.unwrap();
        }
    };
    tokio::task::block_in_place(|| Handle::current().block_on(make));
    (Arc::new(NatsKeyValue::new(nats, place)), server)
}

async fn put(keys: &NatsKeyValue, key: &str, value: &'static str) {
    keys.put_many("s", vec![(key.to_owned(), Some(value.into()))]).await.unwrap();
}

/// Asks again until it is answered.
async fn eventually<T>(ask: impl AsyncFn() -> Result<T, KeyValueError>) -> T {
    let start = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < DEADLINE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_clients_read_what_we_write_and_we_read_theirs() {
    let server = NatsServer::shared();
    let (nats, place) = (connect(&server).await, place());
    let keys = NatsKeyValue::new(nats.clone(), place.clone());
    put(&keys, "order/abc-1", "ours").await;
    let bucket = nats.jetstream().get_key_value(format!("{}_s", place.prefix)).await.unwrap();
    let theirs = bucket.entry("order/abc-1").await.unwrap().unwrap();
    assert_eq!(theirs.value, "ours");
    assert_eq!(theirs.revision, keys.get("s", "order/abc-1").await.unwrap().revision);

    let revision = bucket.put("order/abc-1", "theirs".into()).await.unwrap();
    let found = keys.get("s", "order/abc-1").await.unwrap();
    assert_eq!((found.value, found.revision), (Some("theirs".into()), revision));
    bucket.purge("order/abc-1").await.unwrap();
    let found = keys.get("s", "order/abc-1").await.unwrap();
    assert!(found.value.is_none() && found.revision > revision);
    assert!(keys.list_keys("s", None, 10).await.unwrap().keys.is_empty());
    assert!(matches!(keys.swap("s", "order/abc-1", found.revision, "again".into()).await, Ok(Swap::Done { .. })));
    keys.put_many("s", vec![("order/abc-1".into(), None)]).await.unwrap();
    assert_eq!(bucket.get("order/abc-1").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_no_subject_takes_are_kept_and_listed() {
    let server = NatsServer::shared();
    let keys = NatsKeyValue::new(connect(&server).await, place());
    let mut names = ["a.b", "..", "*", ">", "a b", "ñ/ü", "=2E", "A", "a", "\u{1}\n"].map(str::to_owned).to_vec();
    for name in &names {
        keys.put_many("s", vec![(name.clone(), Some(Bytes::from(name.clone())))]).await.unwrap();
    }
    for name in &names {
        assert_eq!(keys.get("s", name).await.unwrap().value, Some(name.clone().into()), "{name:?}");
    }
    names.sort_unstable();
    assert_eq!(keys.list_keys("s", None, 100).await.unwrap().keys, names);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_gone_all_is_refused_at_once_and_goes_on_after() {
    let mut server = NatsServer::start();
    let nats = connect(&server).await;
    let keys = NatsKeyValue::new(nats.clone(), place());
    put(&keys, "a", "1").await;
    server.kill();
    let start = Instant::now();
    while nats.is_up() {
        assert!(start.elapsed() < DEADLINE, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for round in 0..20 {
        let start = Instant::now();
        let read = keys.get("s", "a").await.unwrap_err();
        let unopened = keys.get("other", "a").await.unwrap_err();
        let swapped = keys.swap("s", "a", 1, "2".into()).await.unwrap_err();
        let step = [("b", "1"), ("c", "1")].map(|(key, value)| (key.to_owned(), Some(Bytes::from(value))));
        let written = keys.put_many("s", step.into()).await.unwrap_err();
        let listed = keys.list_keys("s", None, 1).await.unwrap_err();
        for error in [read, unopened, swapped, written, listed] {
            assert!(matches!(&error, KeyValueError::Unavailable(why) if why.contains(&server.url())), "{error:?}");
        }
        assert!(start.elapsed() < AT_ONCE, "round {round}: {:?}", start.elapsed());
    }
    server.restart();
    assert_eq!(eventually(async || keys.get("s", "a").await).await.value, Some("1".into()));
    assert_eq!(keys.get("s", "b").await.unwrap().value, None);
    put(&keys, "a", "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_holds_its_connections_and_answers_nothing_is_noticed() {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    let keys = NatsKeyValue::new(nats.clone(), place());
    put(&keys, "a", "1").await;
    let revision = keys.get("s", "a").await.unwrap().revision;
    server.pause();
    let start = Instant::now();
    let swapped = keys.swap("s", "a", revision, "2".into()).await;
    assert!(matches!(swapped, Err(KeyValueError::Unknown(_))), "{swapped:?}");
    while nats.is_up() {
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let start = Instant::now();
    let read = keys.get("s", "a").await;
    assert!(matches!(read, Err(KeyValueError::Unavailable(_))), "{read:?}");
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    server.resume();
    // The outcome was unknown: a read tells.
    let found = eventually(async || keys.get("s", "a").await).await;
    assert!(matches!(found.value.as_deref(), Some(b"1" | b"2")), "{found:?}");
    put(&keys, "a", "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_is_too_small_for_names_its_limit() {
    let server = NatsServer::configured("max_payload: 1MB");
    let keys = NatsKeyValue::new(connect(&server).await, place());
    let large = Bytes::from(vec![7; 1_100_000]);
    let swapped = keys.swap("s", "a", 0, large.clone()).await.unwrap_err();
    let written = keys.put_many("s", vec![("a".into(), Some(large.clone())), ("b".into(), Some("1".into()))]).await;
    for error in [swapped, written.unwrap_err()] {
        assert!(matches!(&error, KeyValueError::TooLarge(why) if why.contains("max_payload")), "{error:?}");
    }
    assert_eq!(keys.get("s", "b").await.unwrap().value, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_of_bounded_size_and_as_large_as_that() {
    let server = NatsServer::shared();
    let keys = NatsKeyValue::new(connect(&server).await, place());
    let writes = |count| (0..count).map(|n| (format!("k{n:04}"), Some(Bytes::from("1")))).collect::<Vec<_>>();
    let refused = keys.put_many("s", writes(1_001)).await.unwrap_err();
    assert!(matches!(&refused, KeyValueError::TooLarge(why) if why.contains("1000")), "{refused:?}");
    keys.put_many("s", writes(1_000)).await.unwrap();
    let page = keys.list_keys("s", Some("k0989"), 100).await.unwrap();
    assert_eq!((page.keys.len(), page.keys[0].as_str(), page.cursor), (10, "k0990", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_would_lose_values_or_is_anothers_is_refused() {
    let server = NatsServer::shared();
    let (nats, place) = (connect(&server).await, place());
    put(&NatsKeyValue::new(nats.clone(), place.clone()), "a", "1").await;
    let other = NatsKeyValue::new(nats.clone(), Place { application: "another".into(), ..place.clone() });
    let refused = other.prepare(&["s".into()]).await.unwrap_err().to_string();
    assert!(refused.contains("belongs to the application `test`") && refused.contains("--nats-prefix"), "{refused}");

    let bucket = format!("{}_short", place.prefix);
    let ageing = async_nats::jetstream::kv::Config {
        bucket: bucket.clone(),
        max_age: Duration::from_secs(60),
        ..Default::default()
    };
    nats.jetstream().create_key_value(ageing).await.unwrap();
    let keys = NatsKeyValue::new(nats, place);
    let refused = keys.get("short", "a").await.unwrap_err().to_string();
    assert!(refused.contains(&format!("KV_{bucket}")) && refused.contains("max_age"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named_at_once() {
    let server = NatsServer::configured(
        r#"authorization { users = [
            { user: "app", password: "x", permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>"] } } } ] }"#,
    );
    let servers = vec![server.url().replace("nats://", "nats://app:x@")];
    let nats = Nats::connect(&NatsSettings { servers, ..NatsSettings::default() }).await.unwrap();
    let keys = NatsKeyValue::new(nats, place());
    let start = Instant::now();
    let refused = keys.get("s", "a").await.unwrap_err().to_string();
    assert!(refused.contains("does not let this user publish to `$JS.API.STREAM.CREATE.KV_"), "{refused}");
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_process_swapped_is_recalled_until_it_is_known_to_have_changed() {
    let (server, place) = (NatsServer::shared(), place());
    let ours = NatsKeyValue::new(connect(&server).await, place.clone());
    let theirs = NatsKeyValue::new(connect(&server).await, place);
    let swapped = async |keys: &NatsKeyValue, value: &'static str| {
        let revision = keys.get("s", "k").await.unwrap().revision;
        assert!(matches!(keys.swap("s", "k", revision, value.into()).await, Ok(Swap::Done { .. })));
    };
    let recalled = || ours.recall("s", "k").and_then(|entry| entry.value);
    assert_eq!(recalled(), None);
    swapped(&ours, "one").await;
    assert_eq!(ours.recall("s", "k").unwrap(), ours.get("s", "k").await.unwrap());
    assert_eq!(theirs.recall("s", "k"), None);

    // Theirs comes after it: recalled all the same, and the swap that goes by it fails.
    swapped(&theirs, "two").await;
    let memory = ours.recall("s", "k").unwrap();
    assert_eq!(memory.value, Some("one".into()));
    let Ok(Swap::Conflict(found)) = ours.swap("s", "k", memory.revision, "three".into()).await else {
        panic!("a swap that expects an older revision succeeded")
    };
    assert_eq!((found.value, recalled()), (Some("two".into()), None));

    swapped(&ours, "three").await;
    swapped(&theirs, "four").await;
    assert_eq!(recalled(), Some("three".into()));
    ours.get("s", "k").await.unwrap();
    assert_eq!(recalled(), None, "a read has shown that it is old");

    swapped(&ours, "five").await;
    put(&ours, "k", "six").await;
    assert_eq!(recalled(), None);
    swapped(&ours, "7").await;
    ours.increment("s", "k", 1).await.unwrap();
    assert_eq!(recalled(), None);
}
