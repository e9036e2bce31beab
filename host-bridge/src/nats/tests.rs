//! Servers that cannot serve: each is named, with what is wrong and what to do.

use super::{Authentication, ConnectError, Nats, NatsSettings, Tls};
use artifacts::nats::NatsServer;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

fn settings(url: &str) -> NatsSettings {
    NatsSettings { servers: vec![url.to_owned()], ..NatsSettings::default() }
}

#[track_caller]
fn check_refused(connected: Result<Nats, ConnectError>, parts: &[&str]) {
    let error = connected.expect_err("it connected").to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

/// Speaks as much of the protocol as it takes to be connected to, with these words about itself.
async fn pretend(info: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let greeting = format!("INFO {info}\r\n");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(greeting.as_bytes()).await.unwrap();
        let (read, mut write) = stream.split();
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with("PING") {
                write.write_all(b"PONG\r\n").await.unwrap();
            }
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let url = "nats://127.0.0.1:1";
    check_refused(Nats::connect(&settings(url)).await, &[url, "is a server running there?", "nats-server -js"]);
}

#[tokio::test]
async fn an_old_server_and_one_without_jetstream_are_named() {
    let old = pretend(
        r#"{"server_name":"n1","version":"2.9.10","max_payload":1048576,"proto":1,"headers":true,"jetstream":true}"#,
    );
    let old = old.await;
    check_refused(Nats::connect(&settings(&old)).await, &["n1", &old, "is version 2.9.10: 2.10 or newer is needed"]);
    let bare = pretend(r#"{"server_name":"n2","version":"2.11.0","max_payload":1048576,"proto":1,"headers":true}"#);
    let bare = bare.await;
    check_refused(Nats::connect(&settings(&bare)).await, &["n2", "has no JetStream: start it with `-js`"]);
}

#[tokio::test]
async fn wrong_credentials_are_named_with_their_file() {
    let server = NatsServer::configured("authorization { token: \"right\" }");
    check_refused(Nats::connect(&settings(&server.url())).await, &["--nats-creds, --nats-nkey or --nats-token-file"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let with = |authentication| NatsSettings { authentication, ..settings(&server.url()) };
    let token = with(Authentication::TokenFile(file.clone()));
    check_refused(Nats::connect(&token).await, &["reading", "token"]);
    std::fs::write(&file, "wrong\n").unwrap();
    check_refused(Nats::connect(&token).await, &[&server.url(), "does not accept what is in", "token"]);
    std::fs::write(&file, "right\n").unwrap();
    assert!(Nats::connect(&token).await.unwrap().is_up());
    let url = server.url().replace("nats://", "nats://right@");
    assert!(Nats::connect(&settings(&url)).await.unwrap().is_up());
    check_refused(Nats::connect(&with(Authentication::Credentials(file))).await, &["is no credentials file"]);
}

#[tokio::test]
async fn a_user_who_may_not_use_jetstream_is_told_what_to_grant() {
    let server = NatsServer::configured(
        r#"authorization { users = [ { user: "app", password: "x", permissions: { publish: ["order.>"] } } ] }"#,
    );
    let url = server.url().replace("nats://", "nats://app:x@");
    let parts = [server.url().as_str(), "forbids what JetStream needs", "$JS.API.>", "_INBOX.>"].map(str::to_owned);
    check_refused(Nats::connect(&settings(&url)).await, &parts.each_ref().map(String::as_str));
}

#[tokio::test]
async fn an_account_without_jetstream_is_named() {
    let server = NatsServer::configured(
        r#"accounts { BARE { users = [ { user: "app", password: "x" } ] }, JS { jetstream: enabled } }"#,
    );
    let url = server.url().replace("nats://", "nats://app:x@");
    check_refused(Nats::connect(&settings(&url)).await, &["enable JetStream for this user's account"]);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_named() {
    let server = NatsServer::shared();
    let tls = Tls { authorities: Some("no/such/ca.pem".into()), identity: None };
    let connected = Nats::connect(&NatsSettings { tls, ..settings(&server.url()) }).await;
    check_refused(connected, &[&server.url(), "--nats-ca"]);
}

#[tokio::test]
async fn a_cluster_without_a_leader_yet_is_waited_for() {
    let mut servers = NatsServer::forming();
    let first = servers.next().unwrap();
    let settings = settings(&first.url());
    let mut connecting = std::pin::pin!(Nats::connect(&settings));
    // Longer than a server that is no cluster is given, and than the shortest election takes.
    let early = tokio::time::timeout(Duration::from_secs(6), &mut connecting).await;
    assert!(early.is_err(), "{:?}", early.map(|connected| connected.map(|nats| nats.is_up())));
    let _others = servers.collect::<Vec<_>>();
    assert!(connecting.await.unwrap().is_up());
}
