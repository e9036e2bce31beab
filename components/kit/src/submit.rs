//! HTTP writes, event first: check and build the event, publish it, apply it here, answer from the outcome.
//!
//! The component subscribes to its own event; that delivery finds what was applied and lets its outputs out. So there
//! is one write path, no outbox and no sweeper.

use crate::aggregate::{Decider, LocalAnswer, apply_locally};
use crate::events::{Event, Failure, Metadata};
use crate::http::{Problem, Request, Response};
use crate::inbox::{Outcome, Refusal};
use crate::ports::{Ports, PublishError, Receipt};
use crate::time::DAY;
use crate::wire::{WireEvent, WireMetadata};

mod record;

use record::{Claim, Scope};

/// How long a repeat with the same `Idempotency-Key` is answered as the first was, in milliseconds.
pub const KEY_LIFETIME: u64 = DAY;
/// Longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// The event that a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The aggregate it is of.
    pub aggregate_id: String,
    /// The saga it belongs to.
    pub saga_id: Option<String>,
    /// The event.
    pub event: Event,
}

/// What came of the event, for the answer.
#[derive(Debug)]
pub enum Answer<'a, S> {
    /// It is done; this is the state after it.
    Done(&'a Event, S),
    /// A business no.
    Refused(&'a Refusal, S),
    /// It is published and will be done; this is the state before it.
    Accepted(&'a Event, S),
}

/// Nobody can tell who asks.
pub const ANYBODY: &str = "-";

/// Runs an HTTP write. `build` checks and drafts the event (reads only); `answer` tells the client what came of it. An
/// `Idempotency-Key` is the `caller`'s own, for requests to this very path.
pub async fn submit<D, P, B, A>(ports: &P, request: &Request, caller: &str, build: B, answer: A) -> Response
where
    D: Decider,
    P: Ports,
    B: AsyncFnOnce() -> Result<Draft, Problem>,
    A: Fn(Answer<'_, D::State>) -> Response,
{
    match run::<D, P, B, A>(ports, request, caller, build, answer).await {
        Ok(response) => response,
        Err(problem) => problem.into(),
    }
}

async fn run<D, P, B, A>(ports: &P, request: &Request, caller: &str, build: B, answer: A) -> Result<Response, Problem>
where
    D: Decider,
    P: Ports,
    B: AsyncFnOnce() -> Result<Draft, Problem>,
    A: Fn(Answer<'_, D::State>) -> Response,
{
    let key = match request.header("idempotency-key") {
        Some(key) if key.is_empty() || key.len() > MAX_KEY => {
            return Err(Problem::invalid_field("Idempotency-Key", format!("expected 1 to {MAX_KEY} bytes")));
        }
        key => key,
    };
    let (wire, record) = match key {
        None => (envelope(ports, request, build().await?, &ports.new_id()), None),
        Some(key) => match record::claim(ports, Scope { request, caller, key }, build).await? {
            Claim::Answered(response) => return Ok(response),
            Claim::Continue(record) => (record.event.clone(), Some(record)),
        },
    };
    let receipt = publish(ports, &wire).await?;
    let response = apply::<D, P, A>(ports, &wire, receipt, answer).await?;
    if let Some(record) = record {
        record::keep_response(ports, record, &response).await?;
    }
    Ok(response)
}

fn envelope<P: Ports>(ports: &P, request: &Request, draft: Draft, event_id: &str) -> WireEvent<Event> {
    let now = ports.now().rfc3339();
    let correlation_id = request.header("x-correlation-id").map_or_else(|| event_id.to_owned(), str::to_owned);
    WireEvent {
        event_id: event_id.to_owned(),
        event_type: draft.event.event_type().to_owned(),
        aggregate_id: draft.aggregate_id,
        event_version: 1,
        occurred_on: now.clone(),
        event_data: draft.event,
        saga_id: draft.saga_id,
        metadata: WireMetadata {
            published_at: now,
            version: "1.0".to_owned(),
            causation_id: correlation_id.clone(),
            correlation_id,
        },
    }
}

/// Publishes; where the outcome is unknown once more with the same id, then gives up.
async fn publish<P: Ports>(ports: &P, wire: &WireEvent<Event>) -> Result<Receipt, Problem> {
    let text = crate::wire::write(wire).map_err(|error| Problem::internal(&error.to_string()))?;
    let subject = wire.event_data.subject();
    let first = ports.publish(subject, text.clone()).await;
    let last = match first {
        Err(PublishError::Unavailable(_)) => ports.publish(subject, text).await,
        other => other,
    };
    last.map_err(|error| match error {
        PublishError::Refused(why) => Problem::internal(&format!("the event was not taken: {why}")),
        PublishError::Unavailable(why) => Problem::unavailable(format!("the event could not be published: {why}")),
    })
}

async fn apply<D, P, A>(ports: &P, wire: &WireEvent<Event>, receipt: Receipt, answer: A) -> Result<Response, Problem>
where
    D: Decider,
    P: Ports,
    A: Fn(Answer<'_, D::State>) -> Response,
{
    let meta = Metadata {
        event_id: wire.event_id.clone(),
        event_version: wire.event_version,
        aggregate_id: wire.aggregate_id.clone(),
        aggregate_version: None,
        occurred_at: wire.occurred_on.clone(),
        correlation_id: wire.metadata.correlation_id.clone(),
        causation_id: wire.metadata.causation_id.clone(),
        saga_id: wire.saga_id.clone(),
        source: receipt.source,
        sequence: receipt.sequence,
        key: wire.aggregate_id.clone(),
        attempt: 1,
        delivered_at: ports.now().0,
    };
    let event = &wire.event_data;
    match apply_locally::<D, P>(ports, &wire.aggregate_id, &meta, event).await {
        Ok(LocalAnswer::Outcome(Outcome::Refused(refusal, _), state)) => Ok(answer(Answer::Refused(&refusal, state))),
        Ok(LocalAnswer::Outcome(Outcome::Done(_), state) | LocalAnswer::Late(state)) => {
            Ok(answer(Answer::Done(event, state)))
        }
        Ok(LocalAnswer::Accepted(state)) => Ok(answer(Answer::Accepted(event, state))),
        Err(Failure::Reject(why)) => Err(Problem::internal(&why)),
        // It is published: the delivery will do it. The client may ask again.
        Err(Failure::Retry(retry)) => Err(Problem::unavailable(retry.reason)),
    }
}

#[cfg(test)]
mod tests;
