//! Whole events: a subject, and a body.
//!
//! The host reads the envelope once and finds the payload's place; a component that is reached over HTTP reads the whole.
//! Both see what a plain look at the JSON sees. What travels as headers cannot break out of its header, and comes back.

use crate::first_line;
use a4co_host::bridge::headers;
use a4co_host::clock::Millis;
use a4co_host::dispatch::Delivery;
use a4co_host::event::{Envelope, Event, Headers};
use a4co_host::subject::Subject;
use bytes::Bytes;
use kit::wire::{Incoming, read, read_incoming, write};
use percent_encoding::percent_decode;
use serde_json::Value;
use std::sync::Arc;

/// Texts of an envelope, by their JSON pointers.
const TEXTS: [&str; 7] = [
    "/eventId",
    "/eventType",
    "/aggregateId",
    "/occurredOn",
    "/metadata/publishedAt",
    "/metadata/correlationId",
    "/metadata/causationId",
];

/// See the module.
///
/// # Panics
/// Where the property does not hold.
pub fn check(input: &[u8]) {
    let Some((subject, body)) = first_line(input) else { return };
    let envelope = Envelope::parse(body);
    let plain: Option<Value> = serde_json::from_slice(body).ok();
    match (&envelope, &plain) {
        (Ok(envelope), Some(plain)) => says_the_same(envelope, body, plain),
        // With every key once, as a plain reader writes it, a whole event is taken.
        (Err(error), Some(plain)) if complete(plain) => {
            assert!(Envelope::parse(plain.to_string().as_bytes()).is_ok(), "a whole event is refused: {error}");
        }
        // Not taken by a plain reader is not the same as not JSON: the payload is found, not read.
        _ => {}
    }
    let incoming = read_incoming(subject, body).ok();
    if let Some(incoming) = &incoming {
        let Ok(envelope) = &envelope else { panic!("a component reads what the host does not") };
        agrees(incoming, envelope);
    }
    if let (Ok(envelope), Ok(subject)) = (&envelope, Subject::new(subject)) {
        travels(envelope, &subject, body);
    }
    written_again(subject, body);
}

/// Whether it has all that an event has.
fn complete(plain: &Value) -> bool {
    let number = plain["eventVersion"].as_u64().is_some_and(|version| u32::try_from(version).is_ok());
    let saga = plain.get("sagaId").is_none_or(|id| id.is_null() || id.is_string());
    let texts = TEXTS.iter().all(|pointer| plain.pointer(pointer).is_some_and(Value::is_string));
    plain.is_object() && number && saga && texts && plain.get("eventData").is_some()
}

fn says_the_same(envelope: &Envelope, body: &[u8], plain: &Value) {
    let Envelope {
        event_id, event_type, aggregate_id, occurred_on, published_at, correlation_id, causation_id, ..
    } = envelope;
    let texts = [event_id, event_type, aggregate_id, occurred_on, published_at, correlation_id, causation_id];
    // An event may come as an array of its values: nobody sends it, and serde takes it.
    if plain.is_object() && plain["metadata"].is_object() {
        for (pointer, text) in TEXTS.iter().zip(texts) {
            assert_eq!(plain.pointer(pointer).and_then(Value::as_str), Some(text.as_str()), "{pointer}");
        }
        assert_eq!(plain["eventVersion"].as_u64(), Some(u64::from(envelope.event_version)));
        assert_eq!(plain["sagaId"].as_str(), envelope.saga_id.as_deref());
        let data = body.get(envelope.data.clone()).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<Value>(data).ok().as_ref(), plain.get("eventData"), "the payload's place");
    }
}

fn agrees(incoming: &Incoming, envelope: &Envelope) {
    assert_eq!(incoming.event_id, envelope.event_id);
    assert_eq!(incoming.aggregate_id, envelope.aggregate_id);
    assert_eq!(incoming.event_version, envelope.event_version);
    assert_eq!(incoming.occurred_on, envelope.occurred_on);
    assert_eq!(incoming.saga_id, envelope.saga_id);
    assert_eq!(incoming.correlation_id, envelope.correlation_id);
    assert_eq!(incoming.causation_id, envelope.causation_id);
}

/// As headers of a bridge's request: each is one line of visible characters, and means what it meant.
fn travels(envelope: &Envelope, subject: &Subject, body: &[u8]) {
    let event = Event::new(subject.clone(), Bytes::copy_from_slice(body), Headers::default());
    let delivery = Delivery {
        event: Arc::new(event),
        source: "fuzz/ORDERS#1".into(),
        sequence: 1,
        key: envelope.aggregate_id.clone(),
        attempt: 1,
        delivered_at: Millis(1),
    };
    let headers = headers(&delivery);
    for (name, value) in &headers {
        assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)), "{name}: {value:?}");
    }
    for (name, text) in [
        ("ce-id", &envelope.event_id),
        ("ce-type", &envelope.event_type),
        ("ce-subject", &envelope.aggregate_id),
        ("ce-time", &envelope.occurred_on),
        ("x-correlation-id", &envelope.correlation_id),
        ("a4co-key", &envelope.aggregate_id),
    ] {
        let value = headers.get(name).unwrap_or_else(|| panic!("no {name}"));
        let came = percent_decode(value.as_bytes()).decode_utf8_lossy();
        assert_eq!(came, text.as_str(), "{name}");
    }
}

/// What a component can read it can write, and reads the same again; and the host reads it too.
fn written_again(subject: &str, body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let Ok(event) = read(subject, text) else { return };
    let written = write(&event).unwrap_or_else(|error| panic!("what was read cannot be written: {error}"));
    let again = read(subject, &written).unwrap_or_else(|error| panic!("{written} is not read again: {error}"));
    assert!(again == event, "another event comes back: {written}");
    let envelope = Envelope::parse(written.as_bytes()).unwrap_or_else(|error| panic!("the host: {error}"));
    assert_eq!((envelope.event_id, envelope.aggregate_id), (event.event_id, event.aggregate_id));
}
