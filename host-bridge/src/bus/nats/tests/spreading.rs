//! Several processes on one server, each with the real trigger: consumers are spread, move when a process joins or
//! leaves, and no key is handled twice at once or out of order.

use super::stage::*;
use crate::bus::contract::subscription;
use crate::bus::nats::NatsBus;
use crate::bus::{EventBus, Start};
use crate::clock::SystemClock;
use crate::delivery::KeyPath;
use crate::dispatch::{Delivery, Dispatch, Verdict};
use crate::subject::SubjectPattern;
use crate::trigger::event::{EventTrigger, KeyRules, LogDeliveries, Parts, Subscriber};
use futures::future::{BoxFuture, FutureExt as _};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Components, each with one consumer.
const COMPONENTS: usize = 8;

/// What all processes did, as an outsider sees it.
#[derive(Default)]
struct Diary {
    /// For each component, the sequences handled, in order of their first handling.
    handled: BTreeMap<String, Vec<u64>>,
    running: BTreeSet<(String, String)>,
    /// Who handled last, by component.
    holder: BTreeMap<String, &'static str>,
    clashes: Vec<String>,
}

#[derive(Clone)]
struct Handler {
    node: &'static str,
    diary: Arc<Mutex<Diary>>,
}

impl Dispatch for Handler {
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let (this, component) = (self.clone(), component.to_owned());
        async move {
            let entry = (component.clone(), delivery.key.clone());
            {
                let mut diary = this.diary.lock();
                if !diary.running.insert(entry.clone()) {
                    diary.clashes.push(format!("{entry:?} is handled twice at once"));
                }
                let handled = diary.handled.entry(component.clone()).or_default();
                if !handled.contains(&delivery.sequence) {
                    handled.push(delivery.sequence);
                }
                diary.holder.insert(component, this.node);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            this.diary.lock().running.remove(&entry);
            Verdict::Done(Vec::new())
        }
        .boxed()
    }
}

fn subscribers() -> Vec<Subscriber> {
    let subscriber = |number: usize| {
        let config = subscription(&format!("c{number}"), "ORDERS", &[("order.>", Start::All)]);
        let keys = KeyRules::new(vec![(SubjectPattern::new("order.>").unwrap(), KeyPath::new("aggregateId").unwrap())]);
        Subscriber {
            component: config.component.clone(),
            digest: None,
            concurrency: 4,
            max_attempts: 3,
            handler_timeout: Duration::from_secs(5),
            consumers: vec![(config, keys)],
        }
    };
    (0..COMPONENTS).map(subscriber).collect()
}

async fn start(bus: &NatsBus, node: &'static str, diary: &Arc<Mutex<Diary>>) -> EventTrigger {
    let parts = Parts {
        bus: Arc::new(bus.clone()),
        dispatch: Arc::new(Handler { node, diary: diary.clone() }),
        clock: Arc::new(SystemClock::default()),
        observer: Arc::new(LogDeliveries),
    };
    EventTrigger::start(parts, subscribers()).await.unwrap()
}

fn holders(diary: &Mutex<Diary>) -> BTreeSet<&'static str> {
    diary.lock().holder.values().copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_move_to_who_joins_and_back_from_who_leaves() {
    let (url, clock) = (account(), Arc::new(SystemClock::default()));
    let diary: Arc<Mutex<Diary>> = Arc::default();
    let one = open(&url, "one", clock.clone()).await;
    let first = start(&one, "one", &diary).await;
    let publisher = {
        let bus = open(&url, "publisher", clock.clone()).await;
        tokio::spawn(async move {
            for number in 0u64.. {
                publish(&bus, &[&format!("e{number}")]).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    };
    until("one has them all", async || diary.lock().holder.len() == COMPONENTS).await;
    assert_eq!(holders(&diary), BTreeSet::from(["one"]));

    let two = open(&url, "two", clock.clone()).await;
    let second = start(&two, "two", &diary).await;
    until("both have some", async || holders(&diary).len() == 2).await;
    second.shutdown(Duration::from_secs(5)).await;
    two.close().await;
    until("one has them all again", async || holders(&diary) == BTreeSet::from(["one"])).await;

    publisher.abort();
    let last = stored(&one, "ORDERS").await;
    until("everything is handled", async || {
        let diary = diary.lock();
        diary.handled.values().all(|handled| handled.len() as u64 >= last)
    })
    .await;
    first.shutdown(Duration::from_secs(5)).await;
    let diary = diary.lock();
    assert_eq!(diary.clashes, Vec::<String>::new());
    for (component, handled) in &diary.handled {
        assert!(handled.is_sorted(), "{component} was handed events out of order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_is_replaced_within_seconds_and_nothing_is_lost() {
    let (url, clock) = (account(), Arc::new(SystemClock::default()));
    let diary: Arc<Mutex<Diary>> = Arc::default();
    let one = open(&url, "one", clock.clone()).await;
    let first = start(&one, "one", &diary).await;
    publish(&one, &["a", "b"]).await;
    until("one has them all", async || diary.lock().holder.len() == COMPONENTS).await;
    let two = open(&url, "two", clock.clone()).await;
    let second = start(&two, "two", &diary).await;
    let held: Vec<_> = one.core.holdings.lock().keys().cloned().collect();
    held.iter().for_each(|name| stop(&one, name, true));
    assert_eq!(held.len(), COMPONENTS);
    drop(first);
    one.core.stopping.cancel();
    publish(&two, &["c", "d"]).await;
    until("two has them all", async || {
        let diary = diary.lock();
        diary.handled.values().all(|handled| handled.len() == 4) && diary.holder.values().all(|node| *node == "two")
    })
    .await;
    assert_eq!(diary.lock().clashes, Vec::<String>::new());
    second.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_is_paused_and_resumed_in_whichever_process() {
    let (url, clock) = (account(), Arc::new(SystemClock::default()));
    let diary: Arc<Mutex<Diary>> = Arc::default();
    let (one, two) = (open(&url, "one", clock.clone()).await, open(&url, "two", clock.clone()).await);
    let trigger = start(&one, "one", &diary).await;
    let handled = |component: &str| diary.lock().handled.get(component).map_or(0, Vec::len);
    publish(&one, &["a"]).await;
    until("all have it", async || (0..COMPONENTS).all(|number| handled(&format!("c{number}")) == 1)).await;
    two.pause("c3", "ORDERS", true).await.unwrap();
    let told = one.core.buckets.control.read::<bool>("pause.c3.ORDERS").await.unwrap();
    assert_eq!(told.value, Some(true));
    // The holder hears of it in its own time.
    let mut number = 0;
    until("nothing more comes to c3", async || {
        let before = handled("c3");
        number += 1;
        publish(&one, &[&format!("b{number}")]).await;
        until("the others have it", async || handled("c4") >= stored(&one, "ORDERS").await as usize).await;
        handled("c3") == before
    })
    .await;
    two.pause("c3", "ORDERS", false).await.unwrap();
    until("all of it comes to c3", async || handled("c3") as u64 == stored(&one, "ORDERS").await).await;
    trigger.shutdown(Duration::from_secs(5)).await;
}
