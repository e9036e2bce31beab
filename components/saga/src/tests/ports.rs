//! The saga over the ports in memory: deliveries with their inbox, and HTTP.

use super::case::*;
use crate::Saga;
use crate::domain::{MAX_RESENDS, Phase};
use kit::events::order::CancellationReason;
use kit::events::{Event, Output};
use kit::http::{Request, Response};
use kit::memory::{Memory, block_on};
use kit::time::Millis;
use kit::{Failure, Worker, aggregate, json::Value};

const NOW: Millis = Millis(1_768_473_000_000);

fn deliver(memory: &Memory, sequence: u64, from: &str, event: &Event) -> Vec<Output> {
    block_on(Saga::handle(memory, meta(from, sequence, NOW), event.clone())).unwrap()
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn get(memory: &Memory, path: &str) -> Response {
    block_on(Saga::serve(memory, Request::get(path)))
}

fn post(memory: &Memory, path: &str, json: &str) -> Response {
    block_on(Saga::serve(memory, Request::post(path, json)))
}

/// All that a cancelled order comes to.
fn story() -> Vec<(String, Event)> {
    let of = |id: &str, event| (id.to_owned(), event);
    vec![
        of(ORDER, created(&["p1", "p2"])),
        of("p1", reserved("p1")),
        of("p2", reserved("p2")),
        of(&payment(), succeeded()),
        of(ORDER, confirmed()),
        of("p1", sold("p1")),
        of("p2", sold("p2")),
        of(ORDER, cancelled(CancellationReason::CustomerRequest)),
        of("p1", released("p1", 2)),
        of("refund", refunded(5_000)),
        of("p2", released("p2", 2)),
    ]
}

fn state(memory: &Memory) -> crate::domain::Saga {
    block_on(aggregate::read::<crate::domain::Saga, _>(memory, ORDER)).unwrap().unwrap().0
}

#[test]
fn with_empty_inboxes_repeats_change_nothing_and_emit_the_same() {
    let memory = Memory::at(NOW).with_variable("stock_deadline", "100ms");
    let story = story();
    let first: Vec<_> =
        (1..).zip(&story).map(|(sequence, (from, event))| deliver(&memory, sequence, from, event)).collect();
    let end = state(&memory);
    assert_eq!(end.phase, Phase::Failed);
    for (sequence, ((from, event), outputs)) in (100..).zip(story.iter().zip(&first)) {
        memory.empty_inboxes();
        assert_eq!(deliver(&memory, sequence, from, event), *outputs, "{}", event.subject());
        assert_eq!(state(&memory), end, "{}", event.subject());
    }
}

#[test]
fn a_redelivery_gets_the_stored_outcome() {
    let memory = Memory::at(NOW);
    let event = created(&["p1"]);
    let first = deliver(&memory, 1, ORDER, &event);
    let before = memory.snapshot();
    assert_eq!(deliver(&memory, 1, ORDER, &event), first);
    assert_eq!(memory.snapshot(), before);
    memory.unknown_swaps.set(1);
    assert_eq!(deliver(&memory, 2, "p1", &reserved("p1")).len(), 3);
}

#[test]
fn emissions_belong_to_the_saga() {
    let memory = Memory::at(NOW);
    for output in deliver(&memory, 1, ORDER, &created(&["p1"])) {
        let emission = match output {
            Output::Emit(emission) => emission,
            Output::Timer(timer) => timer.emission,
            Output::CancelTimer(_) => continue,
        };
        assert_eq!(emission.saga_id.as_deref(), Some("order-fulfillment-o1"));
    }
}

#[test]
fn events_of_others_are_rejected() {
    let memory = Memory::at(NOW);
    let data = r#"{"previousStatus":"pending","newStatus":"active","reason":"r","changedAt":"2026-01-15T10:30:00.000Z","changedBy":"b","impactedProducts":[]}"#;
    let event = Event::read("artisan.status.changed", data).unwrap();
    let answer = block_on(Saga::handle(&memory, meta("a1", 1, NOW), event));
    assert!(matches!(answer, Err(Failure::Reject(why)) if why.contains("artisan.status.changed")));
}

#[test]
fn a_newer_format_is_refused_clearly() {
    let why = aggregate::parse::<crate::domain::Saga>(br#"{"format":3,"version":1,"state":{}}"#).unwrap_err();
    assert!(why.contains("format 3") && why.contains("up to 2"), "{why}");
}

#[test]
fn a_saga_of_format_1_is_read() {
    let older = r#"{"format":1,"version":3,"state":{"phase":"failed","terms":null,"items":[],"payment":{"state":"unasked",
        "attempt":0},"order":"cancelled","generation":1,"history":[{"at":1,"by":"cancelled","led":[{"drop":{"step":
        "whole"}}]}]}}"#;
    let stored = aggregate::parse::<crate::domain::Saga>(older.as_bytes()).unwrap();
    let expected = crate::domain::Move::Drop { step: kit::events::saga::SagaStep::Whole, generation: 0 };
    assert_eq!(stored.state.history.first().map(|turn| turn.led.as_slice()), Some(&[expected][..]));
}

