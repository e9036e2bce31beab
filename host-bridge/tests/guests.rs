//! Real components through the engine and the HTTP trigger: what they are given, what they are refused, what a broken
//! one costs.

#![allow(clippy::unwrap_used, reason = "for tests")]

mod support;

use a4co_host::dispatch::Dispatch;
use a4co_host::dispatch::{Effect, Verdict};
use a4co_host::engine::LoadError;
use a4co_host::host::Manners;
use a4co_host::manifest::Limits;
use http::Request;
use http_body_util::Full;
use std::time::Duration;
use support::{Memory, Served, component, deliver, events};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

async fn echo() -> Served {
    Served::start(vec![component("echo", "echo")], Memory::flushed()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_its_component_and_its_answer_the_client() {
    let served = echo().await;
    let request = Request::get(format!("{}/echo/request?q=1", served.url)).header("x-correlation-id", "req-1");
    let response = served.send(request.body(Full::default()).unwrap()).await;
    assert_eq!((response.status().as_u16(), &response.headers()["x-correlation-id"]), (200, &"req-1".parse().unwrap()));
    for line in ["spin-path-info: /request", "spin-component-route: /echo", "x-correlation-id: req-1"] {
        assert!(response.body().contains(line), "{line} is missing in\n{}", response.body());
    }
    assert_eq!(served.post("/echo/body", "hello").await, (200, "hello".into()));
    assert_eq!(served.get("/nowhere").await.0, 404);
    assert_eq!(served.get("/events/echo").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_swaps_and_variables_work_and_only_what_is_granted_opens() {
    let served = echo().await;
    assert_eq!(served.get("/echo/get?k").await.1, "Ok(None)");
    assert_eq!(served.post("/echo/set?k", "v").await.0, 200);
    assert_eq!(served.get("/echo/get?k").await.1, r#"Ok(Some("v"))"#);
    assert_eq!(served.get("/echo/open?other").await.1, "Err(Error::AccessDenied)");
    assert_eq!(served.get("/echo/variable?colour").await.1, r#"Ok("blue")"#);
    assert!(served.get("/echo/variable?absent").await.1.contains("Undefined"));
    assert_eq!(served.get("/echo/cas").await.1, r#"[("raced", Some("three")), ("absent", None)] 5"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_spins_manners_a_swap_that_nobody_looked_before_overwrites() {
    let echo = vec![component("echo", "echo")];
    let memory = Memory::flushed();
    let served = Served::start_with(echo, memory.clone(), memory, Manners::Spin).await.unwrap();
    assert_eq!(served.get("/echo/cas").await.1, "error: the second swap overwrote the first");
    assert_eq!(served.get("/echo/get?k").await.1, "Ok(None)", "all else is as ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_leaves_only_once_what_it_tells_is_on_disk() {
    let served = Served::start(vec![component("echo", "echo")], Memory::held()).await;
    let answer = served.post("/echo/set?k", "v");
    tokio::pin!(answer);
    while served.memory.position() == 0 {
        assert!(timeout(Duration::from_millis(1), &mut answer).await.is_err(), "it did not wait");
    }
    assert!(timeout(Duration::from_millis(100), &mut answer).await.is_err(), "it did not wait");
    let read = served.get("/echo/get?k");
    tokio::pin!(read);
    assert!(timeout(Duration::from_millis(100), &mut read).await.is_err(), "a read of it did not wait");
    served.memory.flush();
    assert_eq!(answer.await.0, 200);
    assert_eq!(read.await.1, r#"Ok(Some("v"))"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_past_the_limit_is_refused() {
    let mut small = component("echo", "echo");
    small.limits.request_body_bytes = 10;
    let served = Served::start(vec![small], Memory::flushed()).await;
    let (status, body) = served.post("/echo/body", "x".repeat(11)).await;
    assert!(status == 413 && body.contains("larger than 10 bytes"), "{status} {body}");
    assert_eq!(served.post("/echo/body", "x".repeat(10)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_breaks_or_hangs_costs_one_request() {
    let mut hasty = component("echo", "echo");
    hasty.limits.request_timeout = Duration::from_millis(300);
    let served = Served::start(vec![hasty], Memory::flushed()).await;
    let (status, body) = served.get("/echo/trap").await;
    assert!(status == 500 && body.contains("correlationId"), "{status} {body}");
    let (hung, well) = tokio::join!(served.get("/echo/loop"), served.get("/echo/get?k"));
    assert_eq!((hung.0, well.0), (504, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn components_call_each_other_where_granted_and_never_in_a_circle() {
    let mut a = component("a", "echo");
    a.allowed_outbound_hosts = vec!["http://*.spin.internal".into()];
    let served = Served::start(vec![a, component("b", "echo")], Memory::flushed()).await;
    let (_, through) = served.get("/a/call?http://b.spin.internal/variable?colour").await;
    assert_eq!(through, r#"200 Ok("blue")"#);
    let (_, circle) = served.get("/a/call?http://a.spin.internal/request").await;
    assert!(circle.starts_with("508") && circle.contains("a → a"), "{circle}");
    let (_, refused) = served.get("/b/call?http://a.spin.internal/request").await;
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
    let (_, absent) = served.get("/a/call?http://c.spin.internal/").await;
    assert!(absent.starts_with("error"), "{absent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_exhaust_what_those_they_call_need() {
    let (mut a, mut b) = (component("a", "echo"), component("b", "echo"));
    (a.limits.http_concurrency, b.limits.http_concurrency) = (4, 1);
    a.allowed_outbound_hosts = vec!["http://b.spin.internal".into()];
    let served = Served::start(vec![a, b], Memory::flushed()).await;
    let calls = (0..64).map(|_| served.get("/a/call?http://b.spin.internal/get?k"));
    let answers = timeout(SOON, futures::future::join_all(calls)).await.expect("it does not deadlock");
    assert!(answers.iter().all(|answer| *answer == (200, "200 Ok(None)".into())), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_publishes_what_it_may() {
    let mut echo = component("echo", "echo");
    echo.events = Some(events("yard.>", Duration::from_secs(1)));
    let served = Served::start(vec![echo], Memory::flushed()).await;
    let event = deliver("yard.opened", "YardOpenedEvent", "{}").event.body.clone();
    let (_, answer) = served.post("/echo/publish?yard.opened", event.clone()).await;
    assert_eq!(answer, r#"200 {"stream":"YARD","source":"echo/YARD#1","sequence":1,"duplicate":false}"#);
    assert_eq!(served.bus.events.lock()[0].body, event);
    for (subject, body, expected) in
        [("shop.opened", event, "403"), ("yard.opened", "{}".into(), "422"), ("yard.", "{}".into(), "422")]
    {
        let (_, answer) = served.post(&format!("/echo/publish?{subject}"), body).await;
        assert!(answer.starts_with(expected), "{subject}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_through_its_handler_to_a_verdict() {
    let served = bomb(Duration::from_secs(2)).await;
    match explode(&served, "dud").await {
        Verdict::Done(effects) => match &effects[..] {
            [Effect::Publish(event)] => assert_eq!(event.subject.as_str(), "bomb.spent"),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert!(matches!(explode(&served, "retry").await, Verdict::Retry { reason, .. } if reason == "wet fuse"));
    assert!(matches!(explode(&served, "reject").await, Verdict::Reject(rejection) if rejection.reason == "no bomb"));
    let undecodable = deliver("bomb.set", "BombSetEvent", r#"{"mode":7}"#);
    match served.app.dispatch().dispatch("bomb", undecodable).await {
        Verdict::Reject(rejection) => assert_eq!(rejection.path.as_deref(), Some("eventData.mode")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bomb_costs_one_delivery_and_never_the_process() {
    let served = bomb(Duration::from_secs(3)).await;
    for (mode, expected) in [
        ("loop", "did not finish in time"),
        ("memory", "memory"),
        ("handles", "resource table has no free keys"),
        ("calls", "host calls"),
        ("recursion", "wasm trap"),
        ("trap", "unreachable"),
        ("huge", "hostcalls"),
        ("many", "at most 256"),
        ("stolen", "may not publish"),
    ] {
        let both = async { tokio::join!(explode(&served, mode), explode(&served, "dud")) };
        let (broken, well) = timeout(SOON, both).await.unwrap_or_else(|_| panic!("{mode} did not end"));
        match broken {
            Verdict::Broken { reason } => assert!(reason.contains(expected), "{mode}: {reason}"),
            other => panic!("{mode}: {other:?}"),
        }
        assert!(matches!(well, Verdict::Done(_)), "{mode}: another delivery suffered: {well:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_has_not_is_named_at_load() {
    let mut broken = component("echo", "echo");
    broken.allowed_outbound_hosts = vec!["example.com".into()];
    let error = Served::try_start(vec![broken], Memory::flushed()).await.err().unwrap();
    assert!(matches!(&error, LoadError::Allow { .. }) && error.to_string().contains("example.com"), "{error}");
    let error =
        Served::try_start(vec![component("greedy", "greedy")], Memory::flushed()).await.err().unwrap().to_string();
    assert!(
        error.starts_with("component `greedy` imports `fermyon:spin/sqlite@2.0.0`, which this host does not"),
        "{error}"
    );
    let mut missing = component("echo", "echo");
    missing.source = "absent.wasm".into();
    let error = Served::try_start(vec![missing], Memory::flushed()).await.err().unwrap().to_string();
    assert!(error.contains("absent.wasm") && error.contains("--build"), "{error}");
}

async fn bomb(timeout: Duration) -> Served {
    let mut bomb = component("bomb", "bomb");
    bomb.events = Some(events("bomb.spent", timeout));
    bomb.limits = Limits { memory_bytes: 80 << 20, ..Limits::default() };
    Served::start(vec![bomb], Memory::flushed()).await
}

async fn explode(served: &Served, mode: &str) -> Verdict {
    let delivery = deliver("bomb.set", "BombSetEvent", &format!(r#"{{"mode":"{mode}"}}"#));
    served.app.dispatch().dispatch("bomb", delivery).await
}
