//! HTTP writes under the faults of the delivery table.

use super::*;
use crate::aggregate::{Change, Decision, Input, State, execute};
use crate::events::order::{CancellationReason, OrderCancelRequested};
use crate::memory::{Memory, block_on};
use crate::ports::{Ports, StoreError};
use crate::wire;
use serde::{Deserialize, Serialize};
use std::cell::Cell;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Log {
    reasons: Vec<String>,
}

impl State for Log {
    const KIND: &'static str = "log";
    const FORMAT: u32 = 1;
}

/// Takes every cancellation but a third one.
struct Logger;

impl Decider for Logger {
    type State = Log;
    type Facts = ();

    async fn facts<P: Ports>(_ports: &P, _state: &Log, _input: Input<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn decide(state: &Log, _facts: &(), input: Input<'_>) -> Decision<Log> {
        let Event::OrderCancel(request) = input.event else { return Decision::Ignore };
        if state.reasons.len() >= 2 {
            return Change::to(state.clone()).refuse(Refusal::new("full", "two are enough")).decide();
        }
        let mut next = state.clone();
        next.reasons.push(request.saga_id.clone());
        Change::to(next).fact(input.event.clone()).decide()
    }
}

fn event(saga: &str) -> Event {
    Event::OrderCancel(OrderCancelRequested {
        reason: CancellationReason::CustomerRequest,
        cancelled_at: "2026-01-15T10:30:00.000Z".to_owned(),
        saga_id: saga.to_owned(),
        cancelled_by: None,
        refund_required: None,
        refund_amount: None,
        compensation_actions: None,
    })
}

fn post(ports: &Memory, key: Option<&str>, body: &str) -> Response {
    let mut request = Request::post("/", body);
    if let Some(key) = key {
        request = request.with_header("idempotency-key", key);
    }
    let build = async || Ok(Draft { aggregate_id: "a".to_owned(), saga_id: None, event: event(&ports.new_id()) });
    block_on(submit::<Logger, _, _, _>(ports, &request, ANYBODY, build, |answer| match answer {
        Answer::Done(_, state) => Response::json(201, &state.reasons),
        Answer::Refused(refusal, _) => Problem::refused(refusal).into(),
        Answer::Accepted(..) => Response { status: 202, ..Response::default() },
    }))
}

/// Delivers all that was published, as the host does.
fn deliver(ports: &Memory) -> usize {
    let mut outputs = 0;
    for (place, (subject, text)) in ports.published().iter().enumerate() {
        let read = wire::read(subject, text).unwrap();
        let meta = Metadata {
            event_id: read.event_id,
            event_version: 1,
            aggregate_id: read.aggregate_id.clone(),
            aggregate_version: None,
            occurred_at: read.occurred_on,
            correlation_id: read.metadata.correlation_id,
            causation_id: read.metadata.causation_id,
            saga_id: None,
            source: "memory".to_owned(),
            sequence: place as u64 + 1,
            key: read.aggregate_id.clone(),
            attempt: 1,
            delivered_at: ports.now().0,
        };
        outputs += block_on(execute::<Logger, _>(ports, &read.aggregate_id, &meta, &read.event_data)).unwrap().len();
    }
    outputs
}

#[test]
fn a_repeat_with_the_key_is_answered_as_the_first_was() {
    let ports = Memory::default();
    let first = post(&ports, Some("k"), "{}");
    assert_eq!(first.status, 201);
    assert_eq!(post(&ports, Some("k"), "{}"), first);
    assert_eq!(ports.published().len(), 1);
}

#[test]
fn another_body_under_the_same_key_is_refused() {
    let ports = Memory::default();
    post(&ports, Some("k"), "{}");
    let other = post(&ports, Some("k"), r#"{"x":1}"#);
    assert_eq!(other.status, 422);
    assert_eq!(ports.published().len(), 1);
}

#[test]
fn a_record_that_names_no_format_is_continued_and_a_newer_one_is_not() {
    let ports = Memory::default();
    let first = post(&ports, Some("k"), "{}");
    let (key, record) = ports.snapshot().into_iter().find(|(key, _)| key.starts_with("idempotency/")).unwrap();
    let record = String::from_utf8(record).unwrap();
    let with = |format: &str| {
        let value = record.replacen("\"format\":1,", format, 1);
        assert_ne!(value, record);
        block_on(ports.set(&key, value.into_bytes())).unwrap();
    };
    with("");
    assert_eq!(post(&ports, Some("k"), "{}"), first);
    with("\"format\":2,");
    let refused = post(&ports, Some("k"), "{}");
    assert_eq!(refused.status, 500);
    assert!(String::from_utf8_lossy(&refused.body).contains("deploy the newer one"));
    assert_eq!(ports.published().len(), 1);
}

#[test]
fn an_expired_key_starts_anew_with_another_event() {
    let ports = Memory::default();
    post(&ports, Some("k"), "{}");
    ports.advance(KEY_LIFETIME + 1);
    assert_eq!(post(&ports, Some("k"), "{}").status, 201);
    let published = ports.published();
    let id = |place: usize| wire::read(&published[place].0, &published[place].1).unwrap().event_id;
    assert_ne!(id(0), id(1));
}

#[test]
fn a_key_whose_expired_record_is_gone_starts_anew_too() {
    let ports = Memory::default();
    post(&ports, Some("k"), "{}");
    ports.advance(KEY_LIFETIME);
    ports.forget("idempotency/");
    post(&ports, Some("k"), "{}");
    let published = ports.published();
    let ids: Vec<_> = published.iter().map(|(subject, text)| wire::read(subject, text).unwrap().event_id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn without_a_key_every_request_is_its_own() {
    let ports = Memory::default();
    post(&ports, None, "{}");
    post(&ports, None, "{}");
    assert_eq!(ports.published().len(), 2);
    let refused = post(&ports, None, "{}");
    assert_eq!(refused.status, 409);
}

#[test]
fn an_unknown_publishing_is_repeated_with_the_same_id() {
    let ports = Memory::default();
    ports.unknown_publishings.set(1);
    assert_eq!(post(&ports, None, "{}").status, 201);
    assert_eq!(ports.published().len(), 1);
}

#[test]
fn an_unknown_publishing_that_did_not_happen_is_made_good() {
    let ports = Memory::default();
    ports.vanished_publishings.set(1);
    assert_eq!(post(&ports, None, "{}").status, 201);
    assert_eq!((ports.published().len(), ports.vanished_publishings.get()), (1, 0));

    ports.vanished_publishings.set(2);
    assert_eq!(post(&ports, Some("k"), "{}").status, 503);
    assert_eq!(ports.published().len(), 1, "nothing happened");
    assert_eq!(post(&ports, Some("k"), "{}").status, 201, "the retry continues with the stored event");
    assert_eq!((ports.published().len(), deliver(&ports)), (2, 2));
}

#[test]
fn a_lost_bus_is_a_503_and_the_clients_retry_continues_with_the_stored_event() {
    let ports = Memory::default();
    ports.unknown_publishings.set(2);
    let lost = post(&ports, Some("k"), "{}");
    assert_eq!((lost.status, lost.header("retry-after")), (503, Some("1")));
    assert_eq!(deliver(&ports), 1, "it had been published: the delivery decides");
    assert_eq!(post(&ports, Some("k"), "{}").status, 201);
    assert_eq!(ports.published().len(), 1);
    assert_eq!(deliver(&ports), 1, "the redelivery finds the stored outputs");
}

#[test]
fn the_record_is_written_before_anything_is_published() {
    let ports = Memory::default();
    let built = Cell::new(0);
    let request = Request::post("/", "{}").with_header("idempotency-key", "k");
    ports.unknown_swaps.set(1);
    let build = async || {
        built.set(built.get() + 1);
        Ok(Draft { aggregate_id: "a".to_owned(), saga_id: None, event: event("s") })
    };
    let response = block_on(submit::<Logger, _, _, _>(&ports, &request, ANYBODY, build, |_| Response::json(201, &())));
    assert_eq!((response.status, built.get(), ports.published().len()), (201, 1, 1));
}
