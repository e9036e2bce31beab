//! Events as messages of a stream and back: what travels in headers, for us and for any other client.

use crate::clock::Millis;
use crate::event::{Event, Headers};
use crate::subject::Subject;
use async_nats::HeaderMap;
use bytes::Bytes;
use std::sync::Arc;

/// What the server knows a repeat by.
pub(super) const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The stream that is to take the message.
const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
const AGGREGATE_VERSION: &str = "Aggregate-Version";
const CORRELATION_ID: &str = "Correlation-Id";
const TRACEPARENT: &str = "traceparent";
/// When it was published, in milliseconds of the publisher's clock.
pub(super) const PUBLISHED_AT: &str = "Published-At";

/// The headers of `event`, published to `stream` at `now`.
pub(super) fn of_event(event: &Event, stream: &str, now: Millis) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| put(&mut headers, name, value);
    set(EXPECTED_STREAM, stream);
    set(PUBLISHED_AT, &now.0.to_string());
    if let Some(version) = event.headers.aggregate_version {
        set(AGGREGATE_VERSION, &version.to_string());
    }
    if let Some(traceparent) = &event.headers.traceparent {
        set(TRACEPARENT, traceparent);
    }
    set("content-type", "application/json");
    let Ok(envelope) = event.envelope() else { return headers };
    set(MESSAGE_ID, &envelope.event_id);
    set("Event-Type", &envelope.event_type);
    set("Aggregate-Id", &envelope.aggregate_id);
    set("Event-Version", &envelope.event_version.to_string());
    set(CORRELATION_ID, &envelope.correlation_id);
    set("ce-specversion", "1.0");
    set("ce-id", &envelope.event_id);
    set("ce-type", &envelope.event_type);
    set("ce-source", &format!("/a4co/{stream}"));
    set("ce-subject", &envelope.aggregate_id);
    set("ce-time", &envelope.occurred_on);
    headers
}

/// The event that a message is; `None` where its subject is none of ours.
pub(super) fn to_event(subject: &str, headers: Option<&HeaderMap>, body: Bytes) -> Option<Arc<Event>> {
    let subject = Subject::new(subject).ok()?;
    let known = |name| text(headers, name);
    let aggregate_version = known(AGGREGATE_VERSION).and_then(|version| version.parse().ok());
    let traceparent = known(TRACEPARENT).map(str::to_owned);
    Some(Arc::new(Event::new(subject, body, Headers { aggregate_version, traceparent })))
}

/// When the message was published: by its publisher, or else when the server stored it.
pub(super) fn published_at(headers: Option<&HeaderMap>, stored_at: u64) -> Millis {
    Millis(number(headers, PUBLISHED_AT).unwrap_or(stored_at))
}

/// Whether the message belongs to a correlation: by its header, or, where it is not ours, by its body.
pub(super) fn is_correlated(headers: Option<&HeaderMap>, event: &Event, correlation_id: &str) -> bool {
    match text(headers, CORRELATION_ID) {
        Some(id) => id == correlation_id,
        None => event.envelope().is_ok_and(|envelope| envelope.correlation_id == correlation_id),
    }
}

/// Sets a header, unless its value could end the line: every text of an event is hostile.
pub(super) fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = value.parse::<async_nats::HeaderValue>() {
        headers.insert(name, value);
    }
}

/// A header's text.
pub(super) fn text<'a>(headers: Option<&'a HeaderMap>, name: &'static str) -> Option<&'a str> {
    headers?.get(name).map(async_nats::HeaderValue::as_str)
}

/// A header's number.
pub(super) fn number(headers: Option<&HeaderMap>, name: &'static str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract::event;

    #[test]
    fn an_event_comes_back_as_it_was() {
        let headers = Headers { aggregate_version: Some(7), traceparent: Some("00-a-b-01".to_owned()) };
        let original = event("order.created", "c-1");
        let original = Event::new(original.subject.clone(), original.body.clone(), headers);
        let map = of_event(&original, "ORDERS", Millis(5));
        assert_eq!(text(Some(&map), MESSAGE_ID), Some("c-1"));
        assert_eq!(text(Some(&map), "ce-id"), Some("c-1"));
        let back = to_event("order.created", Some(&map), original.body.clone()).unwrap();
        assert_eq!((&back.headers, &back.body), (&original.headers, &original.body));
        assert_eq!(published_at(Some(&map), 9), Millis(5));
        assert!(is_correlated(Some(&map), &back, "c") && !is_correlated(Some(&map), &back, "d"));
        assert!(is_correlated(None, &back, "c"), "by its body");
        assert_eq!(published_at(None, 9), Millis(9));
    }

    #[test]
    fn a_text_that_would_end_the_line_is_no_header() {
        let body = r#"{"eventId":"a\r\nNats-Rollup: all","eventType":"T","aggregateId":"x","eventVersion":1,
            "occurredOn":"now","eventData":{},"metadata":{"publishedAt":"n","correlationId":"c","causationId":"x"}}"#;
        let event = Event::new(Subject::new("order.created").unwrap(), body.into(), Headers::default());
        let map = of_event(&event, "ORDERS", Millis(5));
        assert_eq!(text(Some(&map), MESSAGE_ID), None);
        assert_eq!(text(Some(&map), "Event-Type"), Some("T"));
    }
}
