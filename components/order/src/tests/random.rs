//! Any events in any order: the order keeps its promises, and with no inbox at all each event again changes nothing
//! and tells the same.

use super::events::*;
use crate::domain::{Facts, Order, Ordering, Status};
use kit::Event;
use kit::aggregate::{Decider, Decision, Effect, Input};
use proptest::prelude::*;

fn heard() -> Vec<(&'static str, Event)> {
    vec![
        (ORDER, created()),
        (ORDER, confirm()),
        (ORDER, cancel()),
        (ORDER, cancel_bare()),
        (ORDER, deliver()),
        ("p1", reserved()),
        ("p1", sold()),
        ("p2", sold()),
        ("p2", released("reservation-expired")),
        ("p2", released("order-cancelled")),
        ("pay", initiated()),
        ("pay", failed(1)),
        ("pay", failed(3)),
        ("pay", succeeded()),
        ("refund", refunded()),
    ]
}

/// A fact without its version, which a new one and a repeated one say in different ways.
fn told(effects: &[Effect]) -> Vec<Event> {
    let event = |effect: &Effect| match effect {
        Effect::Fact(event) | Effect::Again(_, event) => event.clone(),
        other => panic!("an order tells facts only: {other:?}"),
    };
    effects.iter().map(event).collect()
}

fn decide(order: &Order, version: u64, from: &str, event: &Event) -> Decision<Order> {
    let meta = meta(from, "order/ALL#1", version);
    Ordering::decide(order, &Facts::default(), Input { id: ORDER, meta: &meta, event, version })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn an_order_keeps_its_promises(choices in prop::collection::vec(0..15_usize, 0..40)) {
        let events = heard();
        let mut order = Order::default();
        let mut history: Vec<(usize, Vec<Event>)> = Vec::new();
        for (version, choice) in (1..).zip(choices) {
            let (from, event) = &events[choice];
            let before = order.status;
            let Decision::Change(change) = decide(&order, version, from, event) else { continue };
            order = change.state;
            match before {
                Status::Cancelled => prop_assert_eq!(order.status, Status::Cancelled),
                Status::Delivered => prop_assert_eq!(order.status, Status::Delivered),
                Status::Confirmed => prop_assert!(order.status != Status::Pending),
                Status::Absent | Status::Pending => prop_assert!(order.status != Status::Delivered),
            }
            if order.status == Status::Delivered {
                prop_assert!(order.confirmed.is_some() && order.cancelled.is_none());
            }
            // A refused delivery is kept by the kit; everything else has to hold without an inbox.
            let refused_delivery = change.refusal.is_some() && matches!(event, Event::OrderDeliver(_));
            if !refused_delivery {
                history.push((choice, told(&change.effects)));
            }
        }
        for (choice, facts) in history {
            let (from, event) = &events[choice];
            match decide(&order, 1_000, from, event) {
                Decision::Change(change) => {
                    prop_assert_eq!(&change.state, &order, "after {}", event.subject());
                    prop_assert_eq!(told(&change.effects), facts, "after {}", event.subject());
                }
                Decision::Ignore => prop_assert!(facts.is_empty(), "{} told {:?}", event.subject(), facts),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
