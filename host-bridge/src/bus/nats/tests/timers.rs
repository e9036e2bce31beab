//! Timers over restarts, processes, and backlogs.

use super::stage::*;
use crate::bus::contract::{START, event, subscription};
use crate::bus::nats::NatsBus;
use crate::bus::{Consumer, EventBus, Settlement, Start, TimerRule};
use crate::clock::{Clock, Millis, SystemClock};
use crate::dispatch::{Effect, Timer};
use crate::trigger::timers::fire_timers;
use artifacts::nats::NatsServer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

fn timer(name: &str, set_at: Millis, fire_at: Millis) -> Effect {
    Effect::SetTimer(Timer {
        aggregate: "a".to_owned(),
        name: name.to_owned(),
        cause: format!("cause of {name}"),
        fire_at,
        set_at,
        event: event("stock.timer", name),
    })
}

/// Handles one event that sets timers.
async fn set(bus: &NatsBus, timers: Vec<Effect>) {
    publish(bus, &["setter"]).await;
    let consumer = wait_and_open(bus, &orders()).await;
    let message = take(&consumer, 1).await.remove(0);
    consumer.settle(&message, Settlement::Done(timers)).await.unwrap();
}

async fn sees(bus: &NatsBus) -> Arc<dyn Consumer> {
    wait_and_open(bus, &subscription("sees", "STOCK", &[("stock.>", Start::All)])).await
}

