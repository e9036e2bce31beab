//! Shutdown, suspects after a crash, and deadlines that wait for the backlog.

use super::stage::*;
use crate::bus::EventBus;
use crate::bus::simulated::Faults;
use crate::dispatch::{Effect, Timer, Verdict};
use crate::trigger::timers::fire_timers;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

fn taking(millis: u64) -> Handlers {
    Handlers::new(move |_, _| async move {
        sleep(Duration::from_millis(millis)).await;
        Verdict::Done(Vec::new())
    })
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_what_is_in_flight_finish() {
    let stage = Stage::new(Faults::default(), taking(2_000));
    stage.publish("order.created", &[("e1", "a"), ("e2", "b"), ("e3", "a")]).await;
    let trigger = stage.start().await;
    until("two began", || stage.handlers.begun().len() == 2).await;
    trigger.shutdown(Duration::from_secs(10)).await;
    assert_eq!(stage.handlers.begun(), ["e1", "e2"]);
    let status = stage.bus.consumers().await.unwrap().remove(0);
    assert_eq!((status.settled_to, status.pending), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_cuts_off_comes_again_and_is_no_suspect() {
    let mut stage = Stage::new(Faults::default(), taking(4_000));
    stage.publish("order.created", &[("e1", "a"), ("e2", "b")]).await;
    let trigger = stage.start().await;
    until("two began", || stage.handlers.begun().len() == 2).await;
    trigger.shutdown(Duration::from_secs(1)).await;
    stage.handlers = taking(10);
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.handlers.diary().begun, [("e1".to_owned(), 1), ("e2".to_owned(), 1)]);
    assert_eq!(stage.handlers.diary().most_at_once, 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_suspects_run_one_at_a_time_in_the_whole_process() {
    let mut stage = Stage::new(Faults::default(), taking(4_000));
    stage.subscribers.push(subscriber("two", &[("ORDERS", "order.>")]));
    stage.publish("order.created", &[("e1", "a"), ("e2", "b"), ("e3", "c")]).await;
    let trigger = stage.start().await;
    until("all began", || stage.handlers.begun().len() == 6).await;
    drop(trigger);
    stage.bus.crash();
    stage.handlers = taking(100);
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.handlers.diary().begun.len(), 6);
    assert!(stage.handlers.diary().begun.iter().all(|(_, attempt)| *attempt == 2));
    assert_eq!(stage.handlers.diary().most_at_once, 1);
}

#[tokio::test(start_paused = true)]
async fn what_kills_the_process_again_and_again_is_dead_and_its_neighbours_live() {
    let mut stage = Stage::new(Faults::default(), taking(4_000));
    stage.publish("order.created", &[("killer", "a"), ("e2", "b"), ("e3", "c")]).await;
    for _ in 0..3 {
        let trigger = stage.start().await;
        let begun = stage.handlers.clone();
        until("the killer began", || begun.begun().contains(&"killer".to_owned())).await;
        drop(trigger);
        stage.bus.crash();
        stage.handlers = taking(10);
        let killer = Handlers::new(|_, delivery| {
            let kills = delivery.event.id() == Some("killer");
            async move { if kills { std::future::pending().await } else { Verdict::Done(Vec::new()) } }
        });
        stage.handlers = killer;
    }
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.letters().await, ["killer killed"]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_again_and_again_for_another_cause_buries_nobody() {
    let mut stage = Stage::new(Faults::default(), taking(3_000));
    stage.subscribers[0].max_attempts = 8;
    stage.publish("order.created", &[("slow-1", "a"), ("slow-2", "b"), ("slow-3", "c")]).await;
    for _ in 0..30 {
        let trigger = stage.start().await;
        sleep(Duration::from_millis(2_900)).await;
        drop(trigger);
        stage.bus.crash();
    }
    let handed_out = stage.handlers.begun().len();
    assert!(handed_out > 6, "it ended with none in hand: {handed_out}");
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.letters().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn deadlines_wait_for_the_backlog_but_no_longer_than_their_period() {
    let stage = Stage::new(Faults::default(), taking(4_000));
    set_timers(&stage).await;
    stage.publish("order.created", &[("backlog-1", "a"), ("backlog-2", "a")]).await;
    sleep(Duration::from_secs(3_600)).await;
    let trigger = stage.start().await;
    let timers = tokio::spawn(fire_timers(Arc::new(stage.bus.clone()), stage.clock.clone(), trigger.behind()));
    let fired = |id: &str| stage.bus.log("STOCK").iter().any(|event| event.id() == Some(id));
    sleep(Duration::from_millis(1_900)).await;
    assert!(!fired("short"), "its period after the start has not passed");
    until("the short one fired", || fired("short")).await;
    assert!(!fired("long"), "the backlog is not drained");
    sleep(Duration::from_millis(5_900)).await;
    assert!(!fired("long"), "the backlog is not drained");
    until("the long one fired", || fired("long")).await;
    assert_eq!(stage.handlers.begun(), ["backlog-1", "backlog-2"]);
    timers.abort();
}

/// Two timers, of 2 s and of 10 min, set by an event that a consumer settles.
async fn set_timers(stage: &Stage) {
    let now = stage.clock.now();
    let timer = |name: &str, period: u64| {
        Effect::SetTimer(Timer {
            aggregate: "a".into(),
            name: name.into(),
            cause: "setter".into(),
            fire_at: now.after(Duration::from_secs(period)),
            set_at: now,
            event: event("stock.timer", name, "a"),
        })
    };
    stage.publish("order.created", &[("setter", "a")]).await;
    let (config, _) = stage.subscribers[0].consumers[0].clone();
    let consumer = stage.bus.consume(config).await.unwrap();
    let messages = consumer.next(1).await.unwrap();
    let settlement = crate::bus::Settlement::Done(vec![timer("short", 2), timer("long", 600)]);
    consumer.settle(&messages[0], settlement).await.unwrap();
}
