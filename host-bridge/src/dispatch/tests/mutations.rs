//! Damaged events are told from good ones, with the path to the damage.

use super::{delivery, wire_file, worker, worker_limited};
use crate::dispatch::Rejection;
use crate::manifest::Limits;
use serde_json::{Value, json};

const SUBJECT: &str = "order.created";

fn reject(body: Vec<u8>) -> Rejection {
    worker().decode(&delivery(SUBJECT, body)).unwrap_err()
}

#[track_caller]
fn check(change: impl FnOnce(&mut Value), path: &str, reason: &str) {
    let mut event: Value = serde_json::from_slice(&wire_file(SUBJECT)).unwrap();
    change(&mut event);
    let rejection = reject(serde_json::to_vec(&event).unwrap());
    assert_eq!((rejection.path.as_deref(), rejection.reason.as_str()), (Some(path), reason));
}

fn remove(event: &mut Value, pointer: &str, key: &str) {
    event.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key).unwrap();
}

#[test]
fn damaged_payloads() {
    check(
        |e| remove(e, "/eventData/items/1", "productId"),
        "eventData.items[1].productId",
        "missing: expected a string",
    );
    check(|e| remove(e, "/eventData", "currency"), "eventData.currency", "missing: expected a string");
    let quantity = "eventData.items[0].quantity";
    check(|e| e["eventData"]["items"][0]["quantity"] = json!("x"), quantity, "expected an integer ≥ 0, got \"x\"");
    let range = "expected an integer from 0 to 4294967295, got -2";
    check(|e| e["eventData"]["items"][0]["quantity"] = json!(-2), quantity, range);
    check(
        |e| e["eventData"]["orderType"] = json!("drone"),
        "eventData.orderType",
        "expected one of \"delivery\", \"pickup\", got \"drone\"",
    );
    check(
        |e| e["eventData"]["deliveryAddress"]["coordinates"]["lat"] = json!(true),
        "eventData.deliveryAddress.coordinates.lat",
        "expected a number, got true",
    );
    check(|e| e["eventData"] = json!(null), "eventData", "expected an object, got null");
}

#[test]
fn damaged_envelopes() {
    check(|e| remove(e, "", "eventId"), "eventId", "missing: expected a string");
    check(|e| remove(e, "/metadata", "correlationId"), "metadata.correlationId", "missing: expected a string");
    check(|e| e["eventVersion"] = json!("1"), "eventVersion", "expected an integer ≥ 0, got \"1\"");
    check(|e| e["metadata"] = json!([]), "metadata", "expected an object, got an array");
    check(
        |e| e["occurredOn"] = json!("yesterday"),
        "occurredOn",
        "expected a timestamp such as \"2026-01-15T10:30:00.000Z\"",
    );
    check(|e| remove(e, "", "eventData"), "eventData", "missing: expected an object");
}

#[test]
fn what_is_no_text_or_no_json() {
    let body = wire_file(SUBJECT);
    let place = body.windows(5).position(|window| window == b"Picua").unwrap();
    let mut broken = body.clone();
    broken[place] = 0xff;
    let rejection = reject(broken);
    assert_eq!(rejection.path.as_deref(), Some("eventData.items[0].productName"));
    assert!(rejection.reason.contains("invalid unicode"), "{rejection:?}");

    let cut = reject(body[..place].to_vec());
    assert_eq!(cut.path.as_deref(), Some("eventData.items[0].productName"));
    assert!(cut.reason.starts_with("not JSON: EOF while parsing a string at line"), "{cut:?}");
    assert!(reject(vec![]).reason.starts_with("not JSON: EOF"));
    let deep = reject("[".repeat(1_000_000).into_bytes());
    assert_eq!(deep.reason, "expected an object, got an array");
}

#[test]
fn what_is_too_large() {
    let limits = Limits { event_bytes: 500, ..Limits::default() };
    let rejection = worker_limited(limits).decode(&delivery(SUBJECT, wire_file(SUBJECT))).unwrap_err();
    assert!(rejection.reason.ends_with("bytes large, at most 500 are allowed"), "{rejection:?}");
}

#[test]
fn a_subject_the_handler_does_not_know() {
    let rejection = worker().decode(&delivery("order.sung", wire_file(SUBJECT))).unwrap_err();
    assert_eq!(rejection.reason, "the handler knows no event of the subject `order.sung`");
}

#[test]
fn optional_fields_may_be_absent_or_null_and_unknown_ones_present() {
    for change in [json!(null), json!("2026-01-18T10:30:00.000Z")] {
        let mut event: Value = serde_json::from_slice(&wire_file(SUBJECT)).unwrap();
        event["eventData"]["requestedDeliveryDate"] = change;
        event["eventData"]["deliveryAddress"]["floor"] = json!({ "n": [3] });
        event["sagaId"] = json!(null);
        assert!(worker().decode(&delivery(SUBJECT, event.to_string().into_bytes())).is_ok());
    }
}
