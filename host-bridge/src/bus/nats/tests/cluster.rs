//! Three servers, everything on all of them: the leader of a stream dies under load.

use super::stage::*;
use crate::bus::contract::{event, streams};
use crate::bus::nats::{NatsBus, NatsBusOptions};
use crate::bus::{BusError, EventBus, Settlement};
use crate::clock::SystemClock;
use crate::dispatch::Effect;
use crate::nats::{Nats, NatsSettings, Preset};
use artifacts::nats::NatsServer;
use async_nats::jetstream::stream::Config;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const EVENTS: usize = 240;
/// Longest time without a settlement, from the death of the leader on: an election and a lease.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

async fn open_on_all(servers: &[NatsServer]) -> NatsBus {
    let settings = NatsSettings {
        servers: servers.iter().map(NatsServer::url).collect(),
        preset: Preset::Safe,
        ..NatsSettings::default()
    };
    let nats = Nats::connect(&settings).await.unwrap();
    for stream in streams() {
        let subjects = stream.subjects.iter().map(|subject| subject.as_str().to_owned()).collect();
        let config = Config { name: stream.name, subjects, num_replicas: 3, ..Config::default() };
        // The servers must find each other first.
        until("the cluster has a leader", async || nats.jetstream().get_or_create_stream(config.clone()).await.is_ok())
            .await;
    }
    let clock = Arc::new(SystemClock::default());
    let options =
        NatsBusOptions { prefix: "A4CO".to_owned(), node: "one".to_owned(), streams: streams(), clock, fired: None };
    NatsBus::open(nats, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leaders_of_streams_and_positions_die_under_load_and_nothing_is_lost_or_doubled() {
    let mut servers = NatsServer::cluster();
    let bus = open_on_all(&servers).await;
    let consumer = bus.consume(orders()).await.unwrap();
    let published = Arc::new(AtomicUsize::new(0));
    let publishing = {
        let (bus, published) = (bus.clone(), published.clone());
        tokio::spawn(async move {
            for number in 0..EVENTS {
                // As a caller does: the same event until it is stored.
                while bus.publish(event("order.created", &format!("e{number}"))).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                published.store(number + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    let (mut settled, mut kills, mut longest, mut last) = (0, 0, Duration::ZERO, Instant::now());
    let (mut dead, mut next_kill) = (None, 40);
    while settled < EVENTS {
        let messages = match tokio::time::timeout(DEADLINE, consumer.next(1)).await.expect("events come") {
            Ok(messages) => messages,
            Err(BusError::Unavailable(_)) => Vec::new(),
            Err(error) => panic!("{error}"),
        };
        for message in messages {
            consumer.handed_out(&message).await.unwrap();
            let effect = Effect::Publish(event("stock.low", &format!("effect of {}", message.event.id().unwrap())));
            let settlement = Settlement::Done(vec![effect]);
            while consumer.settle(&message, settlement.clone()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            settled += 1;
            (longest, last) = (longest.max(last.elapsed()), Instant::now());
        }
        if settled >= next_kill {
            next_kill += 80;
            let victim = if kills % 2 == 0 { "ORDERS" } else { "KV_A4CO_POSITIONS" };
            if let Some(number) = dead.take() {
                let server: &mut NatsServer = &mut servers[number];
                server.restart();
            }
            let leader = async || bus.core.look_at(victim).await.ok().and_then(|info| info.cluster?.leader);
            let mut name = None;
            until("it has a leader", async || {
                name = leader().await;
                name.is_some()
            })
            .await;
            let number: usize = name.unwrap().trim_start_matches('n').parse().unwrap();
            until("its replicas are current", async || {
                let info = bus.core.look_at(victim).await.ok();
                let cluster = info.and_then(|info| info.cluster);
                cluster.is_some_and(|cluster| cluster.replicas.iter().all(|replica| replica.current))
            })
            .await;
            servers[number].kill();
            dead = Some(number);
            kills += 1;
            last = Instant::now();
        }
    }
    publishing.await.unwrap();
    assert!(kills >= 3, "{kills} leaders were killed");
    assert_eq!(published.load(Ordering::Relaxed), EVENTS);
    until("both streams answer", async || {
        let orders = bus.core.look_at("ORDERS").await.ok();
        let stock = bus.core.look_at("STOCK").await.ok();
        orders.zip(stock).is_some_and(|(orders, stock)| {
            (orders.state.messages, stock.state.messages) == (EVENTS as u64, EVENTS as u64)
        })
    })
    .await;
    assert!(longest < LONGEST_PAUSE, "nothing was settled for {longest:?}");
    println!("{kills} leaders killed, {settled} events, longest pause {longest:?}");
}
