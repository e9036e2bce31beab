//! A simulated bus, a trigger and handlers written as closures.

use crate::bus::simulated::{Faults, SimulatedBus};
use crate::bus::{ConsumerConfig, EventBus, Start, StreamConfig};
use crate::clock::{Clock, Millis};
use crate::delivery::KeyPath;
use crate::dispatch::{Delivery, Dispatch, Verdict};
use crate::event::{Event, Headers};
use crate::subject::{Subject, SubjectPattern};
use crate::trigger::event::{DeliveryObserver, EventTrigger, Happening, KeyRules, Parts, Subscriber};
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Tokio's clock, which a paused test moves.
pub struct VirtualClock(Instant);

impl VirtualClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Millis {
        Millis(1_000_000).after(self.0.elapsed())
    }
}

type Handler = Arc<dyn Fn(&str, &Delivery) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// Handlers as a closure, and a diary of what they were given.
#[derive(Clone)]
pub struct Handlers {
    handler: Handler,
    diary: Arc<Mutex<Diary>>,
}

#[derive(Default)]
pub struct Diary {
    /// Event ids in the order in which their handling began, with the attempt.
    pub begun: Vec<(String, u32)>,
    /// Sources in the same order.
    pub sources: Vec<String>,
    running: Vec<(String, String)>,
    pub most_at_once: usize,
}

impl Handlers {
    pub fn new<F: Future<Output = Verdict> + Send + 'static>(
        handler: impl Fn(&str, &Delivery) -> F + Send + Sync + 'static,
    ) -> Self {
        let handler: Handler = Arc::new(move |component, delivery| handler(component, delivery).boxed());
        Self { handler, diary: Arc::default() }
    }

    pub fn diary(&self) -> parking_lot::MutexGuard<'_, Diary> {
        self.diary.lock()
    }

    /// Ids in the order in which they began.
    pub fn begun(&self) -> Vec<String> {
        self.diary().begun.iter().map(|(id, _)| id.clone()).collect()
    }
}

/// Takes its entry out of the diary however the handling ends.
struct Running(Arc<Mutex<Diary>>, (String, String));

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().running.retain(|one| *one != self.1);
    }
}

impl Dispatch for Handlers {
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let entry = (delivery.source.to_string(), delivery.key.clone());
        let mut diary = self.diary.lock();
        assert!(!diary.running.contains(&entry), "{entry:?} is handled twice at once");
        diary.begun.push((delivery.event.id().unwrap_or("-").to_owned(), delivery.attempt));
        diary.sources.push(delivery.source.to_string());
        diary.running.push(entry.clone());
        diary.most_at_once = diary.most_at_once.max(diary.running.len());
        let running = Running(self.diary.clone(), entry);
        drop(diary);
        let handling = (self.handler)(component, &delivery);
        async move {
            let _running = running;
            handling.await
        }
        .boxed()
    }
}

/// Notes what the trigger tells.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub fn count(&self, what: &str) -> usize {
        self.0.lock().iter().filter(|note| note.starts_with(what)).count()
    }
}

impl DeliveryObserver for Notes {
    fn observe(&self, happening: &Happening<'_>) {
        let text = format!("{happening:?}");
        self.0.lock().push(text.split([' ', '(']).next().unwrap_or_default().to_owned());
    }
}

/// All of it.
pub struct Stage {
    pub bus: SimulatedBus,
    pub clock: Arc<dyn Clock>,
    pub handlers: Handlers,
    pub notes: Notes,
    pub subscribers: Vec<Subscriber>,
}

pub fn pattern(text: &str) -> SubjectPattern {
    SubjectPattern::new(text).unwrap()
}

/// `component` on the streams ORDERS and STOCK, from the first event on.
pub fn subscriber(component: &str, streams: &[(&str, &str)]) -> Subscriber {
    let consumer = |(stream, subject): &(&str, &str)| {
        let (component, stream) = (component.to_owned(), (*stream).to_owned());
        let keys = KeyRules::new(vec![(pattern(subject), KeyPath::new("aggregateId").unwrap())]);
        (ConsumerConfig { component, stream, filters: vec![(pattern(subject), Start::All)] }, keys)
    };
    Subscriber {
        component: component.to_owned(),
        digest: None,
        concurrency: 4,
        max_attempts: 3,
        handler_timeout: Duration::from_secs(5),
        consumers: streams.iter().map(consumer).collect(),
    }
}

pub fn event(subject: &str, id: &str, aggregate: &str) -> Arc<Event> {
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"T","aggregateId":"{aggregate}","eventVersion":1,"occurredOn":"now",
        "eventData":{{}},"metadata":{{"publishedAt":"now","correlationId":"c","causationId":"x"}}}}"#
    );
    Arc::new(Event::new(Subject::new(subject).unwrap(), body.into(), Headers::default()))
}

impl Stage {
    pub fn new(faults: Faults, handlers: Handlers) -> Self {
        let stream = |name: &str, subject: &str| StreamConfig {
            name: name.into(),
            subjects: vec![pattern(subject)],
            max_age: None,
            max_messages: None,
        };
        let clock = VirtualClock::new();
        let streams = vec![stream("ORDERS", "order.>"), stream("STOCK", "stock.>")];
        let bus = SimulatedBus::new(streams, clock.clone(), faults);
        let subscribers = vec![subscriber("one", &[("ORDERS", "order.>")])];
        Self { bus, clock, handlers, notes: Notes::default(), subscribers }
    }

    pub fn parts(&self) -> Parts {
        Parts {
            bus: Arc::new(self.bus.clone()),
            dispatch: Arc::new(self.handlers.clone()),
            clock: self.clock.clone(),
            observer: Arc::new(self.notes.clone()),
        }
    }

    pub async fn start(&self) -> EventTrigger {
        EventTrigger::start(self.parts(), self.subscribers.clone()).await.unwrap()
    }

    pub async fn publish(&self, subject: &str, events: &[(&str, &str)]) {
        for (id, aggregate) in events {
            while self.bus.publish(event(subject, id, aggregate)).await.is_err() {}
        }
    }

    pub async fn letters(&self) -> Vec<String> {
        let letters = self.bus.dead_letters(100, None).await.unwrap();
        letters.iter().map(|letter| format!("{} {}", letter.event.id().unwrap_or("-"), letter.cause.kind)).collect()
    }

    #[track_caller]
    pub fn settles(&self) -> impl Future<Output = ()> + use<> {
        let bus = self.bus.clone();
        until("everything is settled", move || bus.all_settled())
    }
}

/// Polls, for at most ten virtual minutes.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let (what, caller) = (what.to_owned(), std::panic::Location::caller());
    async move {
        let deadline = Instant::now() + Duration::from_secs(600);
        while !holds() {
            assert!(Instant::now() < deadline, "{caller}: never came true: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