#[test]
fn a_saga_is_shown_with_its_timeline() {
    let memory = Memory::at(NOW);
    for (sequence, (from, event)) in (1..).zip(story().iter().take(4)) {
        deliver(&memory, sequence, from, event);
    }
    let response = get(&memory, "/api/v1/sagas/o1");
    assert_eq!(response.status, 200);
    let saga = body(&response);
    assert_eq!(saga["state"], "order-confirmation");
    assert_eq!(saga["sagaId"], "order-fulfillment-o1");
    let steps: Vec<_> = saga["steps"].as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap()).collect();
    assert_eq!(steps, ["done", "done", "running"]);
    assert_eq!(saga["items"][0]["stock"], "reserved");
    assert_eq!(saga["payment"]["transactionId"], "txn-1");
    assert_eq!(saga["deadlines"][1]["step"], "order-confirmation");
    assert_eq!(saga["deadlines"][1]["dueAt"], "2026-01-15T10:30:30.000Z");
    let last = &saga["timeline"][3];
    assert_eq!((&last["event"], &last["at"]), (&"payment.succeeded".into(), &"2026-01-15T10:30:00.000Z".into()));
    assert_eq!(last["ledTo"][1]["event"], "order.confirm");
    let products = [0, 1, 2, 3].map(|turn| saga["timeline"][turn]["productId"].as_str());
    assert_eq!(products, [None, Some("p1"), Some("p2"), None]);
}

