//! A delivery as HTTP headers: CloudEvents in binary mode, and what a handler is told of the hand-out beside it.

use crate::dispatch::Delivery;
use crate::event::Envelope;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// What CloudEvents wants encoded in a header's value: all but visible ASCII, and `"` and `%`.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The headers of a delivery. An event without an envelope has no CloudEvents attributes either: its handler says why.
#[must_use]
pub fn headers(delivery: &Delivery) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let event = &delivery.event;
    set(&mut headers, "a4co-subject", event.subject.as_str());
    set(&mut headers, "a4co-source", &delivery.source);
    set(&mut headers, "a4co-key", &delivery.key);
    for (name, number) in [
        ("a4co-sequence", delivery.sequence),
        ("a4co-attempt", delivery.attempt.into()),
        ("a4co-delivered-at", delivery.delivered_at.0),
    ] {
        headers.insert(name, number.into());
    }
    if let Some(version) = event.headers.aggregate_version {
        headers.insert("aggregate-version", version.into());
    }
    if let Some(traceparent) = &event.headers.traceparent {
        set(&mut headers, "traceparent", traceparent);
    }
    if let Ok(envelope) = event.envelope() {
        cloud_event(&mut headers, envelope, &delivery.source);
    }
    headers
}

fn cloud_event(headers: &mut HeaderMap, envelope: &Envelope, source: &str) {
    headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
    set(headers, "ce-id", &envelope.event_id);
    set(headers, "ce-type", &envelope.event_type);
    set(headers, "ce-source", &format!("/a4co/{}", stream_of(source)));
    set(headers, "ce-subject", &envelope.aggregate_id);
    set(headers, "ce-time", &envelope.occurred_on);
    set(headers, "x-correlation-id", &envelope.correlation_id);
}

/// `ORDERS`, of the source `saga/ORDERS#1` as of the replays `saga/dlq/ORDERS`.
fn stream_of(source: &str) -> &str {
    let last = source.rsplit('/').next().unwrap_or(source);
    last.split('#').next().unwrap_or(last)
}

/// Values are the guests' and the world's: encoded, none can break out of its header.
fn set(headers: &mut HeaderMap, name: &'static str, text: &str) {
    let encoded = percent_encode(text.as_bytes(), ENCODED).to_string();
    if let Ok(value) = HeaderValue::from_str(&encoded) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