/// The real driver, in a process that has caught up.
fn drive(bus: &NatsBus) -> JoinHandle<()> {
    let (behind, seen) = watch::channel(0);
    let bus: Arc<dyn EventBus> = Arc::new(bus.clone());
    tokio::spawn(async move {
        fire_timers(bus, Arc::new(SystemClock::default()), seen).await;
        drop(behind);
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_drive_and_each_timer_fires_once_in_time_whoever_lives() {
    let (url, clock) = (account(), Arc::new(SystemClock::default()));
    let (one, two) = (open(&url, "one", clock.clone()).await, open(&url, "two", clock.clone()).await);
    let now = clock.now();
    let at = |ms| now.after(Duration::from_millis(ms));
    set(&one, vec![timer("t1", now, at(1_000)), timer("t2", now, at(1_500)), timer("t3", now, at(9_000))]).await;
    let (drives, also) = (drive(&one), drive(&two));
    let seen = sees(&two).await;
    for (name, due) in [("t1", at(1_000)), ("t2", at(1_500))] {
        let message = take(&seen, 1).await.remove(0);
        let late = clock.now().since(due);
        assert_eq!(message.event.id(), Some(name));
        assert!(clock.now() >= due && late < Duration::from_secs(1), "{name} came {late:?} late");
        settle(&seen, &message, &[]).await.unwrap();
    }
    // Whichever holds the lease dies without letting go.
    for (bus, task) in [(&one, &drives), (&two, &also)] {
        if bus.core.timers.holds().await {
            bus.core.timers.stop_for_test().await;
            task.abort();
        }
    }
    let message = take(&seen, 1).await.remove(0);
    let late = clock.now().since(at(9_000));
    assert_eq!(message.event.id(), Some("t3"));
    assert!(late < Duration::from_secs(1), "t3 came {late:?} late");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stored(&two, "STOCK").await, 3, "each once");
    drives.abort();
    also.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_survives_restarts_of_everything() {
    let mut server = NatsServer::start();
    let clock = Arc::new(SystemClock::default());
    let bus = open(&server.url(), "one", clock.clone()).await;
    let now = clock.now();
    let due = now.after(Duration::from_secs(3));
    set(&bus, vec![timer("kept", now, due)]).await;
    drop(bus);
    server.kill();
    server.restart();
    let bus = open(&server.url(), "one", clock.clone()).await;
    let driving = drive(&bus);
    let seen = sees(&bus).await;
    let message = take(&seen, 1).await.remove(0);
    assert_eq!(message.event.id(), Some("kept"));
    let late = clock.now().since(due);
    assert!(clock.now() >= due && late < Duration::from_secs(1), "it came {late:?} late");
    driving.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overdue_timer_waits_for_the_backlog_of_whoever_has_it() {
    let (url, clock) = (account(), Arc::new(clock()));
    let one = open(&url, "one", clock.clone()).await;
    let at = |ms| Millis(START + ms);
    set(&one, vec![timer("deadline", at(0), at(60_000))]).await;
    publish(&one, &["answer"]).await;
    one.close().await;
    // Everything was down past the deadline; the answer lies in the stream.
    clock.advance(Duration::from_secs(100));
    let (two, other) = (open(&url, "two", clock.clone()).await, open(&url, "other", clock.clone()).await);
    let held_elsewhere = wait_and_open(&other, &orders()).await;
    let next = two.fire_due_timers(at(100_000), TimerRule::CaughtUp).await.unwrap();
    assert_eq!(next, Some(at(160_000)), "its own period after the start at the latest");
    assert_eq!(stored(&two, "STOCK").await, 0);
    let answer = take(&held_elsewhere, 1).await.remove(0);
    settle(&held_elsewhere, &answer, &[]).await.unwrap();
    assert_eq!(two.fire_due_timers(at(100_000), TimerRule::CaughtUp).await.unwrap(), None);
    assert_eq!(stored(&two, "STOCK").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overdue_timer_waits_for_the_answer_to_a_question_that_waited() {
    let (url, clock) = (account(), Arc::new(clock()));
    let one = open(&url, "one", clock.clone()).await;
    let at = |ms| Millis(START + ms);
    set(&one, vec![timer("deadline", at(0), at(60_000))]).await;
    drop(sees(&one).await);
    publish(&one, &["question"]).await;
    one.close().await;
    clock.advance(Duration::from_secs(100));
    let two = open(&url, "two", clock.clone()).await;
    let fire = || two.fire_due_timers(at(100_000), TimerRule::CaughtUp);
    assert_eq!(fire().await.unwrap(), Some(at(160_000)));
    let asked = wait_and_open(&two, &orders()).await;
    let question = take(&asked, 1).await.remove(0);
    let answers = vec![Effect::Publish(event("stock.low", "answer"))];
    asked.settle(&question, Settlement::Done(answers)).await.unwrap();
    assert_eq!(fire().await.unwrap(), Some(at(160_000)), "nobody has heard the answer yet");
    let hears = sees(&two).await;
    let answer = take(&hears, 1).await.remove(0);
    assert_eq!(answer.event.id(), Some("answer"));
    settle(&hears, &answer, &[]).await.unwrap();
    assert_eq!(fire().await.unwrap(), None);
    assert_eq!(stored(&two, "STOCK").await, 2);
}

/// A retry and the deadline for its outcome are both overdue: the deadline waits until what the retry leads to is settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overdue_timers_fire_one_after_what_follows_from_the_other() {
    let (url, clock) = (account(), Arc::new(clock()));
    let one = open(&url, "one", clock.clone()).await;
    let at = |ms| Millis(START + ms);
    set(&one, vec![timer("retry", at(0), at(50_000)), timer("deadline", at(0), at(60_000))]).await;
    drop(sees(&one).await);
    publish(&one, &["waits"]).await;
    one.close().await;
    clock.advance(Duration::from_secs(100));
    let two = open(&url, "two", clock.clone()).await;
    let fire = || two.fire_due_timers(at(100_000), TimerRule::CaughtUp);
    assert!(fire().await.unwrap().is_some(), "what waits is not settled");
    let (orders, hears) = (wait_and_open(&two, &orders()).await, sees(&two).await);
    let waits = take(&orders, 1).await.remove(0);
    settle(&orders, &waits, &[]).await.unwrap();
    fire().await.unwrap();
    assert_eq!(stored(&two, "STOCK").await, 1, "the retry alone");
    fire().await.unwrap();
    assert_eq!(stored(&two, "STOCK").await, 1, "nobody has heard the retry yet");
    let retry = take(&hears, 1).await.remove(0);
    settle(&hears, &retry, &[]).await.unwrap();
    assert_eq!(fire().await.unwrap(), None);
    assert_eq!(stored(&two, "STOCK").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_of_the_server_deadlines_wait_for_what_could_not_be_handled() {
    let mut server = NatsServer::start();
    let clock = Arc::new(clock());
    let bus = open(&server.url(), "one", clock.clone()).await;
    let at = |ms| Millis(START + ms);
    set(&bus, vec![timer("deadline", at(0), at(60_000))]).await;
    assert_eq!(bus.fire_due_timers(at(0), TimerRule::CaughtUp).await.unwrap(), Some(at(60_000)));
    publish(&bus, &["answer"]).await;
    server.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;
    clock.advance(Duration::from_secs(100));
    let away = bus.fire_due_timers(at(100_000), TimerRule::CaughtUp).await;
    assert!(away.is_err(), "{away:?}");
    server.restart();
    let mut next = None;
    until("the driver works again", async || {
        let answered = bus.fire_due_timers(at(100_000), TimerRule::CaughtUp).await;
        next = answered.as_ref().ok().copied().flatten();
        answered.is_ok()
    })
    .await;
    assert_eq!(next, Some(at(160_000)));
    assert_eq!(stored(&bus, "STOCK").await, 0, "the answer is not handled yet");
    let consumer = wait_and_open(&bus, &orders()).await;
    let answer = take(&consumer, 1).await.remove(0);
    settle(&consumer, &answer, &[]).await.unwrap();
    assert_eq!(bus.fire_due_timers(at(100_000), TimerRule::CaughtUp).await.unwrap(), None);
    assert_eq!(stored(&bus, "STOCK").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_is_remembered_for_a_week_and_then_leaves_nothing_behind() {
    let (url, clock) = (account(), Arc::new(clock()));
    let bus = open(&url, "one", clock.clone()).await;
    let at = |ms| Millis(START + ms);
    set(&bus, vec![timer("t", at(0), at(100))]).await;
    bus.fire_due_timers(at(100), TimerRule::CaughtUp).await.unwrap();
    assert_eq!(stored(&bus, "KV_A4CO_TIMERS").await, 1);
    let week = at(100).after(Duration::from_secs(7 * 24 * 3600));
    bus.fire_due_timers(week, TimerRule::CaughtUp).await.unwrap();
    assert_eq!(stored(&bus, "KV_A4CO_TIMERS").await, 0);
}
