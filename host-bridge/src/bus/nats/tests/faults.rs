//! Servers that die, forget and lose things.

use super::stage::*;
use crate::bus::contract::event;
use crate::bus::{BusError, EventBus};
use artifacts::nats::NatsServer;
use futures::TryStreamExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_and_counts_survive_the_kill_of_the_server() {
    let mut server = NatsServer::start();
    let bus = open(&server.url(), "one", Arc::new(clock())).await;
    publish(&bus, &["a", "b", "c"]).await;
    let consumer = bus.consume(orders()).await.unwrap();
    let messages = take(&consumer, 3).await;
    settle(&consumer, &messages[0], &[]).await.unwrap();
    consumer.retry_at(&messages[1], crate::clock::Millis(1), true).await.unwrap();
    server.kill();
    server.restart();
    // The settlement waits for the server and needs nobody's help.
    let settled = tokio::time::timeout(DEADLINE, settle(&consumer, &messages[2], &[])).await;
    settled.expect("it recovers").unwrap();
    drop(consumer);
    let consumer = wait_and_open(&bus, &orders()).await;
    let left = take(&consumer, 1).await.remove(0);
    assert_eq!((left.sequence, left.failures), (2, 1));
    let none = tokio::time::timeout(Duration::from_millis(300), consumer.next(1)).await;
    assert!(none.is_err(), "nothing else is left: {none:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_it_says_so_at_once_and_then_goes_on() {
    let mut server = NatsServer::start();
    let bus = open(&server.url(), "one", Arc::new(clock())).await;
    let consumer = bus.consume(orders()).await.unwrap();
    publish(&bus, &["a"]).await;
    let message = take(&consumer, 1).await.remove(0);
    let next = consumer.clone();
    let waiting = tokio::spawn(async move { next.next(1).await });
    server.kill();
    until("the end is noticed", async || !bus.core.nats.is_up()).await;
    let began = Instant::now();
    let refused = bus.publish(event("order.created", "b")).await;
    assert!(matches!(refused, Err(BusError::Unavailable(_))), "{refused:?}");
    let unsettled = settle(&consumer, &message, &[("stock.low", "x")]).await;
    assert!(matches!(unsettled, Err(BusError::Unavailable(_))), "{unsettled:?}");
    assert!(began.elapsed() < Duration::from_millis(500), "it took {:?}", began.elapsed());
    // Longer than any lease.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let handing = tokio::time::timeout(Duration::from_millis(50), consumer.handed_out(&message)).await;
    assert!(handing.is_err(), "without a lease nothing is handed out");
    server.restart();
    let began = Instant::now();
    until("it is published", async || bus.publish(event("order.created", "b")).await.is_ok()).await;
    let messages = tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(messages[0].event.id(), Some("b"));
    assert!(began.elapsed() < Duration::from_secs(5), "normal again after {:?}", began.elapsed());
    consumer.handed_out(&message).await.unwrap();
    settle(&consumer, &message, &[("stock.low", "x")]).await.unwrap();
    assert_eq!(stored(&bus, "STOCK").await, 1);
}

/// What was asked of a server that died will not be answered: nobody waits until that would be a fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_kill_of_the_server_events_come_before_its_silence_would_count() {
    let mut server = NatsServer::start();
    let bus = open(&server.url(), "one", Arc::new(clock())).await;
    let consumer = bus.consume(orders()).await.unwrap();
    publish(&bus, &["warm"]).await;
    take(&consumer, 1).await;
    for id in ["a", "b", "c"] {
        server.kill();
        server.restart();
        let began = Instant::now();
        until("it is published", async || bus.publish(event("order.created", id)).await.is_ok()).await;
        assert_eq!(take(&consumer, 1).await.remove(0).event.id(), Some(id));
        assert!(began.elapsed() < Duration::from_secs(2), "{id} came after {:?}", began.elapsed());
    }
}

