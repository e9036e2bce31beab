//! Order, concurrency, outages, poison, panics, replays, pauses.

use super::stage::*;
use crate::bus::EventBus;
use crate::bus::simulated::Faults;
use crate::dispatch::{Delivery, Verdict};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const NO_FAULTS: Faults =
    Faults { seed: 0, refused: 0, lost_answers: 0, lost_acks: 0, copies: 0, unflushed: 0, delays: 0 };

fn done() -> Verdict {
    Verdict::Done(Vec::new())
}

fn is(delivery: &Delivery, id: &str) -> bool {
    delivery.event.id() == Some(id)
}

/// Takes 10 ms.
fn slow() -> Handlers {
    Handlers::new(|_, _| async {
        sleep(Duration::from_millis(10)).await;
        done()
    })
}

#[tokio::test(start_paused = true)]
async fn keys_go_in_order_and_beside_each_other() {
    let stage = Stage::new(NO_FAULTS, slow());
    let events: Vec<_> = (0..40).map(|n| (format!("e{n}"), format!("k{}", n % 5))).collect();
    let events: Vec<_> = events.iter().map(|(id, key)| (id.as_str(), key.as_str())).collect();
    stage.publish("order.created", &events).await;
    let _trigger = stage.start().await;
    stage.settles().await;
    let begun = stage.handlers.begun();
    for key in ["k0", "k1", "k2", "k3", "k4"] {
        let of_key = |id: &&str| events.iter().any(|(one, its)| one == id && *its == key);
        let expected: Vec<_> = events.iter().map(|(id, _)| *id).filter(of_key).collect();
        let seen: Vec<_> = begun.iter().map(String::as_str).filter(of_key).collect();
        assert_eq!(seen, expected);
    }
    assert_eq!(stage.handlers.diary().most_at_once, 4);
}

#[tokio::test(start_paused = true)]
async fn the_streams_of_a_component_share_its_concurrency() {
    let mut stage = Stage::new(NO_FAULTS, slow());
    stage.subscribers = vec![subscriber("one", &[("ORDERS", "order.>"), ("STOCK", "stock.>")])];
    for n in 0..20 {
        stage.publish("order.created", &[(&format!("o{n}"), &format!("k{n}"))]).await;
        stage.publish("stock.low", &[(&format!("s{n}"), &format!("k{n}"))]).await;
    }
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.handlers.diary().most_at_once, 4);
    let first = stage.handlers.begun().into_iter().take(20).filter(|id| id.starts_with('s')).count();
    assert!((8..=12).contains(&first), "{first} of the first 20 were of STOCK");
}

