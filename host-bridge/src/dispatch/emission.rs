//! From what a handler emits to the complete event: ids derived, correlation passed on, the body written once.

use super::cases::{Case, Cases};
use super::shape::EmissionShape;
use super::{Delivery, Timer};
use crate::clock::Millis;
use crate::codec::{Sink, write_string, write_unsigned};
use crate::event::{Envelope, Event, Headers};
use std::sync::Arc;
use uuid::Uuid;
use wasmtime::component::Val;

/// Namespace of all derived ids. It must never change: a redelivery after an upgrade must derive the same ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_52c6_0b0b_5f0a_9c3e_a4c0_0e5e_27d1);

/// Version of the metadata on the wire.
const METADATA_VERSION: &str = "1.0";

/// Longest id or name a guest may choose, in bytes: it ends up in headers, keys and log lines.
const MAX_NAME_BYTES: usize = 255;

/// Bytes reserved for a body: most events fit.
const BODY_BYTES: usize = 768;

/// What may be emitted by one component.
#[derive(Debug)]
pub(super) struct Grants {
    /// By the position of the case in its variant.
    pub(super) granted: Vec<bool>,
    /// Bytes of one event's JSON.
    pub(super) event_bytes: usize,
}

/// Writes the events that one delivery leads to. A text that comes back as an error is a defect of the component.
pub(super) struct Author<'a> {
    pub(super) component: &'a str,
    pub(super) delivery: &'a Delivery,
    /// The causing event's envelope.
    pub(super) cause: &'a Envelope,
    pub(super) cases: &'a Cases,
    pub(super) grants: &'a Grants,
    pub(super) shape: EmissionShape,
}

/// An emission as read from the guest's record.
struct Emission<'a> {
    aggregate_id: &'a str,
    aggregate_version: Option<u64>,
    saga_id: Option<&'a str>,
    event_version: u32,
    case: &'a Case,
    payload: Option<&'a Val>,
}

