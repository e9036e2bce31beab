//! Publishing, consuming, settling: the order, the positions, what survives a restart.

use super::*;
use crate::bus::BusError;
use std::collections::BTreeSet;

/// Every publisher is told where its event lies; a repeat is the same event, a subject nobody takes is refused.
pub async fn a_receipt_tells_where_the_event_lies(bench: impl Bench) {
    let bus = bench.bus();
    let first = bus.publish(event("order.created", "a")).await.unwrap();
    let second = bus.publish(event("order.created", "b")).await.unwrap();
    let elsewhere = bus.publish(event("stock.low", "c")).await.unwrap();
    assert_eq!((first.stream.as_str(), first.sequence, first.duplicate), ("ORDERS", 1, false));
    assert_eq!((second.sequence, second.duplicate), (2, false));
    assert_eq!((elsewhere.stream.as_str(), elsewhere.sequence), ("STOCK", 1));
    assert!(first.watermark < second.watermark && second.watermark < elsewhere.watermark);
    let again = bus.publish(event("order.created", "a")).await.unwrap();
    assert_eq!((again.sequence, again.duplicate), (1, true));
    assert_eq!(bus.publish(event("order.created", "d")).await.unwrap().sequence, 3);
    let nowhere = bus.publish(event("invoice.sent", "e")).await;
    assert_eq!(nowhere.unwrap_err(), BusError::NoStream("invoice.sent".to_owned()));
}

/// A repeat is known over a restart too.
pub async fn a_repeat_is_known_after_a_restart(mut bench: impl Bench) {
    let first = bench.bus().publish(event("order.created", "a")).await.unwrap();
    bench.restart().await;
    let again = bench.bus().publish(event("order.created", "a")).await.unwrap();
    assert_eq!((again.sequence, again.duplicate, again.incarnation), (1, true, first.incarnation));
}

/// Each consumer gets what its filters cover, in the stream's order, once.
pub async fn consumers_get_what_they_want_in_order(bench: impl Bench) {
    let bus = bench.bus();
    let all = open(&bus, "all").await;
    let some = bus.consume(subscription("some", "ORDERS", &[("order.paid", Start::All)])).await.unwrap();
    let subjects = ["order.created", "order.paid", "order.item.added", "order.paid", "order.shipped"];
    for (number, subject) in subjects.into_iter().enumerate() {
        bus.publish(event(subject, &format!("e{number}"))).await.unwrap();
    }
    bus.publish(event("stock.low", "other")).await.unwrap();
    let messages = take(&all, 5).await;
    assert_eq!((ids(&messages), sequences(&messages)), (vec!["e0", "e1", "e2", "e3", "e4"], vec![1, 2, 3, 4, 5]));
    assert!(messages.iter().all(|one| (one.failures, one.unanswered, one.not_before, one.replay) == (0, 0, None, 0)));
    assert_eq!(sequences(&take(&some, 2).await), [2, 4]);
    assert!(has_none(&all).await && has_none(&some).await);
    assert!(all.source().starts_with("all/ORDERS#"));
    assert_eq!(&*all.replay_source(), "all/dlq/ORDERS");
}

/// A sleeping consumer is woken by what is published.
pub async fn a_waiting_consumer_is_woken(bench: impl Bench) {
    let bus = bench.bus();
    let consumer = open(&bus, "one").await;
    let sleeper = consumer.clone();
    let waiting = tokio::spawn(async move { sleeper.next(10).await });
    tokio::task::yield_now().await;
    bus.publish(event("order.created", "a")).await.unwrap();
    let messages = tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(ids(&messages), ["a"]);
}

/// A new consumer starts at what comes, or at the oldest, as each of its filters says.
pub async fn a_consumer_starts_where_it_says(bench: impl Bench) {
    let bus = bench.bus();
    bus.publish(event("order.created", "old")).await.unwrap();
    bus.publish(event("order.paid", "old-paid")).await.unwrap();
    let new = bus.consume(subscription("new", "ORDERS", &[("order.>", Start::New)])).await.unwrap();
    let mixed = [("order.created", Start::New), ("order.paid", Start::All)];
    let mixed = bus.consume(subscription("mixed", "ORDERS", &mixed)).await.unwrap();
    bus.publish(event("order.created", "fresh")).await.unwrap();
    assert_eq!(ids(&take(&new, 1).await), ["fresh"]);
    assert_eq!(ids(&take(&mixed, 2).await), ["old-paid", "fresh"]);
}

