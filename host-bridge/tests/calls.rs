//! Calls between components: granted, in process, never in a circle, and never in each other's way.

#![allow(clippy::unwrap_used, reason = "for tests")]

mod support;

use a4co_host::dispatch::{Dispatch, Verdict};
use a4co_host::manifest::Component;
use futures::future::join_all;
use std::time::Duration;
use support::{Memory, Served, component, deliver, events};
use tokio::time::timeout;

/// Longer than any of these tests takes where nothing waits for itself.
const SOON: Duration = Duration::from_secs(60);

/// A component that may call every other, and serves so many requests at once at each depth.
fn caller(id: &str, concurrency: usize) -> Component {
    let mut caller = component(id, "echo");
    caller.allowed_outbound_hosts = vec!["http://*.spin.internal".into()];
    caller.limits.http_concurrency = concurrency;
    caller.limits.request_timeout = SOON;
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn components_call_each_other_where_granted() {
    let served = Served::start(vec![caller("a", 8), component("b", "echo")], Memory::flushed()).await;
    let (_, through) = served.get("/a/call?http://b.spin.internal/variable?colour").await;
    assert_eq!(through, r#"200 Ok("blue")"#);
    let (_, refused) = served.get("/b/call?http://a.spin.internal/request").await;
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
    let (_, absent) = served.get("/a/call?http://c.spin.internal/").await;
    assert!(absent.starts_with("error"), "{absent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_component_is_reached_from_inside_alone() {
    let served = Served::start(vec![caller("a", 8), component("private-b", "echo")], Memory::flushed()).await;
    let (_, through) = served.get("/a/call?http://private-b.spin.internal/variable?colour").await;
    assert_eq!(through, r#"200 Ok("blue")"#);
    assert_eq!(served.get("/private-b/variable?colour").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_calls_is_an_error_that_names_it() {
    let served = Served::start(vec![caller("a", 8), caller("b", 8)], Memory::flushed()).await;
    let (_, itself) = served.get("/a/call?http://a.spin.internal/request").await;
    assert!(itself.starts_with("508") && itself.contains("a → a"), "{itself}");
    let (_, circle) = served.get("/a/call?http://b.spin.internal/call?http://a.spin.internal/request").await;
    assert!(circle.starts_with("200 508") && circle.contains("a → b → a"), "{circle}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_exhaust_what_those_they_call_need() {
    let served = Served::start(vec![caller("a", 4), caller("b", 1)], Memory::flushed()).await;
    let calls = (0..64).map(|_| served.get("/a/call?http://b.spin.internal/get?k"));
    let answers = timeout(SOON, join_all(calls)).await.expect("it does not deadlock");
    assert!(answers.iter().all(|answer| *answer == (200, "200 Ok(None)".into())), "{answers:?}");
}

/// More requests than the application has permits at depth 0, each four deep, in both directions, with two places a
/// component at each depth; and event handlers that call as well.
#[tokio::test(flavor = "multi_thread")]
async fn at_full_load_four_deep_requests_and_events_all_come_to_their_end() {
    let mut bomb = component("bomb", "bomb");
    bomb.allowed_outbound_hosts = vec!["http://*.spin.internal".into()];
    bomb.events = Some(events("bomb.spent", SOON));
    let components = ["a", "b", "c", "granted"].map(|id| caller(id, 2));
    let served = Served::start(components.into_iter().chain([bomb]).collect(), Memory::flushed()).await;
    let down = "/a/call?http://b.spin.internal/call?http://c.spin.internal/call?http://granted.spin.internal/get?k";
    let up = "/granted/call?http://c.spin.internal/call?http://b.spin.internal/call?http://a.spin.internal/get?k";
    let requests = join_all((0..320).map(|number| served.get(if number % 2 == 0 { down } else { up })));
    let handler = served.app.dispatch();
    let ask = || handler.dispatch("bomb", deliver("bomb.set", "BombSetEvent", r#"{"mode":"ask"}"#));
    let handled = join_all((0..64).map(|_| ask()));
    let both = async { tokio::join!(requests, handled) };
    let (answers, verdicts) = timeout(SOON, both).await.expect("it does not deadlock");
    let whole = (200, "200 200 200 Ok(None)".to_owned());
    let wrong: Vec<_> = answers.iter().filter(|answer| **answer != whole).collect();
    assert!(wrong.is_empty(), "{} of {}: {:?}", wrong.len(), answers.len(), wrong.first());
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Done(_))), "{verdicts:?}");
}
