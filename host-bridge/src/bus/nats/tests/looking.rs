//! What operators look up.

use super::stage::*;
use crate::bus::contract::event;
use crate::bus::nats::replays::Place;
use crate::bus::{DeadLetterCause, EventBus, Message};
use crate::clock::SystemClock;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_many_letters_have_no_gap_though_some_are_gone() {
    let url = account();
    let bus = open(&url, "one", Arc::new(clock())).await;
    let cause = |number: u64| DeadLetterCause {
        kind: "rejected".to_owned(),
        reason: number.to_string(),
        path: None,
        deliveries: 1,
        component_digest: None,
    };
    for sequence in 1..=600 {
        let event = event("order.created", &format!("e{sequence}"));
        let message = Message { sequence, event, failures: 0, unanswered: 0, not_before: None, replay: 0 };
        let place = Place { component: "one", stream: "ORDERS", origin: sequence };
        bus.core.bury(place, "one/ORDERS#1", &message, &cause(sequence)).await.unwrap();
    }
    // A gap wider than what is looked through at once.
    let all = bus.dead_letters(1_000, None).await.unwrap();
    assert_eq!(all.len(), 600);
    for letter in all.iter().filter(|letter| (100..500).contains(&letter.sequence)) {
        bus.discard(&letter.id).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = bus.dead_letters(50, before).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        seen.extend(page.into_iter().map(|letter| letter.sequence));
    }
    let expected: Vec<u64> = (1..=600).rev().filter(|sequence| !(100..500).contains(sequence)).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correlation_that_tells_when_it_began_is_found_from_there() {
    let url = account();
    let bus = open(&url, "one", Arc::new(SystemClock::default())).await;
    for number in 0..40 {
        bus.publish(event("order.created", &format!("before-{number}"))).await.unwrap();
    }
    let id = uuid::Uuid::now_v7().simple().to_string();
    for (subject, number) in [("order.created", 1), ("stock.low", 2), ("order.paid", 3)] {
        bus.publish(event(subject, &format!("{id}-{number}"))).await.unwrap();
    }
    bus.publish(event("order.created", "after-1")).await.unwrap();
    let found = bus.correlated(&id, 10).await.unwrap();
    let ids: Vec<_> = found.iter().map(|event| event.id().unwrap().to_owned()).collect();
    assert_eq!(ids, [format!("{id}-1"), format!("{id}-2"), format!("{id}-3")]);
    // One that began after everything there is.
    let future = uuid::Uuid::new_v7(uuid::Timestamp::from_unix_time(4_000_000_000, 0, 0, 0)).to_string();
    assert!(bus.correlated(&future, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_old_events_come_beside_a_later_subscription_each_once() {
    use crate::bus::Start;
    use crate::bus::contract::subscription;
    let url = account();
    let bus = open(&url, "one", Arc::new(clock())).await;
    let first = subscription("one", "ORDERS", &[("order.created", Start::All)]);
    drop(bus.consume(first).await.unwrap());
    let events: Vec<_> = (0..600).map(|number| event("order.paid", &format!("e{number}"))).collect();
    bus.core.publish_all(&events.iter().collect::<Vec<_>>()).await.unwrap();
    let both = subscription("one", "ORDERS", &[("order.created", Start::All), ("order.paid", Start::All)]);
    let consumer = wait_and_open(&bus, &both).await;
    bus.publish(event("order.paid", "new")).await.unwrap();
    let messages = take(&consumer, 601).await;
    let (new, old): (Vec<_>, Vec<_>) = messages.iter().partition(|message| message.replay == 0);
    assert_eq!(new.iter().map(|message| message.event.id()).collect::<Vec<_>>(), [Some("new")]);
    let old: Vec<_> = old.iter().map(|message| message.event.id().unwrap().to_owned()).collect();
    assert_eq!(old, (0..600).map(|number| format!("e{number}")).collect::<Vec<_>>());
}

/// Every settlement rewrites the consumer's position: it must not be missing in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_consumer_is_always_listed() {
    let url = account();
    let bus = Arc::new(open(&url, "one", Arc::new(SystemClock::default())).await);
    let ids: Vec<String> = (0..400).map(|number| format!("e{number}")).collect();
    publish(&bus, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let consumer = wait_and_open(&bus, &orders()).await;
    let busy = tokio::spawn(async move {
        for _ in 0..400 {
            for message in take(&consumer, 1).await {
                settle(&consumer, &message, &[]).await.unwrap();
            }
        }
    });
    let mut looks = 0;
    while !busy.is_finished() {
        let listed = bus.consumers().await.unwrap();
        assert_eq!(listed.len(), 1, "after {looks} looks");
        looks += 1;
    }
    busy.await.unwrap();
    assert!(looks >= 10, "it was looked {looks} times only");
    assert_eq!(bus.consumers().await.unwrap()[0].pending, 0);
}
