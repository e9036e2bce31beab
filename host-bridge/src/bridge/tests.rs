//! Deliveries against small targets: each answer, and each way to have none, is the verdict it should be.

use super::Deliveries;
use crate::clock::{Clock, Millis, SystemClock};
use crate::dispatch::{Delivery, Dispatch as _, Effect, Verdict};
use crate::event::{Event, Headers};
use crate::manifest::{self, Application, Given};
use crate::observe::Unobserved;
use crate::subject::Subject;
use crate::tokens::{BRIDGE, KeySet, Signer, Trusted};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending, ready};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "small"
[application.tool.events.streams]
YARD = { subjects = ["yard.>"] }
[[trigger.http]]
route = "/events/worker"
component = "worker"
[component.worker]
source = "worker.wasm"
[component.worker.tool.events]
subscribe = [{ subject = "yard.*", key = "aggregateId" }]
publish = ["yard.>"]
handler_timeout = "300ms"
"#;

fn application() -> Application {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, MANIFEST).unwrap();
    manifest::load(&path, &Given::new(BTreeMap::new())).unwrap()
}

fn delivery() -> Delivery {
    let body = r#"{"eventId":"e1","eventType":"BarkEvent","aggregateId":"a 1","eventVersion":1,"occurredOn":"2026-02-01T00:00:00.000Z","eventData":{},"metadata":{"publishedAt":"","correlationId":"c1","causationId":"x"}}"#;
    let headers = Headers { aggregate_version: Some(7), traceparent: Some("00-ab".to_owned()) };
    Delivery {
        event: Arc::new(Event::new(Subject::new("yard.bark").unwrap(), body.into(), headers)),
        source: "worker/YARD#1".into(),
        sequence: 42,
        key: "a 1".into(),
        attempt: 2,
        delivered_at: Millis(5),
    }
}

fn deliveries(target: &str, keys: &KeySet) -> Deliveries {
    let signer = Arc::new(Signer::new(BRIDGE, keys).unwrap());
    Deliveries::new(&application(), target, signer, Arc::new(SystemClock::default()), Arc::new(Unobserved)).unwrap()
}

type Said = (StatusCode, String);

/// The verdict that a target comes to which answers signed deliveries by `answer`, and others by a 401.
async fn verdict(
    answer: impl Fn(HeaderMap, Bytes) -> BoxFuture<'static, Said> + Clone + Send + Sync + 'static,
) -> Verdict {
    let handler = async move |headers: HeaderMap, body: Bytes| {
        if headers.contains_key("authorization") {
            answer(headers, body).await
        } else {
            (StatusCode::UNAUTHORIZED, String::new())
        }
    };
    of_target(Router::new().route("/events/worker", post(handler))).await
}

async fn of_target(router: Router) -> Verdict {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(listener, router).into_future());
    let verdict = deliveries(&target, &KeySet::generate().unwrap()).dispatch("worker", delivery()).await;
    serving.abort();
    verdict
}

async fn said(status: u16, body: Value) -> Verdict {
    verdict(move |_, _| ready((StatusCode::from_u16(status).unwrap(), body.to_string())).boxed()).await
}

fn emit(subject: &str, event_type: &str) -> Value {
    let emission = json!({
        "subject": subject, "eventType": event_type, "aggregateId": "a", "aggregateVersion": 8, "eventData": { "n": 1.0 },
    });
    json!({ "verdict": "ok", "outputs": [
        { "emit": emission },
        { "timer": { "name": "late", "fireAt": 9, "emission": emission } },
        { "cancelTimer": "early" },
    ] })
}

#[track_caller]
fn broken(verdict: &Verdict, expected: &str) {
    let Verdict::Broken { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains(expected), "{reason}");
}

#[track_caller]
fn unavailable(verdict: &Verdict, expected: &str) {
    let Verdict::Unavailable { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains(expected), "{reason}");
}

