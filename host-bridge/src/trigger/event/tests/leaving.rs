//! A bus that several processes share: consumers that are held elsewhere, are lost, or are to be handed over.

use super::stage::*;
use crate::bus::simulated::{Faults, SimulatedBus};
use crate::bus::{
    BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, EventBus, Leave, Message, Receipt, Settlement,
    TimerRule,
};
use crate::clock::Millis;
use crate::dispatch::Verdict;
use crate::durability::Watermark;
use crate::event::Event;
use crate::trigger::event::{EventTrigger, Parts};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::sleep;

/// What another process does with the consumer of `ORDERS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    /// Nothing: it is ours.
    Free,
    /// It holds it.
    Holds,
    /// It is to have it.
    Wants,
}

/// The simulated bus, as seen beside that process.
#[derive(Clone)]
struct Shared {
    bus: SimulatedBus,
    elsewhere: watch::Sender<Elsewhere>,
}

struct SharedConsumer {
    inner: Arc<dyn Consumer>,
    elsewhere: Option<watch::Receiver<Elsewhere>>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, BusError>>;

impl SharedConsumer {
    fn lost(&self) -> Result<(), BusError> {
        let holds = self.elsewhere.as_ref().is_some_and(|elsewhere| *elsewhere.borrow() == Elsewhere::Holds);
        if holds { Err(BusError::Lost("another process took over".into())) } else { Ok(()) }
    }
}

impl Consumer for SharedConsumer {
    fn source(&self) -> Arc<str> {
        self.inner.source()
    }
    fn replay_source(&self) -> Arc<str> {
        self.inner.replay_source()
    }
    fn backlog_end(&self) -> u64 {
        self.inner.backlog_end()
    }
    fn leave(&self) -> BoxFuture<'static, Leave> {
        let Some(mut elsewhere) = self.elsewhere.clone() else { return std::future::pending().boxed() };
        async move {
            let found = elsewhere.wait_for(|elsewhere| *elsewhere != Elsewhere::Free).await;
            if found.is_ok_and(|found| *found == Elsewhere::Wants) { Leave::Orderly } else { Leave::AtOnce }
        }
        .boxed()
    }
    fn next(&self, max: usize) -> Answer<'_, Vec<Message>> {
        self.inner.next(max)
    }
    fn handed_out(&self, message: &Message) -> Answer<'_, ()> {
        self.inner.handed_out(message)
    }
    fn retry_at(&self, message: &Message, at: Millis, failed: bool) -> Answer<'_, ()> {
        self.inner.retry_at(message, at, failed)
    }
    fn settle(&self, message: &Message, settlement: Settlement) -> Answer<'_, Watermark> {
        match self.lost() {
            Ok(()) => self.inner.settle(message, settlement),
            Err(lost) => std::future::ready(Err(lost)).boxed(),
        }
    }
    fn release(&self, messages: &[Message]) -> Answer<'_, ()> {
        self.inner.release(messages)
    }
}

impl EventBus for Shared {
    fn publish(&self, event: Arc<Event>) -> Answer<'_, Receipt> {
        self.bus.publish(event)
    }
    fn consume(&self, config: ConsumerConfig) -> Answer<'_, Arc<dyn Consumer>> {
        async move {
            let shared = config.stream == "ORDERS";
            if shared && *self.elsewhere.borrow() != Elsewhere::Free {
                return Err(BusError::Held(config.name()));
            }
            let inner = self.bus.consume(config).await?;
            let elsewhere = shared.then(|| self.elsewhere.subscribe());
            Ok(Arc::new(SharedConsumer { inner, elsewhere }) as Arc<dyn Consumer>)
        }
        .boxed()
    }
    fn fire_due_timers(&self, now: Millis, rule: TimerRule) -> Answer<'_, Option<Millis>> {
        self.bus.fire_due_timers(now, rule)
    }
    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        self.bus.timers_changed()
    }
    fn dead_letters(&self, limit: usize, before: Option<String>) -> Answer<'_, Vec<DeadLetter>> {
        self.bus.dead_letters(limit, before)
    }
    fn dead_letter(&self, id: &str) -> Answer<'_, DeadLetter> {
        self.bus.dead_letter(id)
    }
    fn replay(&self, id: &str) -> Answer<'_, Watermark> {
        self.bus.replay(id)
    }
    fn discard(&self, id: &str) -> Answer<'_, Watermark> {
        self.bus.discard(id)
    }
    fn consumers(&self) -> Answer<'_, Vec<ConsumerStatus>> {
        self.bus.consumers()
    }
    fn pause(&self, component: &str, stream: &str, paused: bool) -> Answer<'_, Watermark> {
        self.bus.pause(component, stream, paused)
    }
    fn correlated(&self, id: &str, limit: usize) -> Answer<'_, Vec<Arc<Event>>> {
        self.bus.correlated(id, limit)
    }
    fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        self.bus.tail()
    }
}