/// A message that is settled does not come again; the others do, with what they counted.
pub async fn a_restart_resumes(mut bench: impl Bench) {
    let bus = bench.bus();
    for number in 1..=5 {
        bus.publish(event("order.created", &format!("e{number}"))).await.unwrap();
    }
    let consumer = open(&bus, "one").await;
    let messages = take(&consumer, 4).await;
    settle(&consumer, &messages[0], Vec::new()).await;
    settle(&consumer, &messages[2], Vec::new()).await;
    consumer.handed_out(&messages[1]).await.unwrap();
    consumer.retry_at(&messages[1], at(9_000), true).await.unwrap();
    consumer.handed_out(&messages[1]).await.unwrap();
    consumer.retry_at(&messages[1], at(10_000), true).await.unwrap();
    consumer.handed_out(&messages[3]).await.unwrap();
    drop((consumer, bus));
    bench.restart().await;
    let consumer = open(&bench.bus(), "one").await;
    let messages = take(&consumer, 3).await;
    assert_eq!(sequences(&messages), [2, 4, 5]);
    let counted = |message: &Message| (message.failures, message.unanswered, message.not_before);
    assert_eq!(counted(&messages[0]), (2, 0, Some(at(10_000))));
    assert_eq!(counted(&messages[1]), (0, 1, None));
    assert_eq!(counted(&messages[2]), (0, 0, None));
    assert!(consumer.backlog_end() >= 5);
}

/// A hand-out that was taken back, or answered without a failure, spends nothing.
pub async fn a_released_hand_out_does_not_count(mut bench: impl Bench) {
    let bus = bench.bus();
    bus.publish(event("order.created", "a")).await.unwrap();
    bus.publish(event("order.created", "b")).await.unwrap();
    let consumer = open(&bus, "one").await;
    let messages = take(&consumer, 2).await;
    for message in &messages {
        consumer.handed_out(message).await.unwrap();
    }
    consumer.release(&messages[..1]).await.unwrap();
    consumer.retry_at(&messages[1], at(500), false).await.unwrap();
    drop((consumer, bus));
    bench.restart().await;
    let messages = take(&open(&bench.bus(), "one").await, 2).await;
    let counted: Vec<_> = messages.iter().map(|one| (one.failures, one.unanswered, one.not_before)).collect();
    assert_eq!(counted, [(0, 0, None), (0, 0, Some(at(500)))]);
}

/// What a settled message leads to is published once, however often it is settled.
pub async fn settling_publishes_once(bench: impl Bench) {
    let bus = bench.bus();
    bus.publish(event("order.created", "a")).await.unwrap();
    let consumer = open(&bus, "one").await;
    let stock = bus.consume(subscription("two", "STOCK", &[("stock.>", Start::All)])).await.unwrap();
    let message = take_one(&consumer).await;
    for effect in ["first", "second"] {
        settle(&consumer, &message, vec![Effect::Publish(event("stock.low", effect))]).await;
    }
    assert_eq!(ids(&take(&stock, 1).await), ["first"]);
    assert!(has_none(&stock).await && has_none(&consumer).await);
}

/// A consumer that is paused hands out nothing, over a restart too, until it is resumed.
pub async fn a_paused_consumer_waits(mut bench: impl Bench) {
    let bus = bench.bus();
    drop(open(&bus, "one").await);
    bus.pause("one", "ORDERS", true).await.unwrap();
    bus.publish(event("order.created", "a")).await.unwrap();
    drop(bus);
    bench.restart().await;
    let bus = bench.bus();
    let consumer = open(&bus, "one").await;
    assert!(bus.consumers().await.unwrap()[0].paused);
    assert!(has_none(&consumer).await);
    let sleeper = consumer.clone();
    let waiting = tokio::spawn(async move { sleeper.next(10).await });
    tokio::task::yield_now().await;
    bus.pause("one", "ORDERS", false).await.unwrap();
    // A bus that is shared wakes its readers with what comes next at the latest.
    bus.publish(event("order.created", "b")).await.unwrap();
    let messages = tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(ids(&messages)[0], "a");
    assert!(matches!(bus.pause("nobody", "ORDERS", true).await, Err(BusError::NotFound(_))));
}