#[test]
fn what_is_still_to_be_undone_is_shown() {
    let memory = Memory::at(NOW);
    for (sequence, (from, event)) in (1..).zip(story().iter().take(9)) {
        deliver(&memory, sequence, from, event);
    }
    let saga = body(&get(&memory, "/api/v1/sagas/o1"));
    assert_eq!((&saga["state"], &saga["reason"]), (&"compensating".into(), &"customer-request".into()));
    let outstanding = saga["compensations"]["outstanding"].as_array().unwrap();
    let events: Vec<_> = outstanding.iter().map(|command| command["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["inventory.stock.release", "payment.refund"]);
    assert_eq!(saga["steps"][2]["status"], "compensating");
}

#[test]
fn unknown_sagas_and_routes_are_problems() {
    let memory = Memory::at(NOW);
    for (response, status) in [
        (get(&memory, "/api/v1/sagas/o9"), 404),
        (get(&memory, "/api/v1/sagas/o%2F9"), 422),
        (get(&memory, "/api/v1/nothing"), 404),
        (post(&memory, "/api/v1/sagas/o9", "{}"), 405),
        (get(&memory, "/api/v1/sagas/o9/resolve"), 405),
        (post(&memory, "/api/v1/sagas/o9/resolve", "{}"), 404),
    ] {
        assert_eq!(response.status, status, "{}", String::from_utf8_lossy(&response.body));
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
    }
}

/// A saga that waits in vain for everything.
fn stuck() -> Memory {
    let memory = Memory::at(NOW);
    deliver(&memory, 1, ORDER, &created(&["p1"]));
    deliver(&memory, 2, ORDER, &cancelled(CancellationReason::CustomerRequest));
    for sequence in 3..4 + u64::from(MAX_RESENDS) {
        let deadline = state(&memory).deadlines.first().copied().unwrap();
        deliver(&memory, sequence, ORDER, &timeout(deadline.step, deadline.generation));
    }
    assert_eq!(state(&memory).phase, Phase::Stuck);
    memory
}

/// Lets the saga hear its own last word, whatever that was.
fn hear(memory: &Memory, sequence: u64, event: Event) {
    assert_eq!(deliver(memory, sequence, ORDER, &event), []);
}

fn is_stuck() -> Event {
    let data = r#"{"orderId":"o1","sagaId":"s","reason":"customer-request","outstanding":["payment.refund"],
        "stuckAt":"2026-01-15T10:30:00.000Z"}"#;
    Event::read("saga.stuck", data).unwrap()
}

#[test]
fn stuck_sagas_are_listed_until_they_recover() {
    let memory = stuck();
    let list = "/api/v1/sagas?state=stuck";
    assert_eq!(body(&get(&memory, list))["total"], 0, "it has not heard of itself yet");
    hear(&memory, 20, is_stuck());
    let page = body(&get(&memory, list));
    assert_eq!((&page["total"], &page["items"][0]["orderId"]), (&1.into(), &"o1".into()));
    assert_eq!(page["items"][0]["stuckSince"], "2026-01-15T10:30:00.000Z");
    assert_eq!(page["items"][0]["outstanding"][0]["event"], "inventory.stock.release");
    assert_eq!(body(&get(&memory, &format!("{list}&page=2")))["items"], Value::Array(Vec::new()));

    let before = memory.snapshot();
    hear(&memory, 21, is_stuck());
    assert_eq!(memory.snapshot(), before, "a copy writes nothing");

    deliver(&memory, 22, "p1", &released("p1", 2));
    assert_eq!(state(&memory).phase, Phase::Failed);
    // A late copy says what was true once; the list says what is.
    hear(&memory, 23, is_stuck());
    assert_eq!(body(&get(&memory, list))["total"], 0);
    for query in ["", "?state=completed"] {
        let problem = get(&memory, &format!("/api/v1/sagas{query}"));
        assert_eq!((problem.status, &body(&problem)["errors"][0]["field"]), (422, &"state".into()));
    }
}

#[test]
fn a_stuck_saga_is_retried_over_http() {
    let memory = stuck();
    let body_text = r#"{"resolution":"retry","resolvedBy":"ana","notes":"inventory is back"}"#;
    let response = post(&memory, "/api/v1/sagas/o1/resolve", body_text);
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    assert_eq!(body(&response)["state"], "compensating");
    assert_eq!(body(&response)["resolution"]["resolvedBy"], "ana");
    // The delivery lets the commands out, once and again.
    let (subject, wire) = memory.published().pop().unwrap();
    let wire = kit::wire::read(&subject, &wire).unwrap();
    let mut own = meta(ORDER, 1, NOW);
    own.event_id = wire.event_id;
    own.source = "memory".to_owned();
    let outputs = block_on(Saga::handle(&memory, own.clone(), wire.event_data.clone())).unwrap();
    assert!(matches!(outputs.first(), Some(Output::Emit(emission)) if emission.aggregate_id == "p1"));
    memory.empty_inboxes();
    own.sequence = 9;
    assert_eq!(block_on(Saga::handle(&memory, own, wire.event_data)).unwrap(), outputs);
}

#[test]
fn only_stuck_sagas_are_resolved_and_bodies_are_checked() {
    let memory = stuck();
    let path = "/api/v1/sagas/o1/resolve";
    for (text, field) in [
        (r#"{"resolution":"forget","resolvedBy":"ana"}"#, "resolution"),
        (r#"{"resolution":"retry","resolvedBy":" "}"#, "resolvedBy"),
        (r#"{"resolution":"retry","resolvedBy":"ana","force":true}"#, "force"),
    ] {
        let response = post(&memory, path, text);
        assert_eq!((response.status, &body(&response)["errors"][0]["field"]), (422, &field.into()), "{text}");
    }
    assert_eq!(post(&memory, path, r#"{"resolution":"resolve","resolvedBy":"ana"}"#).status, 200);
    let again = post(&memory, path, r#"{"resolution":"resolve","resolvedBy":"ana"}"#);
    assert_eq!((again.status, &body(&again)["code"]), (409, &"saga-not-stuck".into()));
}

#[test]
fn the_manifest_says_how_long_each_step_waits() {
    let memory = || {
        let variables = [
            ("stock_deadline", "11s"),
            ("saga_deadline", "100s"),
            ("payment_deadline", "22s"),
            ("payment_retry_delay", "4s"),
            ("confirmation_deadline", "33s"),
            ("compensation_deadline", "55s"),
        ];
        variables.iter().fold(Memory::at(NOW), |memory, (name, value)| memory.with_variable(name, value))
    };
    let waits = |outputs: Vec<Output>| -> Vec<(String, u64)> {
        let timer = |output: &Output| match output {
            Output::Timer(timer) => Some((timer.name.split('/').next()?.to_owned(), (timer.fire_at - NOW.0) / 1_000)),
            _ => None,
        };
        outputs.iter().filter_map(timer).collect()
    };
    let wait = |name: &str, seconds| (name.to_owned(), seconds);
    let tells = |memory: &Memory, sequence, from: &str, event| waits(deliver(memory, sequence, from, &event));

    let confirmed = memory();
    let begun = tells(&confirmed, 1, ORDER, created(&["p1"]));
    assert!(begun.contains(&wait("stock-check", 11)) && begun.contains(&wait("whole", 100)), "{begun:?}");
    assert_eq!(tells(&confirmed, 2, "p1", reserved("p1")), [wait("payment-processing", 22)]);
    assert_eq!(tells(&confirmed, 3, &payment(), failed(1, true)), [wait("payment-retry", 4)]);

    let taken = memory();
    deliver(&taken, 1, ORDER, &created(&["p1"]));
    deliver(&taken, 2, "p1", &reserved("p1"));
    assert_eq!(tells(&taken, 3, &payment(), succeeded()), [wait("order-confirmation", 33)]);

    let refused = memory();
    deliver(&refused, 1, ORDER, &created(&["p1"]));
    deliver(&refused, 2, "p1", &reserved("p1"));
    assert_eq!(tells(&refused, 3, &payment(), failed(1, false)), [wait("compensation", 55)]);
}
