//! One holder at a time, and what a new one begins with.

use super::stage::*;
use crate::bus::{BusError, Consumer, EventBus};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

fn counted(messages: &[crate::bus::Message]) -> Vec<(u64, u32, u32)> {
    messages.iter().map(|message| (message.sequence, message.failures, message.unanswered)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_holder_begins_with_what_is_unsettled_and_its_counts() {
    let (url, clock) = (account(), Arc::new(clock()));
    let (one, two) = (open(&url, "one", clock.clone()).await, open(&url, "two", clock).await);
    publish(&one, &["a", "b", "c", "d", "e", "f"]).await;
    let consumer = one.consume(orders()).await.unwrap();
    let messages = take(&consumer, 4).await;
    assert_eq!(two.consume(orders()).await.err(), Some(BusError::Held("one/ORDERS".to_owned())));
    settle(&consumer, &messages[0], &[]).await.unwrap();
    settle(&consumer, &messages[2], &[]).await.unwrap();
    consumer.handed_out(&messages[1]).await.unwrap();
    consumer.retry_at(&messages[1], crate::clock::Millis(1), true).await.unwrap();
    consumer.handed_out(&messages[3]).await.unwrap();
    let waiting = tokio::spawn(async move {
        let consumer = wait_and_open(&two, &orders()).await;
        (two, consumer)
    });
    publish(&one, &["g"]).await;
    drop(consumer);
    let (_two, consumer) = waiting.await.unwrap();
    assert_eq!(consumer.backlog_end(), 7);
    let messages = take(&consumer, 5).await;
    assert_eq!(counted(&messages), [(2, 1, 0), (4, 0, 1), (5, 0, 0), (6, 0, 0), (7, 0, 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_was_stopped_for_too_long_is_fenced_off() {
    let (url, clock) = (account(), Arc::new(clock()));
    let (one, two) = (open(&url, "one", clock.clone()).await, open(&url, "two", clock).await);
    publish(&one, &["a", "b"]).await;
    let former = one.consume(orders()).await.unwrap();
    let message = take(&former, 1).await.remove(0);
    former.handed_out(&message).await.unwrap();
    stop(&one, "one/ORDERS", true);
    let began = Instant::now();
    let holder = wait_and_open(&two, &orders()).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "taken over after {:?}", began.elapsed());
    let again = take(&holder, 1).await.remove(0);
    assert_eq!((again.sequence, again.event.id()), (message.sequence, Some("a")));
    let handing = tokio::time::timeout(Duration::from_millis(50), former.handed_out(&message)).await;
    assert!(handing.is_err(), "without a lease nothing is handed out");
    settle(&holder, &again, &[("stock.low", "effect")]).await.unwrap();
    // The former holder goes on where it was: its handler had answered.
    stop(&one, "one/ORDERS", false);
    let late = settle(&former, &message, &[("stock.low", "effect")]).await;
    assert!(matches!(late, Err(BusError::Lost(_))), "{late:?}");
    assert!(matches!(former.next(1).await, Err(BusError::Lost(_))));
    assert_eq!(former.leave().await, crate::bus::Leave::AtOnce);
    assert_eq!(stored(&two, "STOCK").await, 1, "one effect");
    assert_eq!(take(&holder, 1).await.remove(0).event.id(), Some("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_is_replaced_when_its_lease_has_run_out_or_at_once_by_its_successor() {
    let (url, clock) = (account(), Arc::new(clock()));
    let first = open(&url, "one", clock.clone()).await;
    publish(&first, &["a", "b"]).await;
    let consumer = first.consume(orders()).await.unwrap();
    assert_eq!(take(&consumer, 1).await.remove(0).event.id(), Some("a"));
    stop(&first, "one/ORDERS", true);
    let successor = open(&url, "one", clock.clone()).await;
    let began = Instant::now();
    let consumer = successor.consume(orders()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "its successor waited {:?}", began.elapsed());
    assert_eq!(take(&consumer, 1).await.remove(0).event.id(), Some("a"));
    stop(&successor, "one/ORDERS", true);
    let other = open(&url, "other", clock).await;
    let began = Instant::now();
    let consumer = wait_and_open(&other, &orders()).await;
    assert!((Duration::from_secs(2)..Duration::from_secs(8)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(take(&consumer, 2).await[1].event.id(), Some("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_unclean_end_each_hand_out_is_counted_before_the_call() {
    let (url, clock) = (account(), Arc::new(clock()));
    let mut unanswered = 0;
    let mut gone = Vec::new();
    for round in 0..4 {
        let bus = open(&url, "one", clock.clone()).await;
        if round == 0 {
            publish(&bus, &["killer"]).await;
        }
        let consumer = bus.consume(orders()).await.unwrap();
        let message = take(&consumer, 1).await.remove(0);
        if round > 1 {
            assert_eq!(message.unanswered, unanswered + 1, "round {round}");
        }
        unanswered = message.unanswered;
        consumer.handed_out(&message).await.unwrap();
        // Dead in this instant: nothing that was not written before is ever written.
        stop(&bus, "one/ORDERS", true);
        gone.push((bus, consumer));
    }
    assert!(unanswered >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settlements_that_come_together_share_writes() {
    let (url, clock) = (account(), Arc::new(clock()));
    let bus = open(&url, "one", clock).await;
    let ids: Vec<_> = (0..200).map(|number| format!("e{number}")).collect();
    publish(&bus, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let consumer = bus.consume(orders()).await.unwrap();
    let messages = take(&consumer, 200).await;
    let before = bus.core.position("one", "ORDERS").await.unwrap().beat;
    let settling = messages.iter().map(|message| settle(&consumer, message, &[]));
    for settled in futures::future::join_all(settling).await {
        settled.unwrap();
    }
    let position = bus.core.position("one", "ORDERS").await.unwrap();
    assert_eq!((position.settled_to(), position.outstanding.len()), (200, 0));
    assert!(position.beat - before < 50, "{} writes for 200 settlements", position.beat - before);
    let consumer: Arc<dyn Consumer> = consumer;
    drop(consumer);
}
