//! When room is made, when it is not, and who is warned of.

use super::*;
use crate::bus::contract::streams;
use crate::nats::NatsSettings;
use artifacts::nats::NatsServer;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use futures::FutureExt as _;

fn behind(pending: u64, settled_to: u64, oldest_pending_ms: u64) -> ConsumerStatus {
    let (component, stream) = ("saga".to_owned(), "ORDERS".to_owned());
    ConsumerStatus { component, stream, settled_to, pending, oldest_pending_ms, paused: false }
}

fn check(status: &ConsumerStatus, expected: f64) {
    let mut stream = streams().remove(0);
    stream.max_messages = Some(1_000);
    stream.max_age = Some(Duration::from_secs(100));
    let state = json!({ "messages": 1_000, "bytes": 0, "first_seq": 1, "first_ts": "2026-01-15T10:30:00Z",
        "last_seq": 1_000, "last_ts": "2026-01-15T10:30:00Z", "consumer_count": 1 });
    let found = share(status, &stream, &serde_json::from_value(state).unwrap());
    assert!((found - expected).abs() < 1e-9, "{status:?}: {found}");
}

#[test]
fn a_backlog_is_measured_by_number_and_by_age() {
    check(&behind(0, 0, 0), 0.0);
    check(&behind(5, 500, 1_000), 0.5);
    check(&behind(5, 900, 95_000), 0.95);
    check(&behind(1_000, 0, 0), 1.0);
}

#[test]
fn an_alarm_comes_before_the_loss_and_goes_by_itself() {
    let (alarms, status) = (Alarms::default(), behind(900, 100, 0));
    assert_eq!(alarm(&status, 0.89), None);
    let set = |share| alarms.set("saga", "ORDERS", alarm(&status, share));
    set(0.9);
    assert!(alarms.standing()[0].contains("saga is within a tenth of the limit of stream ORDERS"));
    set(1.0);
    assert!(alarms.standing()[0].contains("has reached the limit"));
    set(0.1);
    assert!(alarms.standing().is_empty());
}

/// A stream that takes 100 events and refuses more, on a server; and a keeper of it that is told of these consumers.
async fn full(server: &NatsServer, consumers: Arc<Mutex<Vec<ConsumerStatus>>>) -> (Nats, Keeper) {
    let nats = Nats::connect(&NatsSettings { servers: vec![server.url()], ..NatsSettings::default() }).await.unwrap();
    let mut stream = streams().remove(0);
    stream.max_messages = Some(100);
    let config = Config {
        name: "ORDERS".into(),
        subjects: vec!["order.>".into()],
        max_messages: 100,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    nats.jetstream().create_stream(config).await.unwrap();
    let standings: Standings = Arc::new(move || std::future::ready(Ok(consumers.lock().clone())).boxed());
    let keeper = Keeper::new(nats.clone(), standings, vec![stream], Arc::new(Metrics::new()));
    (nats, keeper)
}

async fn publish(nats: &Nats, count: usize) -> Result<(), String> {
    for _ in 0..count {
        let sent = nats.jetstream().publish("order.created", "{}".into()).await.map_err(|error| error.to_string())?;
        sent.await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn first_and_count(nats: &Nats) -> (u64, u64) {
    let state = nats.jetstream().get_stream("ORDERS").await.unwrap().cached_info().state.clone();
    (state.first_sequence, state.messages)
}

#[tokio::test]
async fn room_is_made_of_what_everybody_has_settled_and_of_nothing_else() {
    let server = NatsServer::start();
    let consumers = Arc::new(Mutex::new(vec![behind(50, 50, 0), behind(70, 30, 0)]));
    let (nats, keeper) = full(&server, consumers.clone()).await;
    publish(&nats, 80).await.unwrap();
    assert!(!keeper.look().await, "it is not near its limit");
    publish(&nats, 20).await.unwrap();
    assert!(publish(&nats, 1).await.is_err(), "a full stream refuses");
    assert!(keeper.look().await);
    assert_eq!(first_and_count(&nats).await, (31, 70));
    publish(&nats, 30).await.unwrap();
    assert!(publish(&nats, 1).await.is_err());

    // Nothing more goes while the slowest is where it was, and whoever holds it up is named.
    keeper.look().await;
    assert_eq!(first_and_count(&nats).await, (31, 100));
    let standing = keeper.alarms().standing();
    assert!(standing.iter().any(|alarm| alarm.contains("stream ORDERS is nearly full") && alarm.contains("saga")));
    *consumers.lock() = vec![behind(0, 30, 0)];
    keeper.look().await;
    assert_eq!(first_and_count(&nats).await, (71, 60));
    assert!(keeper.alarms().standing().is_empty());
}

#[tokio::test]
async fn what_another_programs_consumer_has_not_acknowledged_stays() {
    let server = NatsServer::start();
    let (nats, keeper) = full(&server, Arc::new(Mutex::new(vec![behind(0, 0, 0)]))).await;
    let durable = pull::Config { durable_name: Some("theirs".into()), ..pull::Config::default() };
    let consumer = nats.jetstream().create_consumer_on_stream(durable, "ORDERS").await.unwrap();
    publish(&nats, 100).await.unwrap();
    keeper.look().await;
    assert_eq!(first_and_count(&nats).await, (1, 100));
    let standing = keeper.alarms().standing();
    assert!(standing.iter().any(|alarm| alarm.contains("theirs has not handled the oldest")), "{standing:?}");
    let mut messages = consumer.fetch().max_messages(25).messages().await.unwrap();
    while let Some(message) = futures::StreamExt::next(&mut messages).await {
        message.unwrap().double_ack().await.unwrap();
    }
    keeper.look().await;
    assert_eq!(first_and_count(&nats).await, (26, 75));
}

#[tokio::test]
async fn consumers_are_asked_about_once_for_all_streams_and_one_that_is_missing_stops_none() {
    let server = NatsServer::shared();
    let nats = Nats::connect(&NatsSettings { servers: vec![server.url()], ..NatsSettings::default() }).await.unwrap();
    // Nobody made the first of them.
    let streams: Vec<_> = ["KEPT_A", "KEPT_B", "KEPT_C"]
        .map(|name| StreamConfig {
            name: name.to_owned(),
            max_age: Some(Duration::from_secs(100)),
            ..streams().remove(0)
        })
        .into();
    for stream in &streams[1..] {
        let config = Config { name: stream.name.clone(), subjects: vec![stream.name.clone()], ..Config::default() };
        nats.jetstream().create_stream(config).await.unwrap();
    }
    let asked = Arc::new(Mutex::new(0));
    let counted = asked.clone();
    let standings: Standings = Arc::new(move || {
        *counted.lock() += 1;
        let one = ConsumerStatus { stream: "KEPT_B".to_owned(), ..behind(5, 0, 99_000) };
        std::future::ready(Ok(vec![one])).boxed()
    });
    let keeper = Keeper::new(nats, standings, streams, Arc::new(Metrics::new()));
    assert!(!keeper.look().await);
    assert_eq!(*asked.lock(), 1);
    let standing = keeper.alarms().standing();
    assert!(standing.len() == 1 && standing[0].contains("KEPT_B"), "{standing:?}");
}
