//! Dead letters: kept with their cause, replayed to the consumer that failed and to it alone, forgotten on demand.

use super::*;
use crate::bus::BusError;
use std::collections::BTreeSet;

/// A dead letter settles its message and keeps the event, the cause and where it came from.
pub async fn a_dead_letter_is_kept(mut bench: impl Bench) {
    let bus = bench.bus();
    let original = event("order.created", "a");
    bus.publish(original.clone()).await.unwrap();
    let consumer = open(&bus, "one").await;
    let message = take_one(&consumer).await;
    bury(&consumer, &message, "no such product").await;
    bury(&consumer, &message, "once more").await;
    assert_eq!(bus.consumers().await.unwrap()[0].pending, 0);
    drop((consumer, bus));
    bench.restart().await;
    let bus = bench.bus();
    assert!(has_none(&open(&bus, "one").await).await);
    let letters = bus.dead_letters(10, None).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = bus.dead_letter(&letters[0].id).await.unwrap();
    assert_eq!((letter.component.as_str(), letter.stream.as_str()), ("one", "ORDERS"));
    assert_eq!((letter.sequence, letter.replay, letter.died_at), (1, 0, at(0)));
    assert_eq!((letter.cause.reason.as_str(), letter.cause.deliveries), ("no such product", 3));
    assert_eq!((&letter.event.subject, &letter.event.body), (&original.subject, &original.body));
    assert_ne!(letter.id, "a");
}

/// Pages of dead letters go from the newest back, without a gap.
pub async fn dead_letters_come_newest_first(bench: impl Bench) {
    let bus = bench.bus();
    let consumer = open(&bus, "one").await;
    for id in ["a", "b", "c"] {
        bus.publish(event("order.created", id)).await.unwrap();
        bury(&consumer, &take_one(&consumer).await, id).await;
    }
    let first = bus.dead_letters(2, None).await.unwrap();
    let rest = bus.dead_letters(2, Some(first[1].id.clone())).await.unwrap();
    let reasons: Vec<_> = first.iter().chain(&rest).map(|letter| letter.cause.reason.as_str()).collect();
    assert_eq!(reasons, ["c", "b", "a"]);
    let ids: BTreeSet<_> = first.iter().chain(&rest).map(|letter| &letter.id).collect();
    assert_eq!(ids.len(), 3);
}

/// A replay comes to the consumer that failed, in a source of its own, with nothing counted; what fails again is
/// another letter.
pub async fn a_replay_comes_to_who_failed_alone(mut bench: impl Bench) {
    let bus = bench.bus();
    let (one, two) = (open(&bus, "one").await, open(&bus, "two").await);
    bus.publish(event("order.created", "a")).await.unwrap();
    bury(&one, &take_one(&one).await, "first").await;
    settle(&two, &take_one(&two).await, Vec::new()).await;
    let letter = bus.dead_letters(1, None).await.unwrap().remove(0);
    bus.replay(&letter.id).await.unwrap();
    assert!(bus.dead_letters(1, None).await.unwrap().is_empty());
    let message = take_one(&one).await;
    assert_eq!((message.event.id(), message.replay, message.failures), (Some("a"), 1, 0));
    assert!(has_none(&two).await && has_none(&one).await);
    bury(&one, &message, "second").await;
    let again = bus.dead_letters(1, None).await.unwrap().remove(0);
    assert_eq!((again.replay, again.cause.reason.as_str()), (1, "second"));
    assert_ne!(again.id, letter.id);
    bus.replay(&again.id).await.unwrap();
    drop((one, two, bus));
    bench.restart().await;
    let bus = bench.bus();
    let one = open(&bus, "one").await;
    let last = take_one(&one).await;
    assert_eq!((last.event.id(), last.replay), (Some("a"), 2));
    assert!(last.sequence > message.sequence, "a sequence of the replay source never starts again");
    settle(&one, &last, Vec::new()).await;
    assert_eq!(bus.consumers().await.unwrap().iter().map(|status| status.pending).sum::<u64>(), 0);
}

/// A letter that was discarded or replayed is gone, and says so.
pub async fn a_discarded_letter_is_gone(bench: impl Bench) {
    let bus = bench.bus();
    let consumer = open(&bus, "one").await;
    bus.publish(event("order.created", "a")).await.unwrap();
    bury(&consumer, &take_one(&consumer).await, "first").await;
    let id = bus.dead_letters(1, None).await.unwrap().remove(0).id;
    bus.discard(&id).await.unwrap();
    for answer in [bus.replay(&id).await, bus.discard(&id).await, bus.dead_letter(&id).await.map(|_| unreachable!())] {
        assert!(matches!(answer, Err(BusError::NotFound(_))), "{answer:?}");
    }
    assert!(has_none(&consumer).await);
}
