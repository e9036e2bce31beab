//! What a handler returns, and what becomes of it.

use super::{
    NOW, case, component, delivery, emission, marketplace, option, record, returned, text, wire_file, worker,
    worker_limited,
};
use crate::clock::Millis;
use crate::dispatch::{Delivery, Effect, HandlerPlan, Rejection, Verdict};
use crate::event::Event;
use crate::manifest::Limits;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

fn cause() -> Delivery {
    delivery("order.created", wire_file("order.created"))
}

fn unavailable() -> Val {
    let payload =
        record([("order-id", text("o1")), ("quantity-requested", Val::U32(2)), ("available-stock", Val::U32(0))]);
    case("inventory-stock-unavailable", payload)
}

fn emit(aggregate: &str) -> Val {
    case("emit", emission(aggregate, unavailable()))
}

fn events(verdict: Verdict) -> Vec<Arc<Event>> {
    let Verdict::Done(effects) = verdict else { panic!("{verdict:?}") };
    let publish = |effect| if let Effect::Publish(event) = effect { event } else { panic!("{effect:?}") };
    effects.into_iter().map(publish).collect()
}

fn ids(verdict: Verdict) -> Vec<String> {
    events(verdict).iter().map(|event| event.id().unwrap().to_owned()).collect()
}

#[track_caller]
fn broken(verdict: &Verdict, expected: &str) {
    let Verdict::Broken { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn an_emission_carries_on_what_caused_it() {
    let events = events(worker().outcome(&returned(vec![emit("p\"1")]), &cause(), NOW));
    let event = events.first().unwrap();
    let envelope = event.envelope().unwrap();
    assert_eq!(event.subject.as_str(), "inventory.stock.unavailable");
    assert_eq!(envelope.event_type, "StockUnavailableEvent");
    assert_eq!(envelope.aggregate_id, "p\"1");
    assert_eq!(envelope.correlation_id, "0197c3a1-7e00-7000-8000-0000000000aa");
    assert_eq!(envelope.causation_id, "0197c3a1-7f00-7000-8000-000000000001");
    assert_eq!(event.headers.aggregate_version, Some(8));
    assert_eq!(event.headers.traceparent, cause().event.headers.traceparent);
    assert_eq!(event.data(), Some(&br#"{"orderId":"o1","quantityRequested":2,"availableStock":0}"#[..]));
}

#[test]
fn ids_are_the_same_again_and_no_others() {
    let worker = worker();
    let two = returned(vec![emit("p1"), emit("p1")]);
    let first = ids(worker.outcome(&two, &cause(), NOW));
    let later = Delivery { attempt: 5, sequence: 99, delivered_at: Millis(NOW.0 + 9), ..cause() };
    assert_eq!(first, ids(worker.outcome(&two, &later, Millis(NOW.0 + 10))));
    assert_ne!(first.first(), first.last());
    let other_key = Delivery { key: "key-2".into(), ..cause() };
    assert_ne!(first, ids(worker.outcome(&two, &other_key, NOW)));
    let other_cause = delivery("order.confirmed", wire_file("order.confirmed"));
    assert_ne!(first, ids(worker.outcome(&two, &other_cause, NOW)));
    // A change of the derivation would emit everything that is redelivered across an upgrade a second time.
    assert_eq!(first, ["21f10dbd-8002-505e-946b-09ceab5644b1", "1603a155-31cf-5ac4-9522-6566ed9f4674"]);
}

#[test]
fn timers_are_set_with_the_event_they_publish_and_cancelled_by_name() {
    let timer = |fire_at| {
        let timer = record([
            ("name", text("stock")),
            ("fire-at", Val::U64(fire_at)),
            ("emission", emission("p1", unavailable())),
        ]);
        case("timer", timer)
    };
    let outputs = vec![timer(NOW.0 + 30_000), timer(0), case("cancel-timer", text("whole"))];
    let Verdict::Done(effects) = worker().outcome(&returned(outputs), &cause(), NOW) else { panic!() };
    let [Effect::SetTimer(later), Effect::SetTimer(overdue), Effect::CancelTimer { aggregate, name }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((later.aggregate.as_str(), later.name.as_str()), ("key-1", "stock"));
    assert_eq!(later.cause, "0197c3a1-7f00-7000-8000-000000000001");
    assert_eq!((later.set_at, later.fire_at), (NOW, Millis(NOW.0 + 30_000)));
    assert_eq!(later.event.envelope().unwrap().occurred_on, "2026-02-01T00:00:30.000Z");
    assert_eq!(overdue.event.envelope().unwrap().occurred_on, "2026-02-01T00:00:00.000Z");
    assert_ne!(later.event.id(), overdue.event.id());
    assert_eq!((aggregate.as_str(), name.as_str()), ("key-1", "whole"));
}

#[test]
fn failures_are_verdicts() {
    let failed = |failure| worker().outcome(&[Val::Result(Err(Some(Box::new(failure))))], &cause(), NOW);
    let retry = |after| case("retry", record([("after", option(after)), ("reason", text("busy\n"))]));
    let Verdict::Retry { after, reason } = failed(retry(Some(Val::U64(250)))) else { panic!() };
    assert_eq!((after, reason.as_str()), (Some(Duration::from_millis(250)), "busy "));
    assert!(matches!(failed(retry(None)), Verdict::Retry { after: None, .. }));
    let Verdict::Reject(rejection) = failed(case("reject", text("never"))) else { panic!() };
    assert_eq!(rejection, Rejection { reason: "never".into(), path: None });
}

#[test]
fn an_event_not_granted_is_a_defect() {
    let (resolve, world) = marketplace();
    let component = component(&[("order.created", "aggregateId")], &["order.>"]);
    let plan = HandlerPlan::compile(&resolve, world, &component).unwrap().unwrap();
    let verdict = plan.outcome(&returned(vec![emit("p1")]), &cause(), NOW);
    broken(
        &verdict,
        "`inventory.stock.unavailable`, which it may not publish: add it to component.worker.tool.events.publish",
    );
}

#[test]
fn limits_hold() {
    let worker = worker_limited(Limits { emissions: 2, event_bytes: 2_000, ..Limits::default() });
    let many = worker.outcome(&returned(vec![emit("p"), emit("p"), emit("p")]), &cause(), NOW);
    broken(&many, "returned 3 outputs, at most 2 are allowed");
    let payload = record([
        ("order-id", text(&"x".repeat(100_000_000))),
        ("quantity-requested", Val::U32(2)),
        ("available-stock", Val::U32(0)),
    ]);
    let large = case("emit", emission("p", case("inventory-stock-unavailable", payload)));
    let large = worker.outcome(&returned(vec![large]), &cause(), NOW);
    broken(&large, "invalid `inventory.stock.unavailable`: eventData.orderId: larger than the limit of 2000 bytes");
}

#[test]
fn hostile_names_are_refused() {
    let worker = worker();
    for (name, expected) in [("", "is empty"), ("a\r\nb", "control character"), (&"a".repeat(300), "300 bytes long")] {
        broken(&worker.outcome(&returned(vec![emit(name)]), &cause(), NOW), expected);
        let cancel = case("cancel-timer", text(name));
        broken(&worker.outcome(&returned(vec![cancel]), &cause(), NOW), expected);
    }
}

#[test]
fn results_of_another_type_are_said_to_be() {
    for results in [vec![], vec![Val::Bool(true)], returned(vec![Val::U8(1)]).to_vec()] {
        broken(&worker().outcome(&results, &cause(), NOW), "of another type than its WIT declares");
    }
}
