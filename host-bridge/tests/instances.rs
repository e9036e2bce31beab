//! Instances and the bodies that pass through them: reused so often and no more, dropped after a trap, streaming, 0.3
//! beside 0.2, and let finish at a shutdown.

#![allow(clippy::unwrap_used, reason = "for tests")]

mod support;

use bytes::Bytes;
use futures::channel::mpsc;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use std::time::Duration;
use support::{Memory, Served, component};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_so_many_requests_and_no_more() {
    let mut echo = component("echo", "echo");
    echo.limits.reuse_http = 3;
    let served = Served::start(vec![echo], Memory::flushed()).await;
    for expected in ["1", "2", "3", "1", "2", "3", "1"] {
        assert_eq!(served.get("/echo/used").await, (200, expected.into()));
    }
    let metrics = served.metrics.encode();
    for line in [
        r#"a4co_instances_total{component="echo",kind="fresh"} 3"#,
        r#"a4co_instances_total{component="echo",kind="reused"} 4"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "no line {line} in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_broke_or_hung_is_never_used_again() {
    let mut echo = component("echo", "echo");
    (echo.limits.reuse_http, echo.limits.request_timeout) = (100, Duration::from_millis(500));
    let served = Served::start(vec![echo], Memory::flushed()).await;
    for (breaks, status) in [("/echo/trap", 500), ("/echo/loop", 504)] {
        assert_eq!(served.get("/echo/used").await.1, "1");
        assert_eq!(served.get("/echo/used").await.1, "2");
        assert_eq!(served.get(breaks).await.0, status);
    }
    assert_eq!(served.get("/echo/used").await.1, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_have_a_mebibyte_and_not_a_byte_more() {
    let served = Served::start(vec![component("echo", "echo")], Memory::flushed()).await;
    let (status, body) = served.post("/echo/body", vec![b'x'; 1 << 20]).await;
    assert_eq!((status, body.len()), (200, 1 << 20));
    let (status, body) = served.post("/echo/body", vec![b'x'; (1 << 20) + 1]).await;
    assert!(status == 413 && body.contains("larger than 1048576 bytes"), "{status} {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn components_of_wasi_0_3_and_0_2_serve_beside_each_other() {
    let served = Served::start(vec![component("modern", "modern"), component("echo", "echo")], Memory::flushed()).await;
    assert_eq!(served.post("/modern/", "hello").await, (200, "hello".into()));
    assert_eq!(served.post("/echo/body", "hello").await, (200, "hello".into()));
    assert_eq!(served.get("/echo/variable?colour").await.1, r#"Ok("blue")"#);
}

/// The guest gives back what it gets as it gets it: the first part must be back before the second one is sent.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let served = Served::start(vec![component("modern", "modern")], Memory::flushed()).await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = mpsc::unbounded::<Result<Frame<Bytes>, Infallible>>();
    let part = |text: &'static str| parts.unbounded_send(Ok(Frame::data(Bytes::from_static(text.as_bytes())))).unwrap();
    part("one");
    let request = Request::post(format!("{}/modern/", served.url)).body(StreamBody::new(body)).unwrap();
    let response = timeout(SOON, client.request(request)).await.expect("the head comes before the body ends").unwrap();
    assert_eq!(response.status(), 200);
    let mut answer = response.into_body();
    for (expected, next) in [("one", Some("two")), ("two", Some("three")), ("three", None)] {
        let frame = timeout(SOON, answer.frame()).await.expect("a part comes back at once").unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), expected);
        next.into_iter().for_each(&part);
    }
    drop(parts);
    let end = timeout(SOON, answer.frame()).await.expect("it ends where the request does");
    assert!(end.is_none_or(|frame| frame.is_ok_and(|frame| !frame.is_data())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_the_request_in_flight_finish_and_takes_no_other() {
    let served = Served::start(vec![component("echo", "echo")], Memory::held()).await;
    let mut asking = Box::pin(served.post("/echo/set?k", "v"));
    while served.memory.position() == 0 {
        assert!(timeout(Duration::from_millis(1), &mut asking).await.is_err(), "it did not wait for its flush");
    }
    served.stopping.cancel();
    let address = served.url.trim_start_matches("http://").to_owned();
    let closed = async {
        while tokio::net::TcpStream::connect(&address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, closed).await.expect("nobody is let in any more");
    assert!(!served.serving.is_finished(), "a request is in flight");
    served.memory.flush();
    assert_eq!(timeout(SOON, asking).await.expect("it is answered").0, 200);
    let Served { serving, .. } = served;
    timeout(SOON, serving).await.expect("the listener ends once nothing runs").unwrap();
}
