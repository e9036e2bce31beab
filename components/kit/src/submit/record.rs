//! The record behind an `Idempotency-Key`: the complete event, written before it is published, and later the answer.

use super::{Draft, KEY_LIFETIME, envelope};
use crate::events::Event;
use crate::http::{Problem, Request, Response};
use crate::ids::derived;
use crate::keys;
use crate::ports::{Entry, Ports, SwapError};
use crate::time::Millis;
use crate::wire::{self, WireEvent};
use serde::{Deserialize, Serialize};

/// Schema of a record. Raise it with every incompatible change.
const FORMAT: u32 = 1;

/// Whose key this is, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// Its method and path are the route: one path, one thing to be changed.
    pub(super) request: &'a Request,
    pub(super) caller: &'a str,
    pub(super) key: &'a str,
}

impl Scope<'_> {
    fn ids(&self) -> [String; 3] {
        let route = format!("{} /{}", self.request.method, self.request.segments().join("/"));
        [route, self.caller.to_owned(), self.key.to_owned()]
    }
}

/// A record that holds.
#[derive(Debug)]
pub(super) struct Record {
    key: String,
    pub(super) event: WireEvent<Event>,
    stored: Stored,
}

/// What a request finds under its key.
#[derive(Debug)]
pub(super) enum Claim {
    /// It was answered before.
    Answered(Response),
    /// Publish this event; it may be published already.
    Continue(Box<Record>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    /// Schema of this struct; 0 in records that were stored before they named it, which was that of 1.
    #[serde(default)]
    format: u32,
    body_hash: String,
    /// Which use of the key this is; part of the event's id. It is the count of lifetimes since the epoch: the next use
    /// comes a lifetime later at least, so it has another, though nothing be left of this record by then.
    generation: u64,
    expires_at: Millis,
    subject: String,
    /// The event's wire JSON; empty once there is an answer, since it is not published again then.
    event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<StoredAnswer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Takes the key: finds its record, or builds the event and creates it.
pub(super) async fn claim<P: Ports, B: AsyncFnOnce() -> Result<Draft, Problem>>(
    ports: &P,
    scope: Scope<'_>,
    build: B,
) -> Result<Claim, Problem> {
    let request = scope.request;
    let [route, caller, idempotency_key] = scope.ids();
    let key = keys::key("idempotency", &[&route, &caller, &idempotency_key]);
    let body_hash = derived("body", &[&String::from_utf8_lossy(&request.body)]);
    let entry = ports.read(&key).await?;
    if let Some(stored) = held(ports, &key, &entry)? {
        return resume(key, stored, &body_hash);
    }
    let generation = ports.now().0 / KEY_LIFETIME;
    let draft = build().await?;
    let event_id = derived("request", &[&route, &caller, &idempotency_key, &generation.to_string()]);
    let event = envelope(ports, request, draft, &event_id);
    let stored = Stored {
        format: FORMAT,
        body_hash: body_hash.clone(),
        generation,
        expires_at: ports.now().plus(KEY_LIFETIME),
        subject: event.event_data.subject().to_owned(),
        event: wire::write(&event).map_err(|error| Problem::internal(&error.to_string()))?,
        answer: None,
    };
    create(ports, entry, Record { key, event, stored }).await
}

/// Creates the record in place of what was read; where another request was first, continues with its event.
async fn create<P: Ports>(ports: &P, mut entry: Entry<P::Token>, record: Record) -> Result<Claim, Problem> {
    loop {
        match ports.swap(entry.token, bytes_of(&record.stored)?).await {
            Ok(()) => return Ok(Claim::Continue(Box::new(record))),
            Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
        }
        entry = ports.read(&record.key).await?;
        if let Some(there) = held(ports, &record.key, &entry)? {
            return resume(record.key, there, &record.stored.body_hash);
        }
    }
}

/// The record that holds at present, where there is one.
fn held<P: Ports>(ports: &P, key: &str, entry: &Entry<P::Token>) -> Result<Option<Stored>, Problem> {
    let stored = entry.value.as_ref().map(|bytes| parse(key, bytes)).transpose()?;
    Ok(stored.filter(|stored| stored.expires_at > ports.now()))
}

fn resume(key: String, stored: Stored, body_hash: &str) -> Result<Claim, Problem> {
    if stored.body_hash != body_hash {
        let why = "this key was used with another body: send the same body again, or take a new key";
        return Err(Problem::invalid_field("Idempotency-Key", why));
    }
    if let Some(answer) = stored.answer {
        let StoredAnswer { status, headers, body } = answer;
        return Ok(Claim::Answered(Response { status, headers, body: body.into_bytes() }));
    }
    let event = wire::read(&stored.subject, &stored.event).map_err(|error| Problem::internal(&error.to_string()))?;
    Ok(Claim::Continue(Box::new(Record { key, event, stored })))
}

/// Keeps the answer, so that a repeat gets it and publishes nothing. What may still change is not kept.
pub(super) async fn keep_response<P: Ports>(
    ports: &P,
    record: Box<Record>,
    response: &Response,
) -> Result<(), Problem> {
    if response.status == 202 || response.status >= 500 {
        return Ok(());
    }
    let answer = StoredAnswer {
        status: response.status,
        headers: response.headers.clone(),
        body: String::from_utf8_lossy(&response.body).into_owned(),
    };
    let stored = Stored { answer: Some(answer), event: String::new(), ..record.stored };
    ports.set(&record.key, bytes_of(&stored)?).await.map_err(Problem::from)
}

fn parse(key: &str, bytes: &[u8]) -> Result<Stored, Problem> {
    let stored: Stored = crate::json::from_slice(bytes)
        .map_err(|error| Problem::internal(&format!("the record {key} is malformed: {error}")))?;
    if stored.format > FORMAT {
        let found = stored.format;
        let known = format!("this component knows up to {FORMAT}: deploy the newer one");
        return Err(Problem::internal(&format!("the record {key} has format {found}, {known}")));
    }
    Ok(stored)
}

fn bytes_of(stored: &Stored) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(stored).map_err(|error| Problem::internal(&error.to_string()))
}
