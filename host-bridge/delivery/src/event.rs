//! An event as it lies in the log: the wire JSON, and its envelope parsed once for all that read it.

use crate::subject::Subject;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

/// One event: what is stored, and a view of it. Shared as `Arc<Event>`; never changed.
#[derive(Debug)]
pub struct Event {
    /// What it was published under.
    pub subject: Subject,
    /// The wire form: `{eventId, eventType, aggregateId, eventVersion, occurredOn, sagaId?, eventData, metadata}`.
    pub body: Bytes,
    /// What travels beside the body.
    pub headers: Headers,
    envelope: OnceLock<Result<Envelope, EnvelopeError>>,
}

/// What travels beside the body and is not part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers {
    /// Version of the aggregate after the event, where the publisher told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate_version: Option<u64>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What every event says of itself, whatever its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `eventId`: a copy has the same.
    pub event_id: String,
    /// `eventType`, such as `OrderCreatedEvent`.
    pub event_type: String,
    /// `aggregateId`.
    pub aggregate_id: String,
    /// `eventVersion`: version of the payload's schema.
    pub event_version: u32,
    /// `occurredOn`.
    pub occurred_on: String,
    /// `sagaId`.
    pub saga_id: Option<String>,
    /// `metadata.publishedAt`.
    pub published_at: String,
    /// `metadata.correlationId`.
    pub correlation_id: String,
    /// `metadata.causationId`.
    pub causation_id: String,
    /// Where `eventData` lies in the body.
    pub data: Range<usize>,
}

/// Why a body is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an event: {0}")]
pub struct EnvelopeError(pub String);

impl Event {
    /// An event whose body is yet to be read; whether it can be is told by [`Event::envelope`].
    #[must_use]
    pub fn new(subject: Subject, body: Bytes, headers: Headers) -> Self {
        Self { subject, body, headers, envelope: OnceLock::new() }
    }

    /// An event that this process wrote itself, so that nobody has to read it again.
    #[must_use]
    pub fn written(subject: Subject, body: Bytes, headers: Headers, envelope: Envelope) -> Self {
        Self { subject, body, headers, envelope: OnceLock::from(Ok(envelope)) }
    }

    /// The envelope, parsed at the first call.
    ///
    /// # Errors
    /// Where the body is not JSON or lacks what every event has.
    pub fn envelope(&self) -> Result<&Envelope, &EnvelopeError> {
        self.envelope.get_or_init(|| Envelope::parse(&self.body)).as_ref()
    }

    /// The event's id, where it can be read.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.envelope().ok().map(|envelope| envelope.event_id.as_str())
    }

    /// The JSON text of `eventData`, where the envelope can be read.
    #[must_use]
    pub fn data(&self) -> Option<&[u8]> {
        self.body.get(self.envelope().ok()?.data.clone())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEnvelope<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    aggregate_id: Cow<'a, str>,
    event_version: u32,
    #[serde(borrow)]
    occurred_on: Cow<'a, str>,
    #[serde(borrow, default)]
    saga_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_data: &'a RawValue,
    #[serde(borrow)]
    metadata: WireMetadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMetadata<'a> {
    #[serde(borrow)]
    published_at: Cow<'a, str>,
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    #[serde(borrow)]
    causation_id: Cow<'a, str>,
}

impl Envelope {
    /// Reads the envelope of a wire body; the payload is found, not read.
    ///
    /// # Errors
    /// Names what is missing or malformed, with serde's line and column.
    pub fn parse(body: &[u8]) -> Result<Self, EnvelopeError> {
        let wire: WireEnvelope<'_> = serde_json::from_slice(body).map_err(|error| EnvelopeError(error.to_string()))?;
        let text = wire.event_data.get();
        let start = text.as_ptr() as usize - body.as_ptr() as usize;
        Ok(Self {
            event_id: wire.event_id.into_owned(),
            event_type: wire.event_type.into_owned(),
            aggregate_id: wire.aggregate_id.into_owned(),
            event_version: wire.event_version,
            occurred_on: wire.occurred_on.into_owned(),
            saga_id: wire.saga_id.map(Cow::into_owned),
            published_at: wire.metadata.published_at.into_owned(),
            correlation_id: wire.metadata.correlation_id.into_owned(),
            causation_id: wire.metadata.causation_id.into_owned(),
            data: start..start + text.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"eventId":"e1","eventType":"OrderCreatedEvent","aggregateId":"a1","eventVersion":2,
        "occurredOn":"then","sagaId":"s1","eventData":{"orderId":"o1"},"added":true,
        "metadata":{"publishedAt":"now","version":1,"correlationId":"c1","causationId":"e0"}}"#;

    fn event(body: &str) -> Event {
        Event::new(Subject::new("order.created").unwrap(), body.to_owned().into(), Headers::default())
    }

    #[test]
    fn the_envelope_is_read_and_the_payload_found() {
        let event = event(BODY);
        let read = event.envelope().unwrap();
        let texts = [&read.event_id, &read.event_type, &read.aggregate_id, &read.occurred_on, &read.published_at];
        assert_eq!(texts, ["e1", "OrderCreatedEvent", "a1", "then", "now"]);
        assert_eq!((&*read.correlation_id, &*read.causation_id, read.event_version), ("c1", "e0", 2));
        assert_eq!(read.saga_id.as_deref(), Some("s1"));
        assert_eq!(event.id(), Some("e1"));
        assert_eq!(event.data(), Some(br#"{"orderId":"o1"}"#.as_slice()));
    }

    #[test]
    fn what_is_no_event_has_neither_id_nor_payload_and_says_why() {
        let event = event(&BODY.replace("aggregateId", "aggregate"));
        let error = event.envelope().unwrap_err().to_string();
        assert!(error.starts_with("not an event: missing field `aggregateId`"), "{error}");
        assert_eq!((event.id(), event.data()), (None, None));
    }

    #[test]
    fn what_this_process_wrote_is_not_read_again() {
        let envelope = Envelope::parse(BODY.as_bytes()).unwrap();
        let event = Event::written(Subject::new("order.created").unwrap(), "?".into(), Headers::default(), envelope);
        assert_eq!(event.id(), Some("e1"));
        // Where the payload should lie there is nothing: none, and no panic.
        assert_eq!(event.data(), None);
    }
}