#[tokio::test]
async fn outputs_become_the_events_they_would_be_in_process() {
    let body = emit("yard.barked", "BarkedEvent");
    let (Verdict::Done(first), Verdict::Done(second)) = (said(200, body.clone()).await, said(200, body).await) else {
        panic!("not done")
    };
    let [Effect::Publish(event), Effect::SetTimer(timer), Effect::CancelTimer { aggregate, name }] = &first[..] else {
        panic!("{first:?}")
    };
    let envelope = event.envelope().unwrap();
    assert_eq!((envelope.correlation_id.as_str(), envelope.causation_id.as_str()), ("c1", "e1"));
    assert_eq!((envelope.event_type.as_str(), event.data()), ("BarkedEvent", Some(&br#"{"n":1.0}"#[..])));
    assert_eq!((event.headers.aggregate_version, event.headers.traceparent.as_deref()), (Some(8), Some("00-ab")));
    assert_eq!((timer.name.as_str(), timer.cause.as_str(), timer.fire_at), ("late", "e1", Millis(9)));
    assert_eq!((aggregate.as_str(), name.as_str()), ("a 1", "early"));
    let [Effect::Publish(again), ..] = &second[..] else { panic!("{second:?}") };
    assert_eq!(event.id(), again.id(), "a repetition is the same event");
}

#[tokio::test]
async fn a_delivery_says_what_it_is_and_who_sends_it() {
    let keys = KeySet::generate().unwrap();
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let handler = async move |headers: HeaderMap, body: Bytes| {
        heard.send((headers, body)).unwrap();
        r#"{"verdict":"ok","outputs":[]}"#
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/events/worker", post(handler));
    let serving = tokio::spawn(axum::serve(listener, router).into_future());
    deliveries(&target, &keys).dispatch("worker", delivery()).await;
    let (headers, body) = hear.recv().await.unwrap();
    serving.abort();
    for (name, value) in [
        ("a4co-subject", "yard.bark"),
        ("a4co-source", "worker/YARD#1"),
        ("a4co-sequence", "42"),
        ("a4co-key", "a%201"),
        ("a4co-attempt", "2"),
        ("a4co-delivered-at", "5"),
        ("aggregate-version", "7"),
        ("traceparent", "00-ab"),
        ("x-correlation-id", "c1"),
        ("ce-specversion", "1.0"),
        ("ce-id", "e1"),
        ("ce-type", "BarkEvent"),
        ("ce-source", "/a4co/YARD"),
        ("ce-subject", "a%201"),
        ("ce-time", "2026-02-01T00:00:00.000Z"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(headers.get(name).unwrap(), value, "{name}");
    }
    assert_eq!(body, delivery().event.body);
    let trusted = Trusted::new().and(BRIDGE, &keys.public()).unwrap();
    let token = headers["authorization"].to_str().unwrap();
    assert_eq!(trusted.verify(Some(token), "worker", SystemClock::default().now()).as_deref(), Ok(BRIDGE));
}

#[tokio::test]
async fn a_handlers_no_is_passed_on() {
    let retry = said(200, json!({ "verdict": "retry", "after": 250, "reason": "busy\n" })).await;
    let Verdict::Retry { after, reason } = retry else { panic!("{retry:?}") };
    assert_eq!((after, reason.as_str()), (Some(Duration::from_millis(250)), "busy "));
    let reject = said(200, json!({ "verdict": "reject", "reason": "never", "path": "eventData.n" })).await;
    let Verdict::Reject(rejection) = reject else { panic!("{reject:?}") };
    assert_eq!((rejection.reason.as_str(), rejection.path.as_deref()), ("never", Some("eventData.n")));
}

#[tokio::test]
async fn answers_that_break_a_rule_are_defects_of_the_component() {
    let grant = "`bank.robbed`, which it may not publish: add it to component.worker.tool.events.publish";
    broken(&said(200, emit("bank.robbed", "RobbedEvent")).await, grant);
    broken(&said(200, emit("yard.barked", "Barked\"Event")).await, "an eventType that is none");
    broken(&said(200, emit("yard.*", "BarkedEvent")).await, "emitted under no subject");
    broken(&said(200, json!({ "verdict": "maybe" })).await, "no verdict");
    broken(&said(200, json!([])).await, "no verdict");
    broken(&said(200, json!({ "verdict": "ok", "outputs": [{ "shout": 1 }] })).await, "outputs are malformed");
    let many = vec![json!({ "cancelTimer": "x" }); 257];
    broken(&said(200, json!({ "verdict": "ok", "outputs": many })).await, "returned 257 outputs, at most 256");
    let large =
        json!({ "subject": "yard.a", "eventType": "AEvent", "aggregateId": "a", "eventData": "x".repeat(2 << 20) });
    broken(&said(200, json!({ "verdict": "ok", "outputs": [{ "emit": large }] })).await, "larger than the limit");
    let hostile = json!({ "subject": "yard.a", "eventType": "AEvent", "aggregateId": "a\r\nb", "eventData": {} });
    broken(&said(200, json!({ "verdict": "ok", "outputs": [{ "emit": hostile }] })).await, "control character");
    broken(&said(400, json!("what is this?")).await, "does not take deliveries");
}

#[tokio::test]
async fn what_is_the_targets_fault_spends_no_attempt() {
    for status in [401, 403, 404, 429, 502, 503, 504] {
        unavailable(&said(status, json!("no")).await, &status.to_string());
    }
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", refused.local_addr().unwrap());
    drop(refused);
    let verdict = deliveries(&target, &KeySet::generate().unwrap()).dispatch("worker", delivery()).await;
    unavailable(&verdict, "the target is not there");
}

#[tokio::test]
async fn without_a_verdict_the_event_is_to_blame_where_the_component_is_well() {
    broken(&said(500, json!("trap")).await, "500");
    let hangs = verdict(|_, _| pending().boxed()).await;
    broken(&hangs, "no answer within 300 ms");
    let crashes =
        of_target(Router::new().route("/events/worker", post(async || (StatusCode::INTERNAL_SERVER_ERROR, "no"))));
    unavailable(&crashes.await, "the component is not well either");
    let silent = of_target(Router::new().route("/events/worker", post(async || pending::<&str>().await)));
    unavailable(&silent.await, "the target does not answer either");
}

#[test]
fn a_target_must_be_one_that_can_be_posted_to() {
    let signer = Arc::new(Signer::new(BRIDGE, &KeySet::generate().unwrap()).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    for target in ["", "127.0.0.1:3000", "ftp://host", "http://host/?q", "not a url"] {
        let made = Deliveries::new(&application(), target, signer.clone(), clock.clone(), Arc::new(Unobserved));
        let error = made.err().unwrap_or_else(|| panic!("{target} is taken")).to_string();
        assert!(error.contains("http://127.0.0.1:3000"), "{error}");
    }
}
