//! What a delivery costs beside the bus and the handler, in real time: printed, and far from the limit it must keep.

use super::stage::{event, subscriber};
use crate::bus::{
    BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, EventBus, Message, Receipt, Settlement, TimerRule,
};
use crate::clock::{Millis, SystemClock};
use crate::dispatch::{Delivery, Dispatch, Verdict};
use crate::durability::Watermark;
use crate::event::Event;
use crate::trigger::event::{EventTrigger, LogDeliveries, Parts};
use futures::FutureExt;
use futures::future::{BoxFuture, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const EVENTS: u64 = 200_000;
const LIMIT: Duration = Duration::from_micros(25);

/// A bus that has `EVENTS` events and takes everything at once.
#[derive(Clone)]
struct Endless(Arc<(Vec<Arc<Event>>, AtomicU64, AtomicU64)>);

impl Consumer for Endless {
    fn source(&self) -> Arc<str> {
        "one/ORDERS#1".into()
    }
    fn replay_source(&self) -> Arc<str> {
        "one/dlq/ORDERS".into()
    }
    fn backlog_end(&self) -> u64 {
        EVENTS
    }
    fn next(&self, max: usize) -> BoxFuture<'_, Result<Vec<Message>, BusError>> {
        let from = self.0.1.fetch_add(max as u64, Ordering::Relaxed) + 1;
        if from > EVENTS {
            return pending().boxed();
        }
        let message = |sequence: u64| Message {
            sequence,
            event: self.0.0[sequence as usize % self.0.0.len()].clone(),
            failures: 0,
            unanswered: 0,
            not_before: None,
            replay: 0,
        };
        ready(Ok((from..(from + max as u64).min(EVENTS + 1)).map(message).collect())).boxed()
    }
    fn handed_out(&self, _: &Message) -> BoxFuture<'_, Result<(), BusError>> {
        ready(Ok(())).boxed()
    }
    fn retry_at(&self, _: &Message, _: Millis, _: bool) -> BoxFuture<'_, Result<(), BusError>> {
        ready(Ok(())).boxed()
    }
    fn settle(&self, _: &Message, _: Settlement) -> BoxFuture<'_, Result<Watermark, BusError>> {
        self.0.2.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Watermark(0))).boxed()
    }
    fn release(&self, _: &[Message]) -> BoxFuture<'_, Result<(), BusError>> {
        ready(Ok(())).boxed()
    }
}

fn absent<T: Send + 'static>() -> BoxFuture<'static, Result<T, BusError>> {
    ready(Err(BusError::Unavailable("not part of this test".into()))).boxed()
}

impl EventBus for Endless {
    fn publish(&self, _: Arc<Event>) -> BoxFuture<'_, Result<Receipt, BusError>> {
        absent()
    }
    fn consume(&self, _: ConsumerConfig) -> BoxFuture<'_, Result<Arc<dyn Consumer>, BusError>> {
        ready(Ok(Arc::new(self.clone()) as Arc<dyn Consumer>)).boxed()
    }
    fn fire_due_timers(&self, _: Millis, _: TimerRule) -> BoxFuture<'_, Result<Option<Millis>, BusError>> {
        absent()
    }
    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        pending().boxed()
    }
    fn dead_letters(&self, _: usize, _: Option<String>) -> BoxFuture<'_, Result<Vec<DeadLetter>, BusError>> {
        absent()
    }
    fn dead_letter(&self, _: &str) -> BoxFuture<'_, Result<DeadLetter, BusError>> {
        absent()
    }
    fn replay(&self, _: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        absent()
    }
    fn discard(&self, _: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        absent()
    }
    fn consumers(&self) -> BoxFuture<'_, Result<Vec<ConsumerStatus>, BusError>> {
        absent()
    }
    fn pause(&self, _: &str, _: &str, _: bool) -> BoxFuture<'_, Result<Watermark, BusError>> {
        absent()
    }
    fn correlated(&self, _: &str, _: usize) -> BoxFuture<'_, Result<Vec<Arc<Event>>, BusError>> {
        absent()
    }
    fn tail(&self) -> tokio::sync::broadcast::Receiver<Arc<Event>> {
        tokio::sync::broadcast::channel(1).1
    }
}

struct NoOp;

impl Dispatch for NoOp {
    fn dispatch(&self, _: &str, _: Delivery) -> BoxFuture<'static, Verdict> {
        ready(Verdict::Done(Vec::new())).boxed()
    }
}

/// The time that this thread has computed, where the system tells it: what other tests do meanwhile does not count.
fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
    let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

#[tokio::test]
async fn a_delivery_costs_little_beside_its_handler() {
    let events = (0..1_000).map(|n| event("order.created", &format!("e{n}"), &format!("k{n}"))).collect();
    let bus = Endless(Arc::new((events, AtomicU64::new(0), AtomicU64::new(0))));
    let parts = Parts {
        bus: Arc::new(bus.clone()),
        dispatch: Arc::new(NoOp),
        clock: Arc::new(SystemClock::default()),
        observer: Arc::new(LogDeliveries),
    };
    let mut one = subscriber("one", &[("ORDERS", "order.>")]);
    one.concurrency = 16;
    let (began, computed) = (Instant::now(), cpu());
    let trigger = EventTrigger::start(parts, vec![one]).await.unwrap();
    let mut behind = trigger.behind();
    behind.wait_for(|behind| *behind == 0).await.unwrap();
    let took = began.elapsed() / EVENTS as u32;
    let computed = cpu().zip(computed).map(|(after, before)| (after - before) / EVENTS as u32);
    println!("one delivery: {took:?} passed, {computed:?} computed");
    assert_eq!(bus.0.2.load(Ordering::Relaxed), EVENTS);
    assert!(computed.unwrap_or(took) < LIMIT, "{computed:?}");
}
