//! The admin routes over a bus that remembers what it was asked.

use super::{Admin, Operations, router};
use crate::bus::{
    BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, DeadLetterCause, EventBus, Receipt, TimerRule,
};
use crate::clock::Millis;
use crate::durability::{Durability, Watermark};
use crate::event::{Event, Headers};
use crate::metrics::Metrics;
use crate::subject::Subject;
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

const BODY: &str = r#"{"eventId":"e-1","eventType":"OrderCreatedEvent","aggregateId":"o-1","eventVersion":1,
"occurredOn":"2026-01-15T10:30:00.000Z","eventData":{},
"metadata":{"publishedAt":"2026-01-15T10:30:00.000Z","correlationId":"c-1","causationId":"r-1"}}"#;

fn event(subject: &str, body: &'static str) -> Arc<Event> {
    Arc::new(Event::new(Subject::new(subject).unwrap(), Bytes::from_static(body.as_bytes()), Headers::default()))
}

/// One stream `order.>`, one consumer, one dead letter; notes every call and every wait for the disk.
struct FakeBus {
    calls: Mutex<Vec<String>>,
    published: broadcast::Sender<Arc<Event>>,
}

impl FakeBus {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().push(call.into());
    }
}

fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    std::future::ready(value).boxed()
}

fn letter() -> DeadLetter {
    DeadLetter {
        id: "d-1".into(),
        component: "saga".into(),
        stream: "ORDERS".into(),
        sequence: 7,
        replay: 0,
        event: event("order.created", BODY),
        cause: DeadLetterCause {
            kind: "rejected".into(),
            reason: "no".into(),
            path: None,
            deliveries: 1,
            component_digest: None,
        },
        died_at: Millis(0),
    }
}

fn known(id: &str) -> Result<(), BusError> {
    if id == "d-1" { Ok(()) } else { Err(BusError::NotFound(format!("dead letter {id}"))) }
}

impl EventBus for FakeBus {
    fn publish(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Receipt, BusError>> {
        if !event.subject.as_str().starts_with("order.") {
            return ready(Err(BusError::NoStream(event.subject.to_string())));
        }
        self.note(format!("publish {} {}", event.subject, String::from_utf8_lossy(&event.body)));
        let stream = "ORDERS".to_owned();
        ready(Ok(Receipt { stream, incarnation: 1, sequence: 1, duplicate: false, watermark: Watermark(5) }))
    }
    fn consume(&self, _: ConsumerConfig) -> BoxFuture<'_, Result<Arc<dyn Consumer>, BusError>> {
        ready(Err(BusError::Unavailable("not in this test".into())))
    }
    fn fire_due_timers(&self, _: Millis, _: TimerRule) -> BoxFuture<'_, Result<Option<Millis>, BusError>> {
        ready(Ok(None))
    }
    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }
    fn dead_letters(&self, limit: usize, before: Option<String>) -> BoxFuture<'_, Result<Vec<DeadLetter>, BusError>> {
        self.note(format!("dead_letters {limit} {before:?}"));
        ready(Ok(vec![letter()]))
    }
    fn dead_letter(&self, id: &str) -> BoxFuture<'_, Result<DeadLetter, BusError>> {
        ready(known(id).map(|()| letter()))
    }
    fn replay(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        self.note(format!("replay {id}"));
        ready(known(id).map(|()| Watermark(6)))
    }
    fn discard(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        self.note(format!("discard {id}"));
        ready(known(id).map(|()| Watermark(7)))
    }
    fn consumers(&self) -> BoxFuture<'_, Result<Vec<ConsumerStatus>, BusError>> {
        let (component, stream) = ("saga".to_owned(), "ORDERS".to_owned());
        let status =
            ConsumerStatus { component, stream, settled_to: 6, pending: 2, oldest_pending_ms: 10, paused: false };
        ready(Ok(vec![status]))
    }
    fn pause(&self, component: &str, stream: &str, paused: bool) -> BoxFuture<'_, Result<Watermark, BusError>> {
        self.note(format!("pause {component}/{stream} {paused}"));
        ready(Ok(Watermark(8)))
    }
    fn correlated(&self, id: &str, _: usize) -> BoxFuture<'_, Result<Vec<Arc<Event>>, BusError>> {
        ready(Ok(if id == "c-1" { vec![event("order.created", BODY)] } else { Vec::new() }))
    }
    fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        self.published.subscribe()
    }
}

