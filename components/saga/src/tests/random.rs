//! Thousands of runs with random orders, copies, losses, early deadlines, cancellations and deliveries: every saga
//! ends, and what it ends with agrees with the shelves, the till and the order.

use super::world::*;
use crate::domain::{OrderStatus, Phase};
use kit::aggregate::Decision;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Act {
    Arrive(usize),
    ArriveAndStay(usize),
    Lose(usize),
    Fire(usize),
    Cancel,
    Deliver,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        24 => any::<usize>().prop_map(Act::Arrive),
        5 => any::<usize>().prop_map(Act::ArriveAndStay),
        1 => any::<usize>().prop_map(Act::Lose),
        2 => any::<usize>().prop_map(Act::Fire),
        1 => Just(Act::Cancel),
        1 => Just(Act::Deliver),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let mostly = |bad: u8| prop_oneof![3 => Just(0), 1 => Just(bad)];
    (mostly(1), mostly(2), mostly(4), 0..4_u32, any::<bool>()).prop_map(|(first, second, gone, failures, retryable)| {
        Plan { shelves: first | second | gone, failures: failures.saturating_sub(1), retryable }
    })
}

fn run(plan: Plan, acts: &[Act], losing: bool) -> World {
    let mut world = World::new(plan);
    for act in acts {
        let waiting = world.waiting.len();
        match *act {
            Act::Arrive(place) if waiting > 0 => world.arrive(place % waiting, false),
            Act::ArriveAndStay(place) if waiting > 0 => world.arrive(place % waiting, true),
            Act::Lose(place) if waiting > 0 && losing => world.lose(place % waiting),
            Act::Fire(place) => world.fire(place),
            Act::Cancel => world.cancel(),
            Act::Deliver => world.deliver(),
            Act::Arrive(_) | Act::ArriveAndStay(_) | Act::Lose(_) => {}
        }
    }
    world.come_to_rest();
    world
}

fn check(world: &World) {
    let saga = &world.case.saga;
    match saga.phase {
        Phase::Completed => {
            assert_eq!(world.shelves, [Shelf::Sold; 2], "{saga:?}");
            assert_eq!(world.till, Till::Charged, "{saga:?}");
            assert!(matches!(world.order, Order::Confirmed | Order::Delivered), "{saga:?}");
        }
        Phase::Failed => {
            let gone = |shelf: &Shelf| matches!(shelf, Shelf::Released | Shelf::Missing | Shelf::Free);
            assert!(world.shelves.iter().all(gone), "{:?} {saga:?}", world.shelves);
            assert!(!matches!(world.till, Till::Charged), "{saga:?}");
            assert!(matches!(world.order, Order::Cancelled(_)), "{saga:?}");
        }
        Phase::Stuck => assert!(world.lost, "nothing was lost, yet it is stuck: {saga:?}"),
        // Its `order.created` was lost: nothing began.
        Phase::Absent => assert!(world.lost && world.charges == 0),
        phase => panic!("it does not end: {phase:?} {saga:?}"),
    }
    assert!(world.charges <= 1);
    assert!(saga.phase == Phase::Stuck || saga.deadlines.is_empty(), "{saga:?}");
    if saga.order == OrderStatus::Delivered {
        assert_eq!(saga.phase, Phase::Completed);
    }
}

/// With no inbox at all: each event again changes nothing and leads to the same.
fn check_repeats(world: &World) {
    for (message, effects) in &world.heard {
        match world.case.decision(&message.of, &message.event) {
            Decision::Change(change) => {
                assert_eq!(change.state, world.case.saga, "after {message:?}");
                assert_eq!(change.effects, *effects, "after {message:?}");
            }
            Decision::Ignore => assert!(effects.is_empty(), "{message:?} led to {effects:?}"),
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn every_saga_ends_as_the_world_says(plan in plan(), acts in prop::collection::vec(act(), 0..80)) {
        let world = run(plan, &acts, false);
        check(&world);
        check_repeats(&world);
    }

    #[test]
    fn with_losses_it_ends_too_or_calls_a_person(plan in plan(), acts in prop::collection::vec(act(), 0..80)) {
        let world = run(plan, &acts, true);
        check(&world);
        check_repeats(&world);
    }
}

#[test]
fn without_any_trouble_the_order_is_confirmed() {
    let world = run(Plan { shelves: 0, failures: 0, retryable: false }, &[], false);
    assert_eq!(world.case.saga.phase, Phase::Completed);
    let world = run(Plan { shelves: 0, failures: 2, retryable: true }, &[], false);
    assert_eq!((world.case.saga.phase, world.case.saga.payment.attempt), (Phase::Completed, 3));
    let world = run(Plan { shelves: 4, failures: 0, retryable: false }, &[], false);
    assert_eq!((world.case.saga.phase, world.till), (Phase::Failed, Till::Refunded));
}
