//! `a4co up --nats` as a process: it serves, says what is away, comes back by itself, and is the same node again.

#![allow(clippy::unwrap_used, reason = "for tests")]

use artifacts::nats::NatsServer;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An answer that is known at once takes no longer than this on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long something that must happen may take.
const DEADLINE: Duration = Duration::from_secs(60);

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "test"
[application.tool.events.streams]
YARD = { subjects = ["bomb.>"], max_messages = 100000 }
[[trigger.http]]
route = "/echo/..."
component = "echo"
[component.echo]
source = "GUESTS/guest_echo.wasm"
key_value_stores = ["default"]
[component.bomb]
source = "GUESTS/guest_bomb.wasm"
key_value_stores = ["default"]
[component.bomb.tool.events]
subscribe = [{ subject = "bomb.set", start = "all" }]
publish = ["bomb.spent"]
"#;

/// A running host. Dropping it kills it.
struct Host {
    folder: TempDir,
    addresses: [String; 2],
    server: String,
    child: Child,
}

impl Host {
    async fn start(server: &NatsServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let guests = artifacts::build(&["guest-echo", "guest-bomb"]);
        let manifest = MANIFEST.replace("GUESTS", &guests.to_string_lossy());
        std::fs::write(folder.path().join("spin.toml"), manifest).unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let addresses = [free(), free()];
        let child = spawn(folder.path(), &addresses, &server.url());
        let host = Self { folder, addresses, server: server.url(), child };
        host.ready().await;
        host
    }

    async fn ready(&self) {
        self.eventually("it is ready", async || self.admin(Method::GET, "/readyz", "").await.0 == 200).await;
    }

    async fn restart(&mut self) {
        self.child = spawn(self.folder.path(), &self.addresses, &self.server);
        self.ready().await;
    }

    fn node(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(".a4co/node-id")).unwrap()
    }

    async fn admin(&self, method: Method, path: &str, body: &str) -> (u16, String) {
        ask(method, &format!("http://{}{path}", self.addresses[1]), body).await.map_or((0, String::new()), |answer| {
            let (status, _, body) = answer;
            (status, body)
        })
    }

    /// Status, `Retry-After`, body.
    async fn post(&self, path: &str, body: &str) -> (u16, Option<String>, String) {
        ask(Method::POST, &format!("http://{}{path}", self.addresses[0]), body).await.unwrap()
    }

    async fn settles(&self) {
        let settled = async || {
            let (status, consumers) = self.admin(Method::GET, "/consumers", "").await;
            status == 200 && consumers.contains(r#""pending":0"#)
        };
        self.eventually("all events are handled", settled).await;
    }

    async fn eventually(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let start = Instant::now();
        while !condition().await {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < DEADLINE, "waited in vain: {what}\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(&mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < DEADLINE, "it does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _may_be_gone = self.child.wait();
    }
}

fn spawn(folder: &Path, addresses: &[String; 2], server: &str) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_a4co"))
        .args(["up", "--listen", &addresses[0], "--admin-listen", &addresses[1], "--nats", server])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

async fn ask(method: Method, url: &str, body: &str) -> Option<(u16, Option<String>, String)> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(url).body(Full::from(body.to_owned())).unwrap();
    let response: Response<_> = client.request(request).await.ok()?;
    let after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, after, String::from_utf8_lossy(&body).into_owned()))
}

fn event(id: &str) -> String {
    format!(
        r#"{{"eventId":"{id}","eventType":"BombSetEvent","aggregateId":"a1","eventVersion":1,
        "occurredOn":"2026-01-15T10:30:00.000Z","eventData":{{"mode":"dud"}},"metadata":{{
        "publishedAt":"2026-01-15T10:30:00.000Z","version":"1.0","correlationId":"c1","causationId":"x1"}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_at_once_and_ends_by_itself() {
    let mut server = NatsServer::start();
    let host = Host::start(&server).await;
    assert_eq!(host.post("/echo/set?k", "v").await.0, 200);
    for number in 0..20 {
        assert_eq!(host.admin(Method::POST, "/events/bomb.set", &event(&format!("e{number}"))).await.0, 200);
    }
    server.kill();
    host.eventually("it is noticed", async || host.admin(Method::GET, "/readyz", "").await.0 == 503).await;
    for _ in 0..5 {
        let start = Instant::now();
        let (status, after, body) = host.post("/echo/set?k", "w").await;
        assert_eq!((status, after.as_deref()), (503, Some("1")), "{body}");
        let (status, why) = host.admin(Method::GET, "/readyz", "").await;
        assert!(status == 503 && why.contains(&server.url()), "{status} {why}");
        for (path, expected) in [("/healthz", 200), ("/metrics", 200), ("/consumers", 503), ("/dlq", 503)] {
            assert_eq!(host.admin(Method::GET, path, "").await.0, expected, "{path}");
        }
        assert_eq!(host.admin(Method::POST, "/events/bomb.set", &event("late")).await.0, 503);
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    }
    server.restart();
    host.ready().await;
    assert_eq!(host.post("/echo/set?k", "w").await.0, 200);
    host.settles().await;
    assert_eq!(host.admin(Method::GET, "/dlq", "").await.1, r#"{"items":[]}"#);
    // Every event was handled, and each told so once.
    let spent = host.admin(Method::GET, "/events/c1", "").await.1.matches("BombSpentEvent").count();
    assert_eq!(spent, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_started_again_is_the_same_node_and_goes_on() {
    let server = NatsServer::start();
    let mut host = Host::start(&server).await;
    assert_eq!(host.post("/echo/set?k", "v").await.0, 200);
    assert_eq!(host.admin(Method::POST, "/events/bomb.set", &event("e1")).await.0, 200);
    host.settles().await;
    let node = host.node();
    host.stop().await;
    host.restart().await;
    assert_eq!(host.node(), node);
    assert_eq!(host.post("/echo/get?k", "").await.2, r#"Ok(Some("v"))"#);
    let (status, refused) = host.admin(Method::POST, "/backup", r#"{"path":"/tmp/x"}"#).await;
    assert!(status == 409 && refused.contains("nats stream backup"), "{status} {refused}");
    host.settles().await;
}
