//! Events, dead letters and lists as the admin routes show them.

use crate::bus::{DeadLetter, DeadLetterCause};
use crate::event::{Event, Headers};
use serde::Serialize;
use serde_json::Value;

/// An event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventView {
    subject: String,
    #[serde(skip_serializing_if = "is_default")]
    headers: Headers,
    /// The body, where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Value>,
    /// The body, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
}

fn is_default(headers: &Headers) -> bool {
    *headers == Headers::default()
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        let body: Option<Value> = serde_json::from_slice(&event.body).ok();
        let malformed = body.is_none().then(|| String::from_utf8_lossy(&event.body).into_owned());
        Self { subject: event.subject.to_string(), headers: event.headers.clone(), event: body, malformed }
    }
}

/// A dead letter. In lists it goes without the event's body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeadLetterView {
    id: String,
    component: String,
    stream: String,
    sequence: u64,
    replay: u32,
    died_at: String,
    cause: DeadLetterCause,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<EventView>,
}

impl DeadLetterView {
    /// Without the event's body.
    pub(super) fn brief(letter: &DeadLetter) -> Self {
        let envelope = letter.event.envelope().ok();
        Self {
            id: letter.id.clone(),
            component: letter.component.clone(),
            stream: letter.stream.clone(),
            sequence: letter.sequence,
            replay: letter.replay,
            died_at: letter.died_at.rfc3339(),
            cause: letter.cause.clone(),
            subject: letter.event.subject.to_string(),
            event_id: envelope.map(|envelope| envelope.event_id.clone()),
            correlation_id: envelope.map(|envelope| envelope.correlation_id.clone()),
            original: None,
        }
    }

    /// All of it.
    pub(super) fn full(letter: &DeadLetter) -> Self {
        Self { original: Some(EventView::from(letter.event.as_ref())), ..Self::brief(letter) }
    }
}

/// A list, and how to go on where there is more.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListView<T> {
    pub(super) items: Vec<T>,
    /// Value of `?before=` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}
