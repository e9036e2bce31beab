//! Each rule once.

use super::world::*;
use crate::Policy;
use crate::message::Message;
use crate::millis::Millis;
use crate::verdict::Verdict;
use std::time::Duration;

fn world() -> World {
    World::new(policy()).run().told(&["caught up"])
}

#[test]
fn one_key_goes_in_order_and_others_beside_it() {
    world()
        .arrive(&[(1, "a"), (2, "a"), (3, "b")])
        .told(&["hand out 1 (1)", "hand out 3 (1)"])
        .answer(3, done())
        .told(&["settle 3"])
        .answer(1, done())
        .told(&["settle 1", "hand out 2 (1)"]);
}

#[test]
fn a_key_waits_until_its_event_is_settled_not_only_answered() {
    let mut world = World::new(policy());
    for (sequence, key) in [(1, "a"), (2, "a")] {
        world.machine.arrived(message(sequence), Some(key), world.now);
    }
    let slot = world.machine.hand_out(world.now).expect("first").slot;
    world.machine.verdict(slot, done(), world.now);
    assert!(!world.machine.wants_permit(world.now), "the first is answered but not settled");
    world.machine.settled(slot, world.now);
    assert_eq!(world.machine.hand_out(world.now).expect("second").message.sequence, 2);
}

#[test]
fn events_without_a_key_wait_for_nobody() {
    world().arrive(&[(1, "-"), (2, "-")]).told(&["hand out 1 (1)", "hand out 2 (1)"]);
}

