//! From what a handler emits to the complete event: ids derived, correlation passed on, the body written once. The same
//! for a handler that is called by type and for one that answered over HTTP.

use super::{Delivery, Timer};
use crate::clock::Millis;
use crate::codec::{Sink, write_string, write_unsigned};
use crate::event::{Envelope, Event, Headers};
use crate::subject::Subject;
use std::sync::Arc;
use uuid::Uuid;

/// Namespace of all derived ids. It must never change: a redelivery after an upgrade must derive the same ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_52c6_0b0b_5f0a_9c3e_a4c0_0e5e_27d1);

/// Version of the metadata on the wire.
const METADATA_VERSION: &str = "1.0";

/// Longest id or name a guest may choose, in bytes: it ends up in headers, keys and log lines.
const MAX_NAME_BYTES: usize = 255;

/// Bytes reserved for a body: most events fit.
const BODY_BYTES: usize = 768;

/// Writes the events that one delivery leads to. A text that comes back as an error is a defect of the component.
pub(crate) struct Author<'a> {
    pub(crate) component: &'a str,
    pub(crate) delivery: &'a Delivery,
    /// The causing event's envelope.
    pub(crate) cause: &'a Envelope,
    /// Most bytes of one event's JSON.
    pub(crate) event_bytes: usize,
}

/// An emission, granted, whatever it was read from.
pub(crate) struct Emission<'a, P> {
    pub(crate) aggregate_id: &'a str,
    pub(crate) aggregate_version: Option<u64>,
    pub(crate) saga_id: Option<&'a str>,
    /// Version of the payload's schema.
    pub(crate) event_version: u32,
    pub(crate) subject: &'a Subject,
    pub(crate) event_type: &'a str,
    pub(crate) payload: P,
}

/// What an event carries, as something that writes itself as JSON.
pub(crate) trait Payload {
    /// Writes it. An error is the component's.
    fn write(&self, body: &mut Sink) -> Result<(), String>;
}

impl Author<'_> {
    /// The event of an emission at position `index` of the outputs, published at `at`.
    pub(crate) fn event(
        &self,
        index: usize,
        emission: &Emission<'_, impl Payload>,
        at: Millis,
    ) -> Result<Event, String> {
        let id = self.derived_id(index, "");
        self.write(emission, &id, at)
    }

    /// A timer, set by the output at position `index`, with the event it publishes.
    pub(crate) fn timer(
        &self,
        index: usize,
        name: &str,
        fire_at: Millis,
        emission: &Emission<'_, impl Payload>,
    ) -> Result<Timer, String> {
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

    fn write(&self, emission: &Emission<'_, impl Payload>, id: &str, at: Millis) -> Result<Event, String> {
        check_name("an aggregate id", emission.aggregate_id)?;
        emission.saga_id.map_or(Ok(()), |saga_id| check_name("a saga id", saga_id))?;
        let time = at.rfc3339();
        let mut body = Sink::new(BODY_BYTES, self.event_bytes);
        body.raw("{\"eventId\":\"");
        body.raw(id);
        body.raw("\",\"eventType\":\"");
        body.raw(emission.event_type);
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
        emission.payload.write(&mut body)?;
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
            event_type: emission.event_type.to_owned(),
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
        Ok(Event::written(emission.subject.clone(), body.into_bytes().into(), headers, envelope))
    }
}

/// A name a guest chose must not break what carries it.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), String> {
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
