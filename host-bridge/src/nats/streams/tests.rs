//! Provisioning on a real server: created, verified, changed, refused.

use super::{Discard, Plan, ProvisionError, StreamSettings, WantedStream, apply, plan, provision};
use crate::bus::StreamConfig;
use crate::nats::{Nats, NatsSettings};
use crate::subject::SubjectPattern;
use artifacts::nats::NatsServer;
use async_nats::jetstream::stream::{Config, StorageType};
use std::time::Duration;

async fn connect(server: &NatsServer) -> Nats {
    Nats::connect(&NatsSettings { servers: vec![server.url()], ..NatsSettings::default() }).await.unwrap()
}

fn stream(name: &str, subject: &str) -> WantedStream {
    let config = StreamConfig {
        name: name.to_owned(),
        subjects: vec![SubjectPattern::new(subject).unwrap()],
        max_age: Some(Duration::from_secs(7 * 86_400)),
        max_messages: Some(1_000),
    };
    (config, StreamSettings::default())
}

fn shown(plan: &Plan) -> String {
    plan.to_string()
}

#[tokio::test]
async fn what_is_missing_is_created_and_what_is_there_is_kept() {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    let wanted = [stream("ORDERS", "order.>"), stream("SAGAS", "saga.>")];
    let planned = plan(&nats, &wanted[..1]).await.unwrap();
    assert_eq!(
        shown(&planned),
        "+ ORDERS: to be created: subjects order.>, max_age 7d, max_messages 1000, discard new, duplicate_window 2m, \
         1 replica, storage file\n"
    );
    provision(&nats, &wanted[..1]).await.unwrap();
    nats.jetstream().publish("order.created", "{}".into()).await.unwrap().await.unwrap();
    provision(&nats, &wanted).await.unwrap();
    provision(&nats, &wanted).await.unwrap();
    let planned = plan(&nats, &wanted).await.unwrap();
    assert!(planned.is_empty());
    assert_eq!(shown(&planned), "  ORDERS: as expected\n  SAGAS: as expected\n");
    let orders = nats.jetstream().get_stream("ORDERS").await.unwrap();
    assert_eq!(orders.cached_info().state.messages, 1);
}

#[tokio::test]
async fn drift_is_refused_with_what_differs_and_the_command_that_changes_it() {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    provision(&nats, &[stream("ORDERS", "order.>")]).await.unwrap();
    let (mut config, mut settings) = stream("ORDERS", "order.>");
    config.subjects.push(SubjectPattern::new("refund.*").unwrap());
    config.max_age = Some(Duration::from_secs(3_600));
    config.max_messages = None;
    settings.duplicate_window = Some(Duration::from_secs(30));
    settings.discard = Discard::Old;
    let wanted = [(config, settings), stream("NEW", "new.>")];
    let refused = provision(&nats, &wanted).await.unwrap_err().to_string();
    let expected = format!(
        "the streams at {0} are not as the manifest says:\n\
         ~ ORDERS: differs\n\
         \x20   subjects: expected order.> refund.*, found order.>\n\
         \x20   max_age: expected 1h, found 7d\n\
         \x20   max_messages: expected none, found 1000\n\
         \x20   discard: expected old, found new\n\
         \x20   duplicate_window: expected 30s, found 2m\n\
         + NEW: to be created: subjects new.>, max_age 7d, max_messages 1000, discard new, duplicate_window 2m, 1 \
         replica, storage file\n\
         change the manifest, or see what an update would do with `a4co streams plan --nats {0}` and run it with \
         `a4co streams apply --nats {0}`",
        server.url()
    );
    assert_eq!(refused, expected);
    let there = nats.jetstream().get_stream("NEW").await;
    assert!(there.is_err(), "nothing is created where something is refused");
    apply(&nats, &plan(&nats, &wanted).await.unwrap()).await.unwrap();
    provision(&nats, &wanted).await.unwrap();
}

#[tokio::test]
async fn what_others_have_set_on_a_stream_stays() {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    let theirs = Config {
        name: "ORDERS".into(),
        subjects: vec!["order.>".into()],
        max_bytes: 1 << 30,
        description: Some("kept by hand".into()),
        allow_direct: true,
        ..Config::default()
    };
    nats.jetstream().create_stream(theirs).await.unwrap();
    let wanted = [stream("ORDERS", "order.>")];
    apply(&nats, &plan(&nats, &wanted).await.unwrap()).await.unwrap();
    let now = nats.jetstream().get_stream("ORDERS").await.unwrap().cached_info().config.clone();
    assert_eq!((now.max_bytes, now.description.as_deref(), now.allow_direct), (1 << 30, Some("kept by hand"), true));
    assert_eq!(now.max_messages, 1_000);
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_with_words_and_nothing_is_done() {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    let memory = Config {
        name: "ORDERS".into(),
        subjects: vec!["order.>".into()],
        storage: StorageType::Memory,
        ..Config::default()
    };
    nats.jetstream().create_stream(memory).await.unwrap();
    let planned = plan(&nats, &[stream("NEW", "new.>"), stream("ORDERS", "order.>")]).await.unwrap();
    let refused = apply(&nats, &planned).await.unwrap_err();
    assert!(matches!(refused, ProvisionError::Fixed { .. }));
    let refused = refused.to_string();
    let line = "storage: expected file, found memory (cannot be changed: a stream's storage never changes)";
    assert!(refused.contains(line) && refused.contains("`nats stream rm`"), "{refused}");
    assert!(nats.jetstream().get_stream("NEW").await.is_err());
}

#[tokio::test]
async fn what_the_server_refuses_is_explained() {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    provision(&nats, &[stream("THEIRS", "order.*")]).await.unwrap();
    let refused = provision(&nats, &[stream("ORDERS", "order.>")]).await.unwrap_err().to_string();
    let parts = [server.url(), "stream ORDERS at".into(), "its subjects are taken by stream THEIRS".into()];
    assert!(parts.iter().all(|part| refused.contains(part.as_str())), "{refused}");

    let (config, settings) = stream("SAGAS", "saga.>");
    let wanted = [(config, StreamSettings { replicas: Some(3), ..settings })];
    let refused = provision(&nats, &wanted).await.unwrap_err().to_string();
    assert!(refused.contains("cannot keep 3 replicas") && refused.contains("--durability fast"), "{refused}");
}

#[tokio::test]
async fn a_user_who_may_not_create_streams_is_told_who_can() {
    let server = NatsServer::configured(
        r#"authorization { users = [
            { user: "app", password: "x", permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>"] } } } ] }"#,
    );
    let servers = vec![server.url().replace("nats://", "nats://app:x@")];
    let nats = Nats::connect(&NatsSettings { servers, ..NatsSettings::default() }).await.unwrap();
    let refused = provision(&nats, &[stream("ORDERS", "order.>")]).await.unwrap_err().to_string();
    assert!(refused.contains("`$JS.API.STREAM.CREATE.ORDERS`") && refused.contains("a4co streams apply"), "{refused}");
    assert!(!refused.contains("app:x"), "the password is shown: {refused}");
}
