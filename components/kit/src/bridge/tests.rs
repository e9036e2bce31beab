//! Deliveries of a bridge: who gets in, and how a handler's answer looks. What is read of an event: `tests/bridge`.

use super::*;
use crate::aggregate::retry;
use crate::events::{Emission, Event, Failure, Output, Retry, Timer};
use crate::memory::{Memory, block_on};
use crate::time::Millis;
use crate::token::{SigningKey, sign};
use serde_json::{Value, json};

const KEYS_OF_A_TEST: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const NOW: Millis = Millis(1_769_904_000_000);

/// Answers as the event's aggregate says.
struct Obedient;

impl Worker for Obedient {
    const COMPONENT: &'static str = "obedient";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        let emission =
            Emission { aggregate_id: meta.key, aggregate_version: Some(3), saga_id: None, event: event.clone() };
        match meta.aggregate_id.as_str() {
            "retry" => Err(Failure::Retry(Retry { after: Some(250), reason: "busy".to_owned() })),
            "reject" => Err(Failure::Reject("never".to_owned())),
            "nothing" => Ok(Vec::new()),
            "read" => ports.get("k").await.map(|_| Vec::new()).map_err(retry),
            "read again" => Ok(ports.get("k").await.map_or_else(|_| Vec::new(), |_| Vec::new())),
            _ => Ok(vec![
                Output::Emit(emission.clone()),
                Output::Timer(Timer { name: "late".to_owned(), fire_at: 7, emission }),
                Output::CancelTimer("early".to_owned()),
            ]),
        }
    }
}

fn ports() -> Memory {
    Memory::at(NOW).with_variable(KEYS, KEYS_OF_A_TEST)
}

fn request(aggregate_id: &str) -> Request {
    let body = json!({
        "eventId": "e", "eventType": "OrderConfirmRequestedEvent", "aggregateId": aggregate_id, "eventVersion": 1,
        "occurredOn": "2026-02-01T00:00:00.000Z",
        "eventData": { "paymentReference": "p", "confirmedAt": "2026-02-01T00:00:00.000Z", "sagaId": "s" },
        "metadata": { "publishedAt": "", "correlationId": "c", "causationId": "x" },
    });
    let token = sign(&SigningKey::read(KEYS_OF_A_TEST).unwrap(), BRIDGE, "obedient", NOW);
    [
        ("authorization", token.as_str()),
        ("a4co-subject", "order.confirm"),
        ("a4co-source", "obedient/ORDERS#1"),
        ("a4co-sequence", "42"),
        ("a4co-key", "%C3%9Abeda"),
        ("a4co-attempt", "1"),
        ("a4co-delivered-at", "5"),
    ]
    .into_iter()
    .fold(Request::post("/events/obedient", body.to_string()), |request, (name, value)| {
        request.with_header(name, value)
    })
}

fn delivered(ports: &Memory, request: &Request) -> (u16, Value) {
    let response = block_on(deliver::<Obedient, _>(ports, request));
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

#[test]
fn verdicts_and_outputs_are_answered() {
    let (status, answer) = delivered(&ports(), &request("a"));
    assert_eq!(status, 200, "{answer}");
    let emission = json!({
        "subject": "order.confirm", "eventType": "OrderConfirmRequestedEvent", "aggregateId": "Úbeda",
        "aggregateVersion": 3, "eventData": event_data(),
    });
    let outputs = json!([
        { "emit": emission },
        { "timer": { "name": "late", "fireAt": 7, "emission": emission } },
        { "cancelTimer": "early" },
    ]);
    assert_eq!(answer, json!({ "verdict": "ok", "outputs": outputs }));
    assert_eq!(delivered(&ports(), &request("nothing")).1, json!({ "verdict": "ok", "outputs": [] }));
    let retry = json!({ "verdict": "retry", "after": 250, "reason": "busy" });
    assert_eq!(delivered(&ports(), &request("retry")).1, retry);
    assert_eq!(delivered(&ports(), &request("reject")).1, json!({ "verdict": "reject", "reason": "never" }));
}

fn event_data() -> Value {
    json!({ "paymentReference": "p", "confirmedAt": "2026-02-01T00:00:00.000Z", "sagaId": "s" })
}

#[test]
fn a_handler_whose_store_is_away_has_not_failed() {
    let ports = ports();
    let answered = |unanswered, aggregate| {
        ports.unanswered_reads.set(unanswered);
        let (status, answer) = delivered(&ports, &request(aggregate));
        assert_eq!(ports.unanswered_reads.get(), 0, "the fault was met");
        (status, answer)
    };
    let (status, problem) = answered(2, "read");
    assert_eq!((status, problem["code"].as_str()), (503, Some("unavailable")), "{problem}");
    // It answers something harmless: this event may be what it does not take.
    let retry = json!({ "verdict": "retry", "reason": "no answer" });
    assert_eq!(answered(1, "read"), (200, retry));
    // One that coped is done, and leaves nothing to the next.
    assert_eq!(answered(1, "read again").1["verdict"], "ok");
    assert_eq!(answered(0, "retry").1["reason"], "busy");
}

#[test]
fn what_cannot_be_read_is_rejected_with_its_path() {
    let mut damaged = request("a");
    damaged.body = String::from_utf8(damaged.body).unwrap().replace("\"s\"", "7").into_bytes();
    let expected = json!({ "verdict": "reject", "reason": "expected a string, got 7", "path": "eventData.sagaId" });
    assert_eq!(delivered(&ports(), &damaged), (200, expected));
}

#[test]
fn nobody_gets_in_without_a_token_or_before_keys_are_set() {
    let mut unsigned = request("a");
    unsigned.headers.retain(|(name, _)| name != "authorization");
    assert_eq!(delivered(&ports(), &unsigned).0, 401);
    assert_eq!(delivered(&Memory::at(NOW), &request("a")).0, 401);
    assert_eq!(delivered(&Memory::at(NOW).with_variable(KEYS, "{}"), &request("a")).0, 401);
    let late = ports();
    late.advance(120_000);
    assert_eq!(delivered(&late, &request("a")).0, 401);
}

#[test]
fn a_request_that_is_no_delivery_is_a_problem() {
    let mut get = request("a");
    get.method = "GET".to_owned();
    assert_eq!(delivered(&ports(), &get).0, 405);
    for name in ["a4co-subject", "a4co-source", "a4co-sequence", "a4co-key", "a4co-attempt", "a4co-delivered-at"] {
        let mut without = request("a");
        without.headers.retain(|(there, _)| there != name);
        let (status, problem) = delivered(&ports(), &without);
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid-delivery")), "{name}");
    }
    assert!(is_delivery::<Obedient>(&request("a")));
    assert!(!is_delivery::<Obedient>(&Request::post("/events/other", "")));
}