/// How a consumer stands: what it settled without a gap, what is left, how old that is.
pub async fn the_status_tells_what_is_left(bench: impl Bench) {
    let bus = bench.bus();
    let consumer = bus.consume(subscription("one", "ORDERS", &[("order.paid", Start::All)])).await.unwrap();
    for (number, subject) in ["order.paid", "order.created", "order.paid", "order.paid"].into_iter().enumerate() {
        bench.clock().advance(Duration::from_secs(1));
        bus.publish(event(subject, &format!("e{number}"))).await.unwrap();
    }
    let stands = || async {
        let status = bus.consumers().await.unwrap().remove(0);
        (status.settled_to, status.pending, status.oldest_pending_ms)
    };
    assert_eq!(stands().await.1, 3);
    assert_eq!(stands().await.2, 3_000);
    let messages = take(&consumer, 3).await;
    settle(&consumer, &messages[1], Vec::new()).await;
    assert_eq!(stands().await, (0, 2, 3_000));
    settle(&consumer, &messages[0], Vec::new()).await;
    assert_eq!(stands().await, (3, 1, 0));
    settle(&consumer, &messages[2], Vec::new()).await;
    assert_eq!(stands().await, (4, 0, 0));
    let status = bus.consumers().await.unwrap();
    assert_eq!((status.len(), status[0].component.as_str(), status[0].stream.as_str()), (1, "one", "ORDERS"));
    assert!(!status[0].paused);
}

/// Two holders of one consumer would lose the order: the second is refused until the first has let go.
pub async fn a_consumer_has_one_holder(bench: impl Bench) {
    let bus = bench.bus();
    let first = open(&bus, "one").await;
    let filters = [("order.>", Start::All)];
    let second = bus.consume(subscription("one", "ORDERS", &filters)).await;
    assert_eq!(second.err().unwrap(), BusError::Held("one/ORDERS".to_owned()));
    assert!(bus.consume(subscription("one", "STOCK", &[("stock.>", Start::All)])).await.is_ok());
    drop(first);
    assert!(bus.consume(subscription("one", "ORDERS", &filters)).await.is_ok());
    let nowhere = bus.consume(subscription("one", "NONE", &filters)).await;
    assert!(matches!(nowhere.err().unwrap(), BusError::NotFound(_)));
}

/// The events of one correlation come back in the order they happened, over all streams.
pub async fn events_of_one_correlation_are_found(bench: impl Bench) {
    let bus = bench.bus();
    for (subject, id) in
        [("order.created", "x-1"), ("order.created", "y-1"), ("stock.low", "x-2"), ("order.paid", "x-3")]
    {
        bus.publish(event(subject, id)).await.unwrap();
        bench.clock().advance(Duration::from_millis(1));
    }
    let found = bus.correlated("x", 10).await.unwrap();
    assert_eq!(found.iter().map(|event| event.id().unwrap()).collect::<Vec<_>>(), ["x-1", "x-2", "x-3"]);
    assert_eq!(bus.correlated("x", 2).await.unwrap().len(), 2);
    assert_eq!(bus.correlated("z", 2).await.unwrap().len(), 0);
}

/// Many publishers at once: every event once, every position once.
pub async fn publishers_at_once_lose_nothing(bench: impl Bench) {
    let bus = bench.bus();
    let consumer = open(&bus, "one").await;
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    bus.publish(event("order.created", &format!("{task}-{number}"))).await.unwrap();
                }
            })
        })
        .collect();
    let messages = take(&consumer, 200).await;
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(sequences(&messages), (1..=200).collect::<Vec<_>>());
    assert_eq!(ids(&messages).into_iter().collect::<BTreeSet<_>>().len(), 200);
}

/// A filter that is added later and wants old events gets them beside the stream, where they cannot come too late.
pub async fn a_later_filter_gets_old_events_beside(mut bench: impl Bench) {
    let bus = bench.bus();
    for (subject, id) in [("order.paid", "old"), ("order.created", "a")] {
        bus.publish(event(subject, id)).await.unwrap();
    }
    let consumer = bus.consume(subscription("one", "ORDERS", &[("order.created", Start::All)])).await.unwrap();
    settle(&consumer, &take_one(&consumer).await, Vec::new()).await;
    drop((consumer, bus));
    bench.restart().await;
    let bus = bench.bus();
    let both = [("order.created", Start::All), ("order.paid", Start::All)];
    let consumer = bus.consume(subscription("one", "ORDERS", &both)).await.unwrap();
    bus.publish(event("order.paid", "new")).await.unwrap();
    let mut messages = take(&consumer, 2).await;
    messages.sort_by_key(|message| message.replay);
    let seen: Vec<_> = messages.iter().map(|message| (message.event.id().unwrap(), message.replay)).collect();
    assert_eq!(seen, [("new", 0), ("old", 1)]);
    assert!(has_none(&consumer).await);
}
