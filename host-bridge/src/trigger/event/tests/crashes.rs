//! Seeded runs with every fault and crashes: nothing lost, order kept within a life, every emission there once.

use super::stage::*;
use crate::bus::simulated::Faults;
use crate::dispatch::{Effect, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

const EVENTS: usize = 30;
const SEEDS: u64 = 60;

/// `one` answers every order with a stock event of the same key; `two` takes those.
fn chain(seed: u64) -> Handlers {
    let calls = AtomicU64::new(seed);
    Handlers::new(move |component, delivery| {
        let id = delivery.event.id().unwrap_or_default().to_owned();
        let roll = calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9) % 10;
        let emission = event("stock.checked", &format!("of-{id}"), &delivery.key);
        let emits = component == "one";
        async move {
            sleep(Duration::from_millis(roll * 7)).await;
            match roll {
                8 => Verdict::Unavailable { reason: "away".into() },
                9 => Verdict::Retry { after: None, reason: "later".into() },
                _ if emits => Verdict::Done(vec![Effect::Publish(emission)]),
                _ => Verdict::Done(Vec::new()),
            }
        }
    })
}

fn stage(seed: u64) -> Stage {
    let mut stage = Stage::new(Faults::default(), chain(seed));
    stage.subscribers = vec![subscriber("one", &[("ORDERS", "order.>")]), subscriber("two", &[("STOCK", "stock.>")])];
    for subscriber in &mut stage.subscribers {
        subscriber.max_attempts = 1_000;
    }
    stage
}

#[tokio::test(start_paused = true)]
async fn whatever_crashes_every_order_has_its_answer() {
    for seed in 0..SEEDS {
        let mut stage = stage(seed);
        let events: Vec<_> = (0..EVENTS).map(|n| (format!("e{n}"), format!("k{}", n % 7))).collect();
        let events: Vec<_> = events.iter().map(|(id, key)| (id.as_str(), key.as_str())).collect();
        stage.publish("order.created", &events).await;
        stage.bus.flush();
        for life in 0..6 {
            let (seed, unflushed) = (seed * 100 + life, 500);
            let faults =
                Faults { seed, refused: 50, lost_answers: 50, lost_acks: 50, copies: 50, unflushed, delays: 200 };
            stage.handlers = chain(seed);
            let trigger = start_despite_faults(&stage, faults).await;
            sleep(Duration::from_millis(20 + seed % 300)).await;
            drop(trigger);
            check_order_within_a_life(&stage, &events);
            stage.bus.crash();
        }
        stage.bus.set_faults(Faults::default());
        let trigger = stage.start().await;
        stage.settles().await;
        trigger.shutdown(Duration::from_secs(60)).await;
        check_answers(&stage, seed).await;
    }
}

async fn start_despite_faults(stage: &Stage, faults: Faults) -> crate::trigger::event::EventTrigger {
    stage.bus.set_faults(Faults::default());
    let trigger = stage.start().await;
    stage.bus.set_faults(faults);
    trigger
}

/// Within one life, the first hand-outs of a key come in the order in which they were published.
fn check_order_within_a_life(stage: &Stage, events: &[(&str, &str)]) {
    let published: BTreeMap<&str, usize> = events.iter().enumerate().map(|(n, (id, _))| (*id, n)).collect();
    let keys: BTreeMap<&str, &str> = events.iter().copied().collect();
    let (mut latest, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for id in stage.handlers.begun() {
        let Some(number) = published.get(id.as_str()) else { continue };
        if seen.insert(id.clone()) {
            let before = latest.insert(keys[id.as_str()], *number);
            assert!(before.is_none_or(|before| before < *number), "{id} came after number {before:?} of its key");
        }
    }
}

async fn check_answers(stage: &Stage, seed: u64) {
    assert_eq!(stage.letters().await, Vec::<String>::new(), "seed {seed}");
    let answers: BTreeSet<_> =
        stage.bus.log("STOCK").iter().filter_map(|event| event.id().map(str::to_owned)).collect();
    let expected: BTreeSet<_> = (0..EVENTS).map(|n| format!("of-e{n}")).collect();
    assert_eq!(answers, expected, "seed {seed}");
}