#[tokio::test(start_paused = true)]
async fn an_outage_spends_no_attempt() {
    let back = Instant::now() + Duration::from_secs(60);
    let handlers = Handlers::new(move |_, _| async move {
        if Instant::now() < back { Verdict::Unavailable { reason: "away".into() } } else { done() }
    });
    let stage = Stage::new(NO_FAULTS, handlers);
    stage.publish("order.created", &[("e1", "a"), ("e2", "b"), ("e3", "c")]).await;
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.letters().await, Vec::<String>::new());
    assert!(stage.handlers.diary().begun.iter().all(|(_, attempt)| *attempt == 1));
    let probes = stage.handlers.begun().len();
    // All three at its begin and at its end, a few while the wait grows, then one a second.
    assert!(probes <= 72, "{probes} hand-outs in a minute");
    assert_eq!((stage.notes.count("OutageBegan"), stage.notes.count("OutageEnded")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn poison_becomes_a_dead_letter_and_its_key_goes_on() {
    let handlers = Handlers::new(|_, delivery| {
        let poison = is(delivery, "poison");
        async move { if poison { Verdict::Broken { reason: "trap".into() } } else { done() } }
    });
    let stage = Stage::new(NO_FAULTS, handlers);
    stage.publish("order.created", &[("poison", "a"), ("after", "a"), ("beside", "b")]).await;
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.letters().await, ["poison exhausted"]);
    assert_eq!(stage.handlers.begun(), ["poison", "beside", "poison", "poison", "after"]);
    assert_eq!((stage.notes.count("Retry"), stage.notes.count("Dead")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_host_costs_one_delivery() {
    let handlers = Handlers::new(|_, delivery| {
        let broken = is(delivery, "e1") && delivery.attempt == 1;
        async move {
            assert!(!broken, "simulated");
            done()
        }
    });
    let stage = Stage::new(NO_FAULTS, handlers);
    stage.publish("order.created", &[("e1", "a"), ("e2", "b")]).await;
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.letters().await, Vec::<String>::new());
    assert_eq!(stage.handlers.begun(), ["e1", "e2", "e1"]);
}

#[tokio::test(start_paused = true)]
async fn a_handling_that_hangs_in_the_host_is_given_up() {
    let handlers = Handlers::new(|_, delivery| {
        let hangs = is(delivery, "e1");
        async move { if hangs { std::future::pending().await } else { done() } }
    });
    let stage = Stage::new(NO_FAULTS, handlers);
    stage.publish("order.created", &[("e1", "a"), ("e2", "a")]).await;
    let began = Instant::now();
    let _trigger = stage.start().await;
    stage.settles().await;
    assert_eq!(stage.letters().await, ["e1 exhausted"]);
    let took = began.elapsed();
    assert!((Duration::from_secs(18)..Duration::from_secs(20)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_answers_badly_loses_nothing_and_spends_nothing() {
    for seed in 0..20 {
        let faults = Faults { seed, refused: 200, lost_answers: 200, delays: 300, ..NO_FAULTS };
        let stage = Stage::new(NO_FAULTS, slow());
        let events: Vec<_> = (0..30).map(|n| (format!("e{n}"), format!("k{}", n % 3))).collect();
        let events: Vec<_> = events.iter().map(|(id, key)| (id.as_str(), key.as_str())).collect();
        stage.publish("order.created", &events).await;
        let _trigger = stage.start().await;
        stage.bus.set_faults(faults);
        stage.settles().await;
        assert_eq!(stage.letters().await, Vec::<String>::new(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replayed_dead_letter_comes_from_a_source_of_its_own() {
    let fixed = Instant::now() + Duration::from_secs(60);
    let handlers = Handlers::new(move |_, _| async move {
        if Instant::now() < fixed { Verdict::Broken { reason: "trap".into() } } else { done() }
    });
    let mut stage = Stage::new(NO_FAULTS, handlers);
    stage.subscribers.push(subscriber("two", &[("ORDERS", "order.>")]));
    stage.publish("order.created", &[("e1", "a")]).await;
    let _trigger = stage.start().await;
    stage.settles().await;
    let letters = stage.bus.dead_letters(10, None).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let begun = stage.handlers.begun().len();
    let of_one = letters.iter().find(|letter| letter.component == "one").unwrap();
    stage.bus.replay(&of_one.id).await.unwrap();
    stage.settles().await;
    assert_eq!(stage.handlers.begun()[begun..], ["e1"], "one consumer alone");
    assert_eq!(stage.handlers.diary().sources.last().unwrap(), "one/dlq/ORDERS");
    assert_eq!(stage.letters().await, ["e1 exhausted"], "the other's letter is still there");
}

#[tokio::test(start_paused = true)]
async fn a_paused_consumer_hands_nothing_out_until_it_is_resumed() {
    let stage = Stage::new(NO_FAULTS, slow());
    stage.publish("order.created", &[("e1", "a"), ("e2", "a"), ("e3", "a")]).await;
    let trigger = stage.start().await;
    until("one began", || !stage.handlers.begun().is_empty()).await;
    assert!(trigger.switch().pause("one", "ORDERS", true));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.handlers.begun(), ["e1"]);
    trigger.switch().pause("one", "ORDERS", false);
    stage.settles().await;
    assert_eq!(stage.handlers.begun(), ["e1", "e2", "e3"]);
    assert!(!trigger.switch().pause("one", "STOCK", true), "there is no such consumer");
}