impl Durability for FakeBus {
    fn is_durable(&self, _: Watermark) -> bool {
        false
    }
    fn latest(&self) -> Watermark {
        Watermark(9)
    }
    fn durable(&self, watermark: Watermark) -> BoxFuture<'_, ()> {
        self.note(format!("durable {}", watermark.0));
        ready(())
    }
}

struct FakeOperations(Result<(), String>);

impl Operations for FakeOperations {
    fn ready(&self) -> Result<(), String> {
        self.0.clone()
    }
    fn paused(&self, _component: &str, _stream: &str, _paused: bool) {}

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        vec![("database", 4096)]
    }
    fn backup(&self, file: PathBuf) -> BoxFuture<'_, anyhow::Result<u64>> {
        ready(if file.ends_with("taken") { Err(anyhow::anyhow!("the file exists")) } else { Ok(42) })
    }
}

struct Host {
    bus: Arc<FakeBus>,
    admin: Admin,
}

impl Host {
    fn new() -> Self {
        Self::with(Ok(()))
    }

    fn with(ready: Result<(), String>) -> Self {
        let bus = Arc::new(FakeBus { calls: Mutex::default(), published: broadcast::channel(2).0 });
        let admin = Admin {
            bus: Arc::clone(&bus) as Arc<dyn EventBus>,
            durability: Arc::clone(&bus) as Arc<dyn Durability>,
            metrics: Arc::new(Metrics::new()),
            operations: Arc::new(FakeOperations(ready)),
            shutdown: CancellationToken::new(),
        };
        Self { bus, admin }
    }

    async fn send(&self, request: Request<Body>) -> http::Response<Body> {
        let service = TowerToHyperService::new(router(self.admin.clone()));
        hyper::service::Service::call(&service, request).await.unwrap()
    }

