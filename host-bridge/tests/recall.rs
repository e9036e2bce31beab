//! A store that recalls what this process wrote there, rightly or not: a delivery may go by it, and what it decides counts
//! only where that was so.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use a4co_host::dispatch::{Dispatch, Effect, Verdict};
use a4co_host::durability::Watermark;
use a4co_host::keyvalue::{Entry, KeyPage, KeyValue, KeyValueError, Swap};
use a4co_host::manifest::Component;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::Memory;
use support::{Served, component, deliver, events};

/// Recalls what it is told to, and counts what it is asked.
struct Recalling {
    inner: Arc<Memory>,
    recalled: Mutex<Option<Entry>>,
    reads: AtomicU64,
    away: std::sync::atomic::AtomicBool,
}

impl KeyValue for Recalling {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Entry, KeyValueError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return std::future::ready(Err(KeyValueError::Unavailable("a test".to_owned()))).boxed();
        }
        self.inner.get(store, key)
    }

    fn recall(&self, _: &str, _: &str) -> Option<Entry> {
        self.recalled.lock().clone()
    }

    fn get_many<'a>(&'a self, store: &'a str, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Entry>, KeyValueError>> {
        self.inner.get_many(store, keys)
    }

    fn swap<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        expected: u64,
        value: Bytes,
    ) -> BoxFuture<'a, Result<Swap, KeyValueError>> {
        self.inner.swap(store, key, expected, value)
    }

    fn put_many<'a>(
        &'a self,
        store: &'a str,
        writes: Vec<(String, Option<Bytes>)>,
    ) -> BoxFuture<'a, Result<Watermark, KeyValueError>> {
        self.inner.put_many(store, writes)
    }

    fn increment<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        delta: i64,
    ) -> BoxFuture<'a, Result<(i64, Watermark), KeyValueError>> {
        self.inner.increment(store, key, delta)
    }

    fn list_keys<'a>(
        &'a self,
        store: &'a str,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<KeyPage, KeyValueError>> {
        self.inner.list_keys(store, cursor, limit)
    }
}

/// The value of a counter, and the event that made it: one before the event that is delivered, or that one.
const BEFORE: &str = "5 0 bomb/YARD#1";
const AFTER: &str = "100 1 bomb/YARD#1";

/// Two is added to a counter that holds [`BEFORE`], while `recalled` is what the store recalls, with this much added to
/// the revision; what follows, and how often the store was asked.
async fn added(recalled: &'static str, revision: i64, away: bool) -> (Verdict, u64) {
    let memory = Memory::flushed();
    memory.put_many("default", vec![("a1".to_owned(), Some("0 0 nobody".into()))]).await.unwrap();
    memory.put_many("default", vec![("a1".to_owned(), Some(BEFORE.into()))]).await.unwrap();
    let found = memory.get("default", "a1").await.unwrap();
    let recalled =
        Entry { value: Some(recalled.into()), revision: found.revision.checked_add_signed(revision).unwrap(), ..found };
    let keys = Arc::new(Recalling {
        inner: Arc::clone(&memory),
        recalled: Mutex::new(Some(recalled)),
        reads: AtomicU64::new(0),
        away: away.into(),
    });
    let counter = Component {
        events: Some(events("counter.changed", Duration::from_secs(3))),
        ..component("counter", "counter")
    };
    let served = Served::over(vec![counter], Arc::clone(&keys) as _, memory).await.unwrap();
    let add = deliver("counter.add", "CounterAddRequestedEvent", r#"{"amount":2}"#);
    let verdict = served.app.dispatch().dispatch("counter", add).await;
    (verdict, keys.reads.load(Ordering::SeqCst))
}

fn value(verdict: &Verdict) -> i64 {
    let Verdict::Done(effects) = verdict else { panic!("{verdict:?}") };
    let [Effect::Publish(event)] = &effects[..] else { panic!("{effects:?}") };
    let body: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
    body["eventData"]["value"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_memory_saves_the_read() {
    let (verdict, reads) = added(BEFORE, 0, false).await;
    assert_eq!((value(&verdict), reads), (7, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_shows_that_a_memory_was_wrong() {
    let (verdict, reads) = added("0 0 nobody", -1, false).await;
    assert_eq!(value(&verdict), 7);
    assert_eq!(reads, 1, "who was wrong once asks");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_by_a_wrong_memory_alone_is_decided_anew() {
    // By that memory the event was handled before, and the handler swaps nothing.
    let (verdict, reads) = added(AFTER, -1, false).await;
    assert_eq!(value(&verdict), 7);
    assert_eq!(reads, 2, "once to see that it was wrong, once to decide anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_cannot_be_checked_settles_nothing() {
    let (verdict, _) = added(AFTER, 0, true).await;
    assert!(matches!(verdict, Verdict::Unavailable { .. }), "{verdict:?}");
}
