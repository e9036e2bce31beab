//! A whole event as somebody else's host hands it over: read as our host reads it, with the same faults in the same order.

use super::conform::{Fault, conform};
use super::shape::{Field, Shape};
use crate::events::Event;
use crate::json;
use crate::time::is_rfc3339;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An event and what its envelope says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// `eventId`.
    pub event_id: String,
    /// `aggregateId`.
    pub aggregate_id: String,
    /// `eventVersion`.
    pub event_version: u32,
    /// `occurredOn`.
    pub occurred_on: String,
    /// `sagaId`.
    pub saga_id: Option<String>,
    /// `metadata.correlationId`.
    pub correlation_id: String,
    /// `metadata.causationId`.
    pub causation_id: String,
    /// The event.
    pub event: Event,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, rename = "eventType")]
    _event_type: Cow<'a, str>,
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
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, rename = "publishedAt")]
    _published_at: Cow<'a, str>,
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    #[serde(borrow)]
    causation_id: Cow<'a, str>,
}

/// Reads an event that came under `subject`.
///
/// # Errors
/// Where no event has the subject, or the body is not as its type says, with the JSON path.
pub fn read_incoming(subject: &str, body: &[u8]) -> Result<Incoming, Fault> {
    let shape = Event::shape(subject)
        .ok_or_else(|| Fault::whole(format!("the handler knows no event of the subject `{subject}`")))?;
    let envelope: Envelope<'_> = json::from_slice(body).map_err(|error| diagnose(shape, body, &error))?;
    let nodes = conform(shape, envelope.event_data.get().as_bytes(), "eventData")?;
    if !is_rfc3339(&envelope.occurred_on) {
        let reason = format!("expected {}", Shape::Timestamp.expectation());
        return Err(Fault { path: Some("occurredOn".to_owned()), reason });
    }
    let event = Event::of_nodes(subject, nodes).map_err(|error| Fault::whole(error.to_string()))?;
    Ok(Incoming {
        event_id: envelope.event_id.into_owned(),
        aggregate_id: envelope.aggregate_id.into_owned(),
        event_version: envelope.event_version,
        occurred_on: envelope.occurred_on.into_owned(),
        saga_id: envelope.saga_id.map(Cow::into_owned),
        correlation_id: envelope.metadata.correlation_id.into_owned(),
        causation_id: envelope.metadata.causation_id.into_owned(),
        event,
    })
}

/// Where exactly the body is no event: the envelope's reader knows a line and a column, this finds the path.
#[cold]
fn diagnose(payload: &Shape<'_>, body: &[u8], error: &serde_json::Error) -> Fault {
    let text = |key| Field { key, shape: &Shape::Text };
    let metadata = [text("publishedAt"), text("correlationId"), text("causationId")];
    let envelope = [
        text("eventId"),
        text("eventType"),
        text("aggregateId"),
        Field { key: "eventVersion", shape: &Shape::Integer(0, u32::MAX as i128) },
        text("occurredOn"),
        Field { key: "sagaId", shape: &Shape::Option(&Shape::Text) },
        Field { key: "eventData", shape: payload },
        Field { key: "metadata", shape: &Shape::Record(&metadata) },
    ];
    match conform(&Shape::Record(&envelope), body, "") {
        Err(fault) => fault,
        Ok(_) => Fault::whole(format!("not an event: {error}")),
    }
}
