//! Calls of components to the world outside, over real sockets.

#![allow(clippy::unwrap_used, reason = "for tests")]

mod support;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Memory, Served, component};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Answers each request with the next of `statuses`, the last for ever; counts them.
async fn world(statuses: &[u16]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (mut left, asked) = (VecDeque::from(statuses.to_vec()), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            counter.fetch_add(1, Ordering::SeqCst);
            let status = if left.len() > 1 { left.pop_front().unwrap() } else { left[0] };
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

async fn caller(allowed: &str, memory: Arc<Memory>) -> Served {
    let mut echo = component("echo", "echo");
    echo.allowed_outbound_hosts = vec![allowed.to_owned()];
    Served::start(vec![echo], memory).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_call_that_fails_is_made_again() {
    let (url, asked) = world(&[503, 503, 200]).await;
    let served = caller(&url, Memory::flushed()).await;
    assert_eq!(served.get(&format!("/echo/call?{url}/")).await.1, "200 hi");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_keeps_failing_is_left_alone() {
    let (url, asked) = world(&[500]).await;
    let served = caller(&url, Memory::flushed()).await;
    for _ in 0..5 {
        assert_eq!(served.get(&format!("/echo/call?{url}/")).await.1, "500 hi");
    }
    let (_, refused) = served.get(&format!("/echo/call?{url}/")).await;
    assert!(refused.contains("DestinationUnavailable"), "{refused}");
    assert_eq!(asked.load(Ordering::SeqCst), 5);
    let target = url.trim_start_matches("http://");
    let metrics = served.metrics.encode();
    let call = format!(r#"source_service="echo",target_service="{target}",endpoint="-""#);
    for line in [
        format!(r#"a4co_breaker_state{{source="echo",target="{target}"}} 2"#),
        format!(r#"microservices_sync_requests_total{{{call},status="500"}} 5"#),
        format!(r#"microservices_sync_requests_total{{{call},status="none"}} 1"#),
    ] {
        assert!(metrics.lines().any(|found| found == line), "no line {line} in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_granted_is_called_and_a_wildcard_does_not_reach_inside() {
    let (url, asked) = world(&[200]).await;
    let denied = caller("http://other.example", Memory::flushed()).await;
    assert!(denied.get(&format!("/echo/call?{url}/")).await.1.contains("HttpRequestDenied"));
    let wild = caller("http://*:*", Memory::flushed()).await;
    assert!(wild.get(&format!("/echo/call?{url}/")).await.1.contains("DestinationIpProhibited"));
    let by_name = url.replace("127.0.0.1", "localhost");
    assert!(wild.get(&format!("/echo/call?{by_name}/")).await.1.contains("DestinationIpProhibited"));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_leaves_only_once_what_was_written_before_it_is_on_disk() {
    let (url, asked) = world(&[200]).await;
    let served = caller(&url, Memory::held()).await;
    let path = format!("/echo/tell?{url}/");
    let told = served.get(&path);
    tokio::pin!(told);
    while served.memory.position() == 0 {
        assert!(timeout(Duration::from_millis(1), &mut told).await.is_err(), "it did not wait");
    }
    assert!(timeout(Duration::from_millis(200), &mut told).await.is_err(), "it did not wait");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the call left before its write was on disk");
    served.memory.flush();
    assert_eq!(told.await.1, "200 hi");
}
