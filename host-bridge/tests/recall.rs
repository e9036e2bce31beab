//! A store that recalls what this process wrote there, rightly or not: a delivery may go by it, and what it decides counts
//! only where that was so.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use a4co_host::dispatch::{Delivery, Dispatch, Effect, Verdict};
use a4co_host::keyvalue::{Entry, KeyValue};
use a4co_host::manifest::Component;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Memory, Served, component, deliver, events};

/// The value of a counter, and the event that made it: one before the event that is delivered, or that one.
const BEFORE: &str = "5 0 bomb/YARD#1";
const AFTER: &str = "100 1 bomb/YARD#1";

/// A store where `key` held something once and holds `value` now; recalled is `recalled`, with the revision `age` writes
/// before the one it has.
async fn recalling(key: &str, value: &'static str, (recalled, age): (&'static str, u64)) -> Arc<Memory> {
    let memory = Memory::flushed();
    for value in ["0 0 nobody", value] {
        memory.put_many("default", vec![(key.to_owned(), Some(value.into()))]).await.unwrap();
    }
    let found = memory.get("default", key).await.unwrap();
    *memory.recalled.lock() = Some(Entry { value: Some(recalled.into()), revision: found.revision - age, ..found });
    memory.reads.store(0, Ordering::SeqCst);
    memory
}

/// What becomes of a delivery to the guest `guest`, and how often the store is asked.
async fn delivered(guest: &str, publish: &str, delivery: Delivery, memory: &Arc<Memory>) -> (Verdict, u64) {
    let events = Some(events(publish, Duration::from_secs(3)));
    let guest = Component { events, ..component(guest, guest) };
    let id = guest.id.clone();
    let served = Served::start(vec![guest], Arc::clone(memory)).await;
    let verdict = served.app.dispatch().dispatch(&id, delivery).await;
    (verdict, memory.reads.load(Ordering::SeqCst))
}

/// Two is added to a counter.
async fn added(memory: &Arc<Memory>) -> (Verdict, u64) {
    let add = deliver("counter.add", "CounterAddRequestedEvent", r#"{"amount":2}"#);
    delivered("counter", "counter.changed", add, memory).await
}

fn value(verdict: &Verdict) -> i64 {
    let Verdict::Done(effects) = verdict else { panic!("{verdict:?}") };
    let [Effect::Publish(event)] = &effects[..] else { panic!("{effects:?}") };
    let body: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
    body["eventData"]["value"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_memory_saves_the_read() {
    let (verdict, reads) = added(&recalling("a1", BEFORE, (BEFORE, 0)).await).await;
    assert_eq!((value(&verdict), reads), (7, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_shows_that_a_memory_was_wrong() {
    let (verdict, reads) = added(&recalling("a1", BEFORE, ("0 0 nobody", 1)).await).await;
    assert_eq!((value(&verdict), reads), (7, 1), "who was wrong once asks");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_by_a_wrong_memory_alone_is_decided_anew() {
    // By that memory the event was handled before, and the handler swaps nothing.
    let (verdict, reads) = added(&recalling("a1", BEFORE, (AFTER, 1)).await).await;
    assert_eq!((value(&verdict), reads), (7, 2), "once to see that it was wrong, once to decide anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_cannot_be_checked_settles_nothing() {
    let memory = recalling("a1", BEFORE, (AFTER, 0)).await;
    memory.away.store(true, Ordering::SeqCst);
    let (verdict, _) = added(&memory).await;
    assert!(matches!(verdict, Verdict::Unavailable { .. }), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_on_a_memory_that_nobody_has_checked() {
    for (recalled, age) in [("new", 0), ("old", 1)] {
        let memory = recalling("from", "new", (recalled, age)).await;
        let written = memory.position();
        let copy = deliver("bomb.set", "BombSetEvent", r#"{"mode":"copy"}"#);
        let (verdict, _) = delivered("bomb", "bomb.spent", copy, &memory).await;
        assert!(matches!(&verdict, Verdict::Done(effects) if effects.is_empty()), "{recalled}: {verdict:?}");
        assert_eq!(memory.position() - written, 1, "{recalled}: written once");
        let copied = memory.get("default", "to").await.unwrap();
        assert_eq!(copied.value, Some("new".into()), "{recalled}");
    }
}
