//! What the simulation promises: a crash leaves what was flushed, and one seed is one run.

use super::*;
use crate::bus::{Settlement, Start};
use crate::clock::ManualClock;
use crate::event::Headers;
use crate::subject::{Subject, SubjectPattern};

fn bus(faults: Faults) -> SimulatedBus {
    let subjects = vec![SubjectPattern::new("order.>").unwrap()];
    let stream = StreamConfig { name: "ORDERS".into(), subjects, max_age: None, max_messages: None };
    SimulatedBus::new(vec![stream], Arc::new(ManualClock::at(Millis(1_000))), faults)
}

fn event(id: usize) -> Arc<Event> {
    let body = format!(
        r#"{{"eventId":"e{id}","eventType":"T","aggregateId":"a","eventVersion":1,"occurredOn":"now","eventData":{{}},
        "metadata":{{"publishedAt":"now","correlationId":"c","causationId":"x"}}}}"#
    );
    Arc::new(Event::new(Subject::new("order.created").unwrap(), body.into(), Headers::default()))
}

fn config() -> ConsumerConfig {
    let filters = vec![(SubjectPattern::new("order.*").unwrap(), Start::All)];
    ConsumerConfig { component: "one".into(), stream: "ORDERS".into(), filters }
}

#[tokio::test]
async fn a_crash_leaves_what_was_flushed() {
    let bus = bus(Faults { unflushed: 1_000, ..Faults::default() });
    bus.publish(event(1)).await.unwrap();
    bus.flush();
    let lost = bus.publish(event(2)).await.unwrap();
    assert!(!bus.is_durable(lost.watermark));
    bus.crash();
    assert_eq!(bus.log("ORDERS").len(), 1);
    let again = bus.publish(event(2)).await.unwrap();
    assert_eq!((again.sequence, again.duplicate), (2, false));
}

#[tokio::test]
async fn a_consumer_dies_with_its_process_and_its_successor_goes_on() {
    let bus = bus(Faults::default());
    for id in 1..=3 {
        bus.publish(event(id)).await.unwrap();
    }
    let first = bus.consume(config()).await.unwrap();
    let messages = first.next(2).await.unwrap();
    first.settle(&messages[0], Settlement::Done(Vec::new())).await.unwrap();
    first.handed_out(&messages[1]).await.unwrap();
    bus.crash();
    assert!(matches!(first.next(1).await, Err(BusError::Unavailable(_))));
    let second = bus.consume(config()).await.unwrap();
    assert_eq!(second.backlog_end(), 3);
    let messages = second.next(10).await.unwrap();
    let seen: Vec<_> = messages.iter().map(|message| (message.sequence, message.unanswered)).collect();
    assert_eq!(seen, [(2, 1), (3, 0)]);
}

#[tokio::test]
async fn one_seed_is_one_run() {
    let run = |seed| async move {
        let bus = bus(Faults { seed, refused: 300, lost_answers: 300, copies: 300, ..Faults::default() });
        let mut answers = Vec::new();
        for id in 0..50 {
            answers.push(format!("{:?}", bus.publish(event(id)).await));
        }
        (answers, bus.log("ORDERS").len())
    };
    assert_eq!(run(7).await, run(7).await);
    assert_ne!(run(7).await, run(8).await);
}
