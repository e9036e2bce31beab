//! `/events/{name}`: the events of one correlation, and publishing by an operator's hand.

use super::Admin;
use super::answer::{Answer, Refusal, json};
use super::view::{EventView, ListView};
use crate::event::{Event, Headers};
use crate::subject::Subject;
use axum::body::Bytes;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::sync::Arc;

/// Most events shown of one correlation.
const MAX_EVENTS: usize = 10_000;

/// Where a published event lies.
#[derive(Serialize)]
struct Published {
    stream: String,
    sequence: u64,
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

pub(super) async fn correlated(State(admin): State<Admin>, Path(correlation): Path<String>) -> Answer {
    let events = admin.bus.correlated(&correlation, MAX_EVENTS).await?;
    if events.is_empty() {
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("no event has the correlation id `{correlation}`")));
    }
    admin.durability.flushed(admin.durability.latest()).await?;
    Ok(json(&ListView { items: events.iter().map(|event| EventView::from(event.as_ref())).collect(), next: None }))
}

/// Stores the body as it is, even where it is no event: so bad input can be shown to end in the dead letters.
pub(super) async fn publish(
    State(admin): State<Admin>,
    Path(subject): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let unusable =
        |error: crate::subject::SubjectError| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    let subject = Subject::new(&subject).map_err(unusable)?;
    let event = Arc::new(Event::new(subject, body, read_headers(&headers)?));
    let receipt = admin.bus.publish(Arc::clone(&event)).await?;
    admin.durability.flushed(receipt.watermark).await?;
    if !receipt.duplicate {
        admin.metrics.published_by("admin", &event);
    }
    let warning =
        event.envelope().err().map(|error| format!("{error}; its subscribers will send it to the dead letters"));
    let (stream, sequence, duplicate) = (receipt.stream, receipt.sequence, receipt.duplicate);
    Ok(json(&Published { stream, sequence, duplicate, warning }))
}

fn read_headers(headers: &HeaderMap) -> Result<Headers, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = || Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Aggregate-Version: expected a whole number");
    let aggregate_version = text("aggregate-version").map(str::parse).transpose().map_err(|_| refused())?;
    Ok(Headers { aggregate_version, traceparent: text("traceparent").map(str::to_owned) })
}