/// One component on both streams, one event at a time; each handling takes a second.
async fn start(elsewhere: Elsewhere) -> (Stage, watch::Sender<Elsewhere>, EventTrigger) {
    let handlers = Handlers::new(|_, _| async {
        sleep(Duration::from_secs(1)).await;
        Verdict::Done(Vec::new())
    });
    let mut stage = Stage::new(Faults::default(), handlers);
    stage.subscribers = vec![subscriber("one", &[("ORDERS", "order.>"), ("STOCK", "stock.>")])];
    stage.subscribers[0].concurrency = 1;
    let elsewhere = watch::Sender::new(elsewhere);
    let bus = Arc::new(Shared { bus: stage.bus.clone(), elsewhere: elsewhere.clone() });
    let parts = Parts { bus, ..stage.parts() };
    let trigger = EventTrigger::start(parts, stage.subscribers.clone()).await.unwrap();
    (stage, elsewhere, trigger)
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_held_elsewhere_is_opened_once_it_is_free() {
    let (stage, elsewhere, trigger) = start(Elsewhere::Holds).await;
    assert_eq!(*trigger.behind().borrow(), 1, "what others hold does not count");
    stage.publish("order.created", &[("order", "a")]).await;
    stage.publish("stock.low", &[("stock", "a")]).await;
    until("the other stream is handled", || stage.handlers.begun() == ["stock"]).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.handlers.begun(), ["stock"]);
    elsewhere.send_replace(Elsewhere::Free);
    until("it is opened", || stage.handlers.begun() == ["stock", "order"]).await;
    stage.settles().await;
    trigger.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_lost_frees_what_it_took_of_the_concurrency() {
    let (stage, elsewhere, trigger) = start(Elsewhere::Free).await;
    stage.publish("order.created", &[("order", "a")]).await;
    until("it began", || stage.handlers.begun() == ["order"]).await;
    stage.publish("stock.low", &[("stock", "a")]).await;
    elsewhere.send_replace(Elsewhere::Holds);
    until("the permit is free", || stage.handlers.begun() == ["order", "stock"]).await;
    until("it is told of", || stage.notes.count("Left") == 1).await;
    elsewhere.send_replace(Elsewhere::Free);
    stage.settles().await;
    assert_eq!(stage.handlers.begun(), ["order", "stock", "order"], "what was in flight comes again");
    assert_eq!(*trigger.behind().borrow(), 0);
    trigger.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_handed_over_ends_what_is_in_flight_and_begins_nothing() {
    let (stage, elsewhere, trigger) = start(Elsewhere::Free).await;
    stage.publish("order.created", &[("first", "a"), ("second", "b")]).await;
    until("one began", || stage.handlers.begun() == ["first"]).await;
    elsewhere.send_replace(Elsewhere::Wants);
    until("it is left", || stage.notes.count("Left") == 1).await;
    let pending: u64 = stage.bus.consumers().await.unwrap().iter().map(|status| status.pending).sum();
    assert_eq!((stage.handlers.begun(), pending), (vec!["first".to_owned()], 1), "the first was settled");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.handlers.begun(), ["first"]);
    elsewhere.send_replace(Elsewhere::Free);
    stage.settles().await;
    assert_eq!(stage.handlers.begun(), ["first", "second"]);
    assert!(stage.handlers.diary().begun.iter().all(|(_, attempt)| *attempt == 1), "nothing was spent");
    trigger.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_waits_for_a_consumer_stops_when_it_is_told() {
    let (_stage, _elsewhere, trigger) = start(Elsewhere::Holds).await;
    tokio::time::timeout(Duration::from_secs(10), trigger.shutdown(Duration::from_secs(5))).await.unwrap();
}
