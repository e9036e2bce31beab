//! Where exactly a body is no event: the envelope's parser knows a line and a column, this finds the path.

use super::Rejection;
use super::cases::Case;
use crate::codec::{Field, Integer, Plan, Record};
use crate::event::EnvelopeError;
use std::sync::Arc;

/// Reads the whole body once more, by plan. Only for bodies known to be wrong.
#[cold]
pub(super) fn diagnose(body: &[u8], case: &Case, error: &EnvelopeError) -> Rejection {
    let payload = case.payload.clone().unwrap_or_else(|| Arc::new(Plan::Json));
    match envelope(payload).decode(body, "") {
        Err(found) => {
            let path = (!found.path.is_empty()).then_some(found.path);
            Rejection { reason: found.reason, path }
        }
        Ok(_) => Rejection { reason: error.to_string(), path: None },
    }
}

fn envelope(payload: Arc<Plan>) -> Plan {
    let text = || Arc::new(Plan::Text);
    let metadata = record([("publishedAt", text()), ("correlationId", text()), ("causationId", text())]);
    record([
        ("eventId", text()),
        ("eventType", text()),
        ("aggregateId", text()),
        ("eventVersion", Arc::new(Plan::Integer(Integer::U32))),
        ("occurredOn", text()),
        ("sagaId", Arc::new(Plan::Option(text()))),
        ("eventData", payload),
        ("metadata", Arc::new(metadata)),
    ])
}

fn record<const N: usize>(fields: [(&str, Arc<Plan>); N]) -> Plan {
    let fields = fields.map(|(key, plan)| Field::new(key, key.to_owned(), plan));
    Plan::Record(Record { fields: fields.into() })
}
