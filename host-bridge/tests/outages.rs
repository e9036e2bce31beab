//! What a client and a consumer are told while the store in NATS is away, by real components over a real server.

#![allow(clippy::unwrap_used, reason = "for tests")]

mod support;

use a4co_host::dispatch::{Dispatch as _, Verdict};
use a4co_host::keyvalue::KeyValue;
use a4co_host::keyvalue::nats::{NatsKeyValue, Place};
use a4co_host::nats::{Nats, NatsSettings};
use artifacts::nats::NatsServer;
use http::Request;
use http_body_util::Full;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Memory, Served, component, deliver, events};

/// An answer that is known at once takes no longer than this on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long something that must happen may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// The components `echo` and `bomb`, and the server that their store is in.
async fn served() -> (Served, NatsServer, Nats) {
    let server = NatsServer::start();
    let settings = NatsSettings { servers: vec![server.url()], ..NatsSettings::default() };
    let nats = Nats::connect(&settings).await.unwrap();
    let place = Place { prefix: "T".into(), application: "test".into() };
    let store: Arc<dyn KeyValue> = Arc::new(NatsKeyValue::new(nats.clone(), place));
    let mut caller = component("caller", "echo");
    caller.allowed_outbound_hosts = vec!["http://echo.spin.internal".into()];
    let mut bomb = component("bomb", "bomb");
    bomb.events = Some(events("bomb.spent", Duration::from_secs(5)));
    let components = vec![component("echo", "echo"), caller, bomb];
    let served = Served::over(components, store, Memory::flushed()).await.unwrap();
    (served, server, nats)
}

async fn noticed(nats: &Nats) {
    let start = Instant::now();
    while nats.is_up() {
        assert!(start.elapsed() < DEADLINE, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn explode(served: &Served, mode: &str) -> Verdict {
    let delivery = deliver("bomb.set", "BombSetEvent", &format!(r#"{{"mode":"{mode}"}}"#));
    served.app.dispatch().dispatch("bomb", delivery).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_at_once_to_come_again_and_served_once_it_is_back() {
    let (served, mut server, nats) = served().await;
    assert_eq!(served.post("/echo/set?k", "v").await.0, 200);
    server.kill();
    noticed(&nats).await;
    for _ in 0..10 {
        let start = Instant::now();
        let request = Request::post(format!("{}/echo/set?k", served.url)).body(Full::from("w")).unwrap();
        let response = served.send(request).await;
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().unwrap()));
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.body().contains("out of reach"), "{}", response.body());
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
    // What needs no store is served; a caller that passes on what its callee could not reach has not failed either.
    assert_eq!(served.get("/echo/variable?colour").await, (200, r#"Ok("blue")"#.into()));
    let (status, answer) = served.get("/caller/call?http://echo.spin.internal/get?k").await;
    assert!(status == 200 && answer.contains("out of reach"), "{status} {answer}");
    server.restart();
    let start = Instant::now();
    while served.get("/echo/get?k").await.1 != r#"Ok(Some("v"))"# {
        assert!(start.elapsed() < DEADLINE, "it did not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(served.post("/echo/set?k", "w").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_handler_cannot_reach_its_store_spends_no_attempt() {
    let (served, mut server, nats) = served().await;
    assert!(matches!(explode(&served, "dud").await, Verdict::Done(_)));
    server.kill();
    noticed(&nats).await;
    let verdict = explode(&served, "calls").await;
    assert!(matches!(&verdict, Verdict::Unavailable { reason } if reason.contains(&server.url())), "{verdict:?}");
    // One that needs no store is judged as ever.
    assert!(matches!(explode(&served, "dud").await, Verdict::Done(_)));
    assert!(matches!(explode(&served, "trap").await, Verdict::Broken { .. }));
    server.restart();
    let start = Instant::now();
    while matches!(explode(&served, "calls").await, Verdict::Unavailable { .. }) {
        assert!(start.elapsed() < DEADLINE, "it did not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