#[test]
fn no_more_run_at_once_than_there_are_permits() {
    world()
        .arrive(&[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")])
        .told(&["hand out 1 (1)", "hand out 2 (1)", "hand out 3 (1)", "hand out 4 (1)"])
        .answer(2, done())
        .told(&["settle 2", "hand out 5 (1)"]);
}

#[test]
fn a_handler_works_on_while_the_bus_takes_what_was_answered() {
    let mut world = World::new(policy());
    let concurrency = policy().concurrency;
    let events = concurrency * 6;
    for sequence in 1..=events as u64 {
        world.machine.arrived(message(sequence), None, world.now);
    }
    let mut answered = Vec::new();
    while world.machine.wants_permit(world.now) {
        let slot = world.machine.hand_out(world.now).expect("wanted a permit").slot;
        assert_eq!(world.machine.permits(), 1);
        world.machine.verdict(slot, done(), world.now);
        assert_eq!((world.machine.permits(), world.machine.take_freed()), (0, 1));
        answered.push(slot);
    }
    assert_eq!((answered.len(), world.machine.in_flight()), (concurrency * 4, concurrency * 4));
    world.machine.settled(answered[0], world.now);
    assert!(world.machine.wants_permit(world.now), "a place among the settlements is free");
    assert_eq!(world.machine.take_freed(), 0, "it gave its permit back before");
}

#[test]
fn a_waiting_retry_holds_its_key_alone() {
    world()
        .arrive(&[(1, "a"), (2, "a"), (3, "b")])
        .told(&["hand out 1 (1)", "hand out 3 (1)"])
        .answer(1, retry())
        .told(&["retry 1"])
        .answer(3, done())
        .told(&["settle 3"])
        .pass(49)
        .told(&[])
        .pass(51)
        .told(&["hand out 1 (2)"])
        .answer(1, done())
        .told(&["settle 1", "hand out 2 (1)"]);
}

#[test]
fn the_handler_may_ask_for_a_longer_wait() {
    world()
        .arrive(&[(1, "a")])
        .answer(1, Verdict::Retry { after: Some(Duration::from_secs(5)), reason: String::new() })
        .told(&["hand out 1 (1)", "retry 1"])
        .pass(4_999)
        .told(&[])
        .pass(1)
        .told(&["hand out 1 (2)"]);
}

#[test]
fn at_the_limit_an_event_is_dead_and_its_key_goes_on() {
    let broken = || Verdict::Broken { reason: "trap".into() };
    world()
        .arrive(&[(1, "a"), (2, "a")])
        .answer(1, retry())
        .pass(200)
        .answer(1, broken())
        .pass(400)
        .told(&["hand out 1 (1)", "retry 1", "hand out 1 (2)", "retry 1", "hand out 1 (3)"])
        .answer(1, broken())
        .told(&["bury 1: exhausted after 3", "hand out 2 (1)"]);
}

#[test]
fn a_rejection_is_dead_at_once() {
    world().arrive(&[(1, "a")]).answer(1, reject()).told(&["hand out 1 (1)", "bury 1: rejected after 1"]);
}

#[test]
fn an_outage_spends_no_attempt_and_probes_ever_more_rarely() {
    let mut world = world().arrive(&[(1, "a"), (2, "b"), (3, "c")]);
    world = world.answer(1, away()).answer(2, away()).answer(3, away());
    world = world.told(&[
        "hand out 1 (1)",
        "hand out 2 (1)",
        "hand out 3 (1)",
        "outage",
        "put back 1",
        "put back 2",
        "put back 3",
    ]);
    world = world.pass(99).told(&[]).pass(1).told(&["hand out 1 (1)"]);
    world = world.answer(1, away()).told(&["put back 1"]).pass(199).told(&[]).pass(1).told(&["hand out 2 (1)"]);
    for _ in 0..20 {
        world = world.answer(2, away()).pass(5_000).answer(3, away()).pass(5_000).answer(1, away()).pass(5_000);
    }
    assert_eq!(world.machine.in_flight(), 1);
    let _ = world;
}

#[test]
fn the_first_other_verdict_of_a_probe_ends_the_outage() {
    world()
        .arrive(&[(1, "a"), (2, "b"), (3, "c")])
        .answer(1, away())
        .answer(2, done())
        .told(&["hand out 1 (1)", "hand out 2 (1)", "hand out 3 (1)", "outage", "put back 1", "settle 2"])
        .answer(3, away())
        .told(&["put back 3"])
        .pass(100)
        .told(&["hand out 1 (1)"])
        .answer(1, retry())
        .told(&["outage over after 100 ms", "retry 1", "hand out 3 (1)"]);
}

#[test]
fn an_outage_fetches_nothing_since_who_told_of_it_asks_again() {
    let world = world().arrive(&[(1, "a")]);
    assert!(world.machine.fetch() > 1);
    let world = world.answer(1, away());
    assert_eq!(world.machine.fetch(), 0, "event 1 will ask");
    let world = world.pass(100).told(&["hand out 1 (1)", "outage", "put back 1", "hand out 1 (1)"]);
    assert_eq!(world.machine.fetch(), 0, "event 1 asks");
    assert!(world.answer(1, done()).machine.fetch() > 1);
}

#[test]
fn the_driver_is_woken_for_the_next_probe_unless_nothing_may_be_handed_out() {
    let world = world().arrive(&[(1, "a")]);
    assert_eq!(world.machine.wake_at(world.now), None);
    let world = world.answer(1, away());
    let due = world.now.after(Duration::from_millis(100));
    assert_eq!(world.machine.wake_at(world.now), Some(due));
    let world = world.pause(true);
    assert_eq!(world.machine.wake_at(world.now), None);
    let world = world.pause(false);
    assert_eq!(world.machine.wake_at(due), None, "it is due: it is handed out, not waited for");
    let world = world.pass(100);
    assert_eq!(world.machine.wake_at(world.now), None, "it is under way");
}

#[test]
fn what_has_no_answer_yet_is_known_at_shutdown() {
    let world = world().arrive(&[(1, "a"), (2, "a"), (3, "b"), (4, "c")]).answer(3, done()).answer(4, retry());
    let open: Vec<_> = world.machine.unanswered().iter().map(|message| message.sequence).collect();
    assert_eq!(open, [1], "2 was never handed out, 3 is settled, 4 waits");
}

#[test]
fn what_failed_too_often_before_the_restart_is_dead_unseen() {
    world()
        .arrive_as(Message { failures: 3, ..message(1) }, "a")
        .arrive_as(Message { unanswered: 3, ..message(2) }, "b")
        .arrive(&[(3, "a")])
        .told(&["bury 1: exhausted after 3", "bury 2: killed after 3", "hand out 3 (1)"]);
}

#[test]
fn the_dead_unseen_keep_their_place_in_the_key() {
    world()
        .arrive(&[(1, "a")])
        .arrive_as(Message { failures: 3, ..message(2) }, "a")
        .run()
        .told(&["hand out 1 (1)"])
        .answer(1, done())
        .told(&["settle 1", "bury 2: exhausted after 3"]);
}

#[test]
fn one_suspect_runs_at_a_time_and_whoever_is_none_goes_on() {
    world()
        .arrive(&[(1, "a")])
        .arrive_as(Message { unanswered: 1, ..message(2) }, "b")
        .arrive_as(Message { unanswered: 1, ..message(3) }, "c")
        .run()
        .told(&["hand out 1 (1)"])
        .grant_solo()
        .told(&["hand out 2 (2)"])
        .arrive(&[(4, "d")])
        .told(&["hand out 4 (1)"])
        .answer(2, done())
        .told(&["settle 2"])
        .grant_solo()
        .told(&["hand out 3 (2)"]);
}

#[test]
fn what_was_in_hand_at_one_end_goes_on_at_full_speed_where_it_has_attempts_enough() {
    let world = World::new(Policy { max_attempts: 4, ..policy() })
        .arrive_as(Message { unanswered: 1, ..message(1) }, "a")
        .arrive_as(Message { unanswered: 1, ..message(2) }, "b")
        .arrive_as(Message { unanswered: 2, ..message(3) }, "c")
        .run()
        .told(&["caught up", "hand out 1 (2)", "hand out 2 (2)"]);
    assert!(world.machine.wants_solo(), "it was in hand at two");
    world.grant_solo().told(&["hand out 3 (3)"]);
}

#[test]
fn what_runs_and_what_could_at_once_is_twice_the_concurrency_at_most() {
    let world = world().arrive(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    assert_eq!((world.machine.permits(), world.machine.fetch()), (4, 4));
    let world = world.arrive(&[(5, "e")]);
    assert_eq!((world.machine.permits(), world.machine.fetch()), (4, 0), "a batch is not used up");
}

#[test]
fn suspects_in_line_keep_nobody_else_from_being_fetched() {
    let mut world = world();
    for sequence in 1..=9 {
        world = world.arrive_as(Message { unanswered: 1, ..message(sequence) }, &format!("key-{sequence}"));
    }
    assert!(world.machine.fetch() > 0);
}

#[test]
fn the_suspect_of_fewer_ends_runs_first() {
    world()
        .arrive_as(Message { unanswered: 2, ..message(1) }, "a")
        .arrive_as(Message { unanswered: 1, ..message(2) }, "b")
        .arrive_as(Message { unanswered: 2, ..message(3) }, "c")
        .arrive_as(Message { unanswered: 1, ..message(4) }, "d")
        .pass(1_000)
        .grant_solo()
        .told(&["hand out 2 (2)"])
        .answer(2, done())
        .grant_solo()
        .told(&["settle 2", "hand out 4 (2)"])
        .answer(4, done())
        .grant_solo()
        .told(&["settle 4", "hand out 1 (3)"])
        .answer(1, done())
        .grant_solo()
        .told(&["settle 1", "hand out 3 (3)"]);
}

#[test]
fn a_suspect_that_answers_is_cleared() {
    let world =
        world().arrive_as(Message { unanswered: 1, ..message(1) }, "a").run().grant_solo().told(&["hand out 1 (2)"]);
    assert!(world.machine.holds_solo());
    let world = world.answer(1, retry()).told(&["retry 1"]);
    assert!(!world.machine.holds_solo());
    world.pass(100).told(&["hand out 1 (2)"]);
}

#[test]
fn the_more_ends_a_suspect_was_in_hand_at_the_longer_the_process_must_have_lived() {
    for (unanswered, millis) in [(3, 1_000), (4, 2_000), (7, 16_000)] {
        let world = World::new(Policy { max_attempts: 8, ..policy() })
            .arrive_as(Message { unanswered, ..message(1) }, "a")
            .arrive(&[(2, "a"), (3, "b")])
            .told(&["caught up", "hand out 3 (1)"])
            .pass(millis - 1);
        assert!(!world.machine.wants_solo(), "in hand at {unanswered} ends, handed out after less than {millis} ms");
        assert_eq!(world.machine.wake_at(world.now), Some(world.now.after(Duration::from_millis(1))));
        let told = format!("hand out 1 ({})", unanswered + 1);
        let world = world.pass(1).grant_solo().told(&[&told]);
        world.arrive_as(Message { unanswered, ..message(4) }, "c").answer(1, done());
    }
}

#[test]
fn a_retry_from_before_the_restart_still_waits() {
    world()
        .arrive_as(Message { failures: 1, not_before: Some(Millis(1_500)), ..message(1) }, "a")
        .arrive(&[(2, "a"), (3, "b")])
        .told(&["hand out 3 (1)"])
        .pass(499)
        .told(&[])
        .pass(1)
        .told(&["hand out 1 (2)"]);
}

#[test]
fn a_pause_stops_hand_outs_and_fetching() {
    let world = world().arrive(&[(1, "a"), (2, "a")]).pause(true).answer(1, done());
    let world = world.told(&["hand out 1 (1)", "settle 1"]);
    assert_eq!(world.machine.fetch(), 0);
    world.pause(false).told(&["hand out 2 (1)"]);
}

#[test]
fn replays_are_a_source_of_their_own() {
    world()
        .arrive(&[(5, "a")])
        .arrive_as(Message { replay: 1, ..message(1) }, "a")
        .arrive_as(Message { replay: 1, ..message(2) }, "a")
        .run()
        .told(&["hand out 5 (1)", "hand out 1 (1)"])
        .answer(5, done())
        .told(&["settle 5"])
        .answer(1, done())
        .told(&["settle 1", "hand out 2 (1)"]);
}

#[test]
fn catching_up_is_told_once_when_the_backlog_is_settled() {
    World::new(Policy { backlog_end: 2, ..policy() })
        .arrive(&[(1, "a"), (2, "b"), (3, "c")])
        .answer(2, done())
        .answer(3, done())
        .told(&["hand out 1 (1)", "hand out 2 (1)", "hand out 3 (1)", "settle 2", "settle 3"])
        .answer(1, retry())
        .told(&["retry 1"])
        .pass(100)
        .answer(1, done())
        .told(&["hand out 1 (2)", "settle 1", "caught up"])
        .arrive(&[(4, "a")])
        .answer(4, done())
        .told(&["hand out 4 (1)", "settle 4"]);
}

#[test]
fn effects_that_no_bus_takes_make_a_dead_letter() {
    let mut world = world();
    world.machine.arrived(message(1), Some("a"), world.now);
    let slot = world.machine.hand_out(world.now).expect("first").slot;
    world.machine.verdict(slot, done(), world.now);
    world.machine.poll_output().expect("settle");
    world.machine.unpublishable(slot, "no stream".into());
    world.run().told(&["bury 1: rejected after 1"]);
}

#[test]
fn answers_nobody_waits_for_are_ignored() {
    let mut world = world();
    world.machine.arrived(message(1), Some("a"), world.now);
    let slot = world.machine.hand_out(world.now).expect("first").slot;
    world.machine.settled(slot, world.now);
    world.machine.noted(slot, world.now);
    assert_eq!(world.machine.in_flight(), 1);
    world.machine.verdict(slot, done(), world.now);
    world.machine.verdict(slot, reject(), world.now);
    world.run().told(&["settle 1"]);
}

#[test]
fn a_hot_key_does_not_stall_fetching_others() {
    let mut world = world();
    for sequence in 1..=500 {
        world.machine.arrived(message(sequence), Some("hot"), world.now);
    }
    assert!(world.machine.fetch() > 0, "499 are held behind one");
    for sequence in 501..=2_000 {
        world.machine.arrived(message(sequence), Some("hot"), world.now);
    }
    assert_eq!(world.machine.fetch(), 0, "but not without bound");
}