    async fn text(&self, method: Method, path: &str, body: &'static str) -> (StatusCode, String, String) {
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        let response = self.send(request).await;
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind.unwrap_or_default(), String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn json(&self, method: Method, path: &str, body: &'static str) -> Value {
        let (status, kind, text) = self.text(method, path, body).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[track_caller]
    fn check_calls(&self, expected: &[&str]) {
        assert_eq!(*self.bus.calls.lock(), expected);
    }
}

#[tokio::test]
async fn dead_letters_are_listed_shown_replayed_and_discarded_durably() {
    let host = Host::new();
    let list = host.json(Method::GET, "/dlq?limit=1&before=d-9", "").await;
    assert_eq!(list["items"][0]["correlationId"], "c-1");
    assert_eq!(list["items"][0].get("original"), None);
    assert_eq!(list["next"], "d-1");
    let shown = host.json(Method::GET, "/dlq/d-1", "").await;
    assert_eq!(shown["original"]["event"]["eventType"], "OrderCreatedEvent");
    assert_eq!(shown["diedAt"], "1970-01-01T00:00:00.000Z");
    host.json(Method::POST, "/dlq/d-1/replay", "").await;
    host.json(Method::DELETE, "/dlq/d-1", "").await;
    host.check_calls(&["dead_letters 1 Some(\"d-9\")", "replay d-1", "durable 6", "discard d-1", "durable 7"]);
}

#[tokio::test]
async fn consumers_are_listed_paused_and_resumed_durably() {
    let host = Host::new();
    assert_eq!(host.json(Method::GET, "/consumers", "").await["items"][0]["pending"], 2);
    let paused = host.json(Method::POST, "/consumers/saga/ORDERS/pause", "").await;
    assert_eq!(paused, json!({ "component": "saga", "stream": "ORDERS", "paused": true }));
    host.json(Method::POST, "/consumers/saga/ORDERS/resume", "").await;
    host.check_calls(&["pause saga/ORDERS true", "durable 8", "pause saga/ORDERS false", "durable 8"]);
}

#[tokio::test]
async fn publishing_keeps_the_bytes_and_warns_of_what_is_no_event() {
    let host = Host::new();
    let answer = host.json(Method::POST, "/events/order.created", BODY).await;
    assert_eq!(answer, json!({ "stream": "ORDERS", "sequence": 1, "duplicate": false }));
    let answer = host.json(Method::POST, "/events/order.created", "{nonsense").await;
    assert!(answer["warning"].as_str().unwrap().contains("dead letters"), "{answer}");
    let stored = format!("publish order.created {BODY}");
    host.check_calls(&[&stored, "durable 5", "publish order.created {nonsense", "durable 5"]);
}

#[tokio::test]
async fn a_correlation_is_answered_once_it_is_on_disk() {
    let host = Host::new();
    let answer = host.json(Method::GET, "/events/c-1", "").await;
    assert_eq!(answer["items"][0]["event"]["metadata"]["correlationId"], "c-1");
    host.check_calls(&["durable 9"]);
}

#[tokio::test]
async fn what_cannot_be_done_is_a_problem() {
    let host = Host::new();
    for (method, path, body, status, part) in [
        (Method::GET, "/dlq/none", "", 404, "there is no dead letter none"),
        (Method::POST, "/events/payment.x", BODY, 422, "no stream takes"),
        (Method::POST, "/events/a%20b", BODY, 422, "is not a subject"),
        (Method::GET, "/events?subject=a..b", "", 422, "is not a subject pattern"),
        (Method::GET, "/events/nobody", "", 404, "no event has the correlation id"),
        (Method::POST, "/backup", "{}", 422, "path"),
        (Method::POST, "/backup", r#"{"path":"relative"}"#, 422, "absolute"),
        (Method::POST, "/backup", r#"{"path":"/taken"}"#, 409, "the file exists"),
        (Method::GET, "/dlq?limit=many", "", 422, "limit"),
        (Method::GET, "/nowhere", "", 404, "no such route"),
    ] {
        let (found, kind, text) = host.text(method, path, body).await;
        assert_eq!((found.as_u16(), kind.as_str()), (status, "application/problem+json"), "{path}: {text}");
        assert!(text.contains(part), "{path}: {text}");
    }
}

#[tokio::test]
async fn web_pages_are_refused() {
    let host = Host::new();
    let request = Request::post("/dlq/d-1/replay").header(header::ORIGIN, "http://evil.example").body(Body::empty());
    assert_eq!(host.send(request.unwrap()).await.status(), StatusCode::FORBIDDEN);
    host.check_calls(&[]);
}

#[tokio::test]
async fn health_readiness_metrics_and_backup_answer() {
    let host = Host::with(Err("saga drains its backlog".into()));
    assert_eq!(host.text(Method::GET, "/healthz", "").await.0, StatusCode::OK);
    let (status, _, text) = host.text(Method::GET, "/readyz", "").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("saga drains its backlog"), "{text}");
    assert_eq!(Host::new().text(Method::GET, "/readyz", "").await.0, StatusCode::OK);
    let (_, kind, text) = host.text(Method::GET, "/metrics", "").await;
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    for line in [r#"a4co_queue_depth{component="saga",stream="ORDERS"} 2"#, r#"a4co_store_bytes{part="database"} 4096"#]
    {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(host.json(Method::POST, "/backup", r#"{"path":"/x"}"#).await["bytes"], 42);
}

#[tokio::test]
async fn the_tail_shows_what_matches_tells_of_what_it_lost_and_ends_with_the_host() {
    let host = Host::new();
    let response = host.send(Request::get("/events?subject=order.*").body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    for subject in ["order.lost", "payment.x", "order.created"] {
        host.bus.published.send(event(subject, BODY)).unwrap();
    }
    let mut body = response.into_body();
    let mut next = async || {
        body.frame().await.map(|frame| String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    };
    assert_eq!(next().await.unwrap(), "event: lagged\ndata: {\"missed\":1}\n\n");
    let shown = next().await.unwrap();
    assert!(
        shown.starts_with("event: published\ndata: {\"subject\":\"order.created\",\"event\":{\"eventId\":\"e-1\""),
        "{shown}"
    );
    assert_eq!(shown.trim_end().lines().count(), 2, "one line of data: {shown}");
    host.admin.shutdown.cancel();
    assert_eq!(next().await, None);
}