impl Author<'_> {
    /// The event of an emission at position `index` of the outputs, published at `at`.
    pub(super) fn event(&self, index: usize, emission: &Val, at: Millis) -> Result<Event, String> {
        let id = self.derived_id(index, "");
        self.write(emission, &id, at)
    }

    /// A timer, set by the output at position `index`, with the event it publishes.
    pub(super) fn timer(&self, index: usize, name: &str, fire_at: Millis, emission: &Val) -> Result<Timer, String> {
        check_name("a timer's name", name)?;
        let id = self.derived_id(index, name);
        let set_at = self.delivery.delivered_at;
        let event = Arc::new(self.write(emission, &id, fire_at.max(set_at))?);
        let (aggregate, cause) = (self.delivery.key.clone(), self.cause.event_id.clone());
        Ok(Timer { aggregate, name: name.to_owned(), cause, fire_at, set_at, event })
    }

    /// The same for every repetition of the same cause, another for any other. Parts are preceded by their lengths, so
    /// that no two lists of parts are the same bytes.
    fn derived_id(&self, index: usize, timer: &str) -> String {
        let index = index.to_string();
        let parts = [self.component, &self.delivery.key, &self.cause.event_id, &index, timer];
        let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            name.extend_from_slice(&(part.len() as u64).to_le_bytes());
            name.extend_from_slice(part.as_bytes());
        }
        Uuid::new_v5(&NAMESPACE, &name).to_string()
    }

    fn write(&self, emission: &Val, id: &str, at: Millis) -> Result<Event, String> {
        let emission = self.read(emission)?;
        let time = at.rfc3339();
        let mut body = Sink::new(BODY_BYTES, self.grants.event_bytes);
        body.raw("{\"eventId\":\"");
        body.raw(id);
        body.raw("\",\"eventType\":\"");
        body.raw(&emission.case.event_type);
        body.raw("\",\"aggregateId\":");
        write_string(&mut body, emission.aggregate_id);
        body.raw(",\"eventVersion\":");
        write_unsigned(&mut body, emission.event_version.into());
        body.raw(",\"occurredOn\":\"");
        body.raw(&time);
        body.raw("\"");
        if let Some(saga_id) = emission.saga_id {
            body.raw(",\"sagaId\":");
            write_string(&mut body, saga_id);
        }
        body.raw(",\"eventData\":");
        let start = body.len();
        write_payload(&emission, &mut body)?;
        let data = start..body.len();
        body.raw(",\"metadata\":{\"publishedAt\":\"");
        body.raw(&time);
        body.raw("\",\"version\":\"");
        body.raw(METADATA_VERSION);
        body.raw("\",\"correlationId\":");
        write_string(&mut body, &self.cause.correlation_id);
        body.raw(",\"causationId\":");
        write_string(&mut body, &self.cause.event_id);
        body.raw("}}");
        let envelope = Envelope {
            event_id: id.to_owned(),
            event_type: emission.case.event_type.clone(),
            aggregate_id: emission.aggregate_id.to_owned(),
            event_version: emission.event_version,
            occurred_on: time.clone(),
            saga_id: emission.saga_id.map(str::to_owned),
            published_at: time,
            correlation_id: self.cause.correlation_id.clone(),
            causation_id: self.cause.event_id.clone(),
            data,
        };
        let traceparent = self.delivery.event.headers.traceparent.clone();
        let headers = Headers { aggregate_version: emission.aggregate_version, traceparent };
        Ok(Event::written(emission.case.subject.clone(), body.into_bytes().into(), headers, envelope))
    }

    fn read<'v>(&'v self, emission: &'v Val) -> Result<Emission<'v>, String> {
        let Val::Record(fields) = emission else { return Err(foreign("an emission")) };
        let shape = self.shape;
        let (case, payload) = match value(fields, shape.event) {
            Some(Val::Variant(name, payload)) => (self.granted(name)?, payload.as_deref()),
            _ => return Err(foreign("an event")),
        };
        let aggregate_id = text(fields, shape.aggregate_id).ok_or_else(|| foreign("an aggregate id"))?;
        check_name("an aggregate id", aggregate_id)?;
        let saga_id = match shape.saga_id.and_then(|place| some(fields, place)) {
            Some(Val::String(saga_id)) => Some(saga_id.as_str()),
            _ => None,
        };
        saga_id.map_or(Ok(()), |saga_id| check_name("a saga id", saga_id))?;
        let aggregate_version = match shape.aggregate_version.and_then(|place| some(fields, place)) {
            Some(Val::U64(version)) => Some(*version),
            _ => None,
        };
        let event_version = match shape.event_version.and_then(|place| some(fields, place)) {
            Some(Val::U32(version)) => *version,
            _ => 1,
        };
        Ok(Emission { aggregate_id, aggregate_version, saga_id, event_version, case, payload })
    }

    fn granted(&self, name: &str) -> Result<&Case, String> {
        let (index, case) = self.cases.of_name(name).ok_or_else(|| foreign("an event"))?;
        if self.grants.granted.get(index) == Some(&true) {
            return Ok(case);
        }
        Err(format!(
            "emitted `{}`, which it may not publish: add it to component.{}.tool.events.publish",
            case.subject, self.component
        ))
    }
}

fn write_payload(emission: &Emission<'_>, body: &mut Sink) -> Result<(), String> {
    match (&emission.case.payload, emission.payload) {
        (Some(plan), Some(payload)) => plan
            .encode(payload, body, "eventData")
            .map_err(|error| format!("emitted an invalid `{}`: {error}", emission.case.subject)),
        (None, None) => {
            body.raw("{}");
            Ok(())
        }
        _ => Err(foreign("an event")),
    }
}

/// A name a guest chose must not break what carries it.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(format!("{what} is {} bytes long, at most {MAX_NAME_BYTES} are allowed", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("{what} has a control character: {name:?}"));
    }
    Ok(())
}

/// The value at a position of a record.
pub(super) fn value(fields: &[(String, Val)], place: usize) -> Option<&Val> {
    fields.get(place).map(|(_, value)| value)
}

/// The string at a position of a record.
pub(super) fn text(fields: &[(String, Val)], place: usize) -> Option<&str> {
    match value(fields, place) {
        Some(Val::String(text)) => Some(text),
        _ => None,
    }
}

/// What the option at a position of a record holds.
pub(super) fn some(fields: &[(String, Val)], place: usize) -> Option<&Val> {
    match value(fields, place) {
        Some(Val::Option(Some(value))) => Some(value),
        _ => None,
    }
}

/// Cannot happen with a component whose types were checked at load; said rather than assumed.
pub(super) fn foreign(what: &str) -> String {
    format!("returned {what} of another type than its WIT declares")
}