/// Every request is answered late or never, and carried out late: each outcome is unknown for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_for_longer_than_any_timeout_loses_and_doubles_nothing() {
    let server = NatsServer::start();
    let clock = Arc::new(clock());
    let (bus, other) = (open(&server.url(), "one", clock.clone()).await, open(&server.url(), "two", clock).await);
    let consumer = bus.consume(orders()).await.unwrap();
    let waiting = tokio::spawn(async move { wait_and_open(&other, &orders()).await.source() });
    let mut unknown = 0;
    for round in 0..2 {
        let ids: Vec<_> = (0..8).map(|number| format!("e{round}-{number}")).collect();
        publish(&bus, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let messages = take(&consumer, 8).await;
        server.pause();
        let settling = messages.iter().map(|message| {
            let effect = format!("effect of {}", message.event.id().unwrap());
            let consumer = &consumer;
            async move {
                let mut unknown = 0;
                // As the trigger does: again until it is taken.
                while settle(consumer, message, &[("stock.low", &effect)]).await.is_err() {
                    unknown += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                unknown
            }
        });
        let resumed = async {
            tokio::time::sleep(Duration::from_millis(4_500)).await;
            server.resume();
        };
        let (outcomes, ()) = tokio::join!(futures::future::join_all(settling), resumed);
        unknown += outcomes.into_iter().sum::<usize>();
    }
    assert!(unknown > 0, "no outcome was unknown");
    assert_eq!(stored(&bus, "STOCK").await, 16, "each effect once");
    let position = bus.core.position("one", "ORDERS").await.unwrap();
    assert_eq!((position.settled_to(), position.outstanding.len()), (16, 0));
    assert!(!waiting.is_finished(), "a holder that lives is not replaced because the server was slow");
    waiting.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_deleted_on_the_server_is_made_anew() {
    let url = account();
    let bus = open(&url, "one", Arc::new(clock())).await;
    let consumer = bus.consume(orders()).await.unwrap();
    let mut injected = 0;
    for round in 0..3 {
        let (first, second) = (format!("{round}-first"), format!("{round}-second"));
        publish(&bus, &[&first]).await;
        assert_eq!(take(&consumer, 1).await.remove(0).event.id(), Some(first.as_str()));
        let stream = bus.core.nats.jetstream().get_stream("ORDERS").await.unwrap();
        let names: Vec<String> = stream.consumer_names().try_collect().await.unwrap();
        for name in names {
            injected += usize::from(stream.delete_consumer(&name).await.is_ok());
        }
        publish(&bus, &[&second]).await;
        assert_eq!(take(&consumer, 1).await.remove(0).event.id(), Some(second.as_str()));
    }
    assert!(injected >= 3, "{injected} consumers were deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_created_anew_is_another_source_read_from_its_first_event() {
    let url = account();
    let bus = open(&url, "one", Arc::new(clock())).await;
    let consumer = bus.consume(orders()).await.unwrap();
    publish(&bus, &["a", "b"]).await;
    let before = bus.publish(event("order.created", "c")).await.unwrap();
    let messages = take(&consumer, 3).await;
    settle(&consumer, &messages[0], &[]).await.unwrap();
    bus.core.nats.jetstream().delete_stream("ORDERS").await.unwrap();
    provide(&bus.core.nats).await;
    let lost = tokio::time::timeout(DEADLINE, consumer.next(1)).await.expect("it is noticed");
    assert!(matches!(lost, Err(BusError::Lost(_))), "{lost:?}");
    let source = consumer.source();
    drop(consumer);
    publish(&bus, &["a", "d"]).await;
    let consumer = wait_and_open(&bus, &orders()).await;
    assert_ne!(consumer.source(), source);
    let messages = take(&consumer, 2).await;
    assert_eq!(
        messages.iter().map(|one| (one.sequence, one.event.id())).collect::<Vec<_>>(),
        [(1, Some("a")), (2, Some("d"))]
    );
    let after = bus.publish(event("order.created", "e")).await.unwrap();
    assert_ne!(after.incarnation, before.incarnation);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_refuses_and_loses_nothing() {
    let url = account();
    let nats = connect(&url).await;
    let config = async_nats::jetstream::stream::Config {
        name: "ORDERS".to_owned(),
        subjects: vec!["order.>".to_owned()],
        max_messages: 2,
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        ..Default::default()
    };
    nats.jetstream().create_stream(config).await.unwrap();
    provide(&nats).await;
    let bus = open_on(nats, "one", Arc::new(clock())).await;
    publish(&bus, &["a", "b"]).await;
    let refused = bus.publish(event("order.created", "c")).await;
    assert!(matches!(refused, Err(BusError::StreamFull(_))), "{refused:?}");
    let consumer = bus.consume(orders()).await.unwrap();
    assert_eq!(take(&consumer, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_is_said_to_be() {
    let url = account();
    let bus = open(&url, "one", Arc::new(clock())).await;
    let small = event("order.created", "a");
    let body = vec![b'x'; 9 << 20];
    let large = crate::event::Event::new(small.subject.clone(), body.into(), small.headers.clone());
    let refused = bus.publish(Arc::new(large)).await;
    assert!(matches!(refused, Err(BusError::TooLarge(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_somebody_changed_is_refused_with_what_differs() {
    let url = account();
    let nats = connect(&url).await;
    provide(&nats).await;
    let config = async_nats::jetstream::stream::Config {
        name: "KV_A4CO_POSITIONS".to_owned(),
        subjects: vec!["$KV.A4CO_POSITIONS.>".to_owned()],
        max_messages_per_subject: 5,
        allow_direct: true,
        ..Default::default()
    };
    nats.jetstream().create_stream(config).await.unwrap();
    let options = crate::bus::nats::NatsBusOptions {
        prefix: "A4CO".to_owned(),
        node: "one".to_owned(),
        streams: crate::bus::contract::streams(),
        clock: Arc::new(clock()),
        fired: None,
    };
    let refused = crate::bus::nats::NatsBus::open(nats, options).await.err().unwrap().to_string();
    assert!(refused.contains("messages per subject is 5, expected 1"), "{refused}");
    assert!(refused.contains("direct reads is true, expected false"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_sees_what_is_published_from_then_on() {
    let url = account();
    let bus = open(&url, "one", Arc::new(clock())).await;
    publish(&bus, &["before"]).await;
    let mut tail = bus.tail();
    // It begins with the stream's end as the server tells it, a moment after the call.
    let mut seen = Vec::new();
    let mut number = 0;
    let began = Instant::now();
    while seen.is_empty() {
        assert!(began.elapsed() < DEADLINE, "nothing is seen");
        number += 1;
        publish(&bus, &[&format!("after {number}")]).await;
        if let Ok(Ok(event)) = tokio::time::timeout(Duration::from_millis(100), tail.recv()).await {
            seen.push(event.id().unwrap_or("-").to_owned());
        }
    }
    assert!(seen[0].starts_with("after"), "{seen:?}");
}
