//! What a handler is told of an event beside its payload: a record filled by the names of its fields.

use super::{Delivery, Rejection};
use crate::codec::{Integer, Plan, Record, is_rfc3339};
use crate::event::Envelope;
use anyhow::{Result, bail};
use wasmtime::component::Val;

/// What the host knows of a delivery, by the field's name in the WIT.
const FACTS: [(&str, Fact); 17] = [
    ("event-id", Fact::EventId),
    ("event-type", Fact::EventType),
    ("event-version", Fact::EventVersion),
    ("subject", Fact::Subject),
    ("aggregate-id", Fact::AggregateId),
    ("aggregate-version", Fact::AggregateVersion),
    ("occurred-at", Fact::OccurredAt),
    ("published-at", Fact::PublishedAt),
    ("correlation-id", Fact::CorrelationId),
    ("causation-id", Fact::CausationId),
    ("saga-id", Fact::SagaId),
    ("traceparent", Fact::Traceparent),
    ("source", Fact::Source),
    ("sequence", Fact::Sequence),
    ("key", Fact::Key),
    ("attempt", Fact::Attempt),
    ("delivered-at", Fact::DeliveredAt),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    EventId,
    EventType,
    EventVersion,
    Subject,
    AggregateId,
    AggregateVersion,
    OccurredAt,
    PublishedAt,
    CorrelationId,
    CausationId,
    SagaId,
    Traceparent,
    Source,
    Sequence,
    Key,
    Attempt,
    DeliveredAt,
}

enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Absent,
}

impl Fact {
    fn of<'a>(self, delivery: &'a Delivery, envelope: &'a Envelope) -> Value<'a> {
        let headers = &delivery.event.headers;
        match self {
            Self::EventId => Value::Text(&envelope.event_id),
            Self::EventType => Value::Text(&envelope.event_type),
            Self::EventVersion => Value::Number(envelope.event_version.into()),
            Self::Subject => Value::Text(delivery.event.subject.as_str()),
            Self::AggregateId => Value::Text(&envelope.aggregate_id),
            Self::AggregateVersion => headers.aggregate_version.map_or(Value::Absent, Value::Number),
            Self::OccurredAt => Value::Text(&envelope.occurred_on),
            Self::PublishedAt => Value::Text(&envelope.published_at),
            Self::CorrelationId => Value::Text(&envelope.correlation_id),
            Self::CausationId => Value::Text(&envelope.causation_id),
            Self::SagaId => envelope.saga_id.as_deref().map_or(Value::Absent, Value::Text),
            Self::Traceparent => headers.traceparent.as_deref().map_or(Value::Absent, Value::Text),
            Self::Source => Value::Text(&delivery.source),
            Self::Sequence => Value::Number(delivery.sequence),
            Self::Key => Value::Text(&delivery.key),
            Self::Attempt => Value::Number(delivery.attempt.into()),
            Self::DeliveredAt => Value::Number(delivery.delivered_at.0),
        }
    }

    fn may_be_absent(self) -> bool {
        matches!(self, Self::AggregateVersion | Self::SagaId | Self::Traceparent)
    }

    /// The types a field may have to be given this, in words.
    fn types(self) -> &'static str {
        match self {
            Self::EventVersion | Self::Attempt => "u32 or u64",
            Self::Sequence | Self::DeliveredAt => "u64",
            Self::AggregateVersion => "option<u64>",
            Self::SagaId | Self::Traceparent => "option<string>",
            Self::OccurredAt | Self::PublishedAt => "string or timestamp",
            _ => "string",
        }
    }

    fn fits(self, plan: &Plan) -> bool {
        match plan {
            Plan::Text => !self.types().contains("u64"),
            Plan::Timestamp => self.types().contains("timestamp"),
            Plan::Integer(Integer::U64) => self.types().contains("u64"),
            Plan::Integer(Integer::U32) => self.types().contains("u32"),
            _ => false,
        }
    }

    /// Where it lies in the body.
    fn path(self) -> &'static str {
        if self == Self::OccurredAt { "occurredOn" } else { "metadata.publishedAt" }
    }
}

/// How the metadata record of one component is filled.
#[derive(Debug)]
pub(super) struct Metadata(Vec<Field>);

#[derive(Debug)]
struct Field {
    name: String,
    /// `None` for an option the host knows nothing of.
    fact: Option<Fact>,
    optional: bool,
    /// The number is a `u32`.
    narrow: bool,
    /// The text is promised to be RFC 3339.
    timestamp: bool,
}

impl Metadata {
    /// Checks the record's fields.
    ///
    /// # Errors
    /// Names a field the host cannot fill, or of another type than what the host has for it.
    pub(super) fn compile(record: &Record) -> Result<Self> {
        record.fields.iter().map(|field| Field::compile(&field.name, &field.plan)).collect::<Result<_>>().map(Self)
    }

    /// The record for one delivery.
    ///
    /// # Errors
    /// Where a timestamp is none.
    pub(super) fn value(&self, delivery: &Delivery, envelope: &Envelope) -> Result<Val, Rejection> {
        let mut fields = Vec::with_capacity(self.0.len());
        for field in &self.0 {
            fields.push((field.name.clone(), field.value(delivery, envelope)?));
        }
        Ok(Val::Record(fields))
    }
}

impl Field {
    fn compile(name: &str, plan: &Plan) -> Result<Self> {
        let (inner, optional) = match plan {
            Plan::Option(inner) => (&**inner, true),
            _ => (plan, false),
        };
        let fact = FACTS.iter().find(|(known, _)| *known == name).map(|(_, fact)| *fact);
        match fact {
            None if optional => {}
            None => bail!("the host knows nothing to fill its field `{name}` with: make it an option, or remove it"),
            Some(fact) if !fact.fits(inner) || (fact.may_be_absent() && !optional) => {
                bail!("its field `{name}` must be {}", fact.types())
            }
            Some(_) => {}
        }
        let narrow = matches!(inner, Plan::Integer(Integer::U32));
        Ok(Self { name: name.to_owned(), fact, optional, narrow, timestamp: matches!(inner, Plan::Timestamp) })
    }

    fn value(&self, delivery: &Delivery, envelope: &Envelope) -> Result<Val, Rejection> {
        let value = match self.fact.map_or(Value::Absent, |fact| fact.of(delivery, envelope)) {
            Value::Text(text) => {
                self.check(text)?;
                Val::String(text.to_owned())
            }
            Value::Number(number) if self.narrow => Val::U32(u32::try_from(number).unwrap_or(u32::MAX)),
            Value::Number(number) => Val::U64(number),
            Value::Absent => return Ok(Val::Option(None)),
        };
        Ok(if self.optional { Val::Option(Some(Box::new(value))) } else { value })
    }

    fn check(&self, text: &str) -> Result<(), Rejection> {
        match self.fact {
            Some(fact) if self.timestamp && !is_rfc3339(text) => Err(Rejection {
                reason: "expected a timestamp such as \"2026-01-15T10:30:00.000Z\"".into(),
                path: Some(fact.path().into()),
            }),
            _ => Ok(()),
        }
    }
}
