//! Taking the money.

use super::{Line, Shop, facts, process, refund, subjects, timer};
use kit::{Event, Failure, Output};

#[test]
fn a_payment_is_announced_and_succeeds() {
    let mut shop = Shop::new();
    let outputs = shop.deliver("p", &process("tok_ok", 1));
    assert_eq!(subjects(&outputs), ["payment.initiated", "payment.succeeded"]);
    assert_eq!(shop.ledger(), (5_900, 0, 1));
    let facts = facts(&outputs);
    let (_, Event::PaymentSucceeded(succeeded)) = &facts[1] else { panic!("{facts:?}") };
    assert_eq!((succeeded.gateway_fee, succeeded.marketplace_fee, succeeded.artisan_amount), (89, 590, 5_221));
}

#[test]
fn a_declined_card_fails_for_good_and_a_busy_bank_for_now() {
    let mut shop = Shop::new();
    let outputs = shop.deliver("p", &process("tok_declined", 1));
    assert_eq!(subjects(&outputs), ["payment.initiated", "payment.failed"]);
    let (_, Event::PaymentFailed(failed)) = &facts(&outputs)[1] else { panic!("{outputs:?}") };
    assert_eq!((failed.retryable, failed.error_code.as_str(), failed.max_attempts), (false, "card_declined", 3));

    let mut shop = Shop::new();
    for attempt in 1..=2 {
        let outputs = shop.deliver(&format!("p{attempt}"), &process("tok_busy", attempt));
        let (_, Event::PaymentFailed(failed)) = &facts(&outputs)[1] else { panic!("{outputs:?}") };
        assert_eq!((failed.retryable, failed.attempt_number), (true, attempt));
    }
    let outputs = shop.deliver("p3", &process("tok_busy", 3));
    assert_eq!(subjects(&outputs), ["payment.initiated", "payment.succeeded"]);
    assert_eq!(shop.ledger(), (5_900, 0, 1));
}

#[test]
fn a_repeat_says_the_same_and_calls_nobody() {
    let mut shop = Shop::new();
    let first = shop.deliver("p", &process("tok_ok", 1));
    let state = shop.state();
    shop.ports.empty_inboxes();
    assert_eq!(shop.deliver("p", &process("tok_ok", 1)), first);
    assert_eq!((shop.state(), shop.calls.borrow().len()), (state, 1));
}

#[test]
fn without_an_answer_it_stays_charging_and_a_timer_goes_on() {
    let mut shop = Shop::new();
    shop.fails(&[Line::AnswerLost, Line::Away, Line::RequestLost]);
    let first = shop.deliver("p", &process("tok_ok", 1));
    assert_eq!(subjects(&first), ["payment.initiated"]);
    let mut due = timer(&first).unwrap();
    let mut waits = Vec::new();
    let last = loop {
        let outputs = shop.deliver(&format!("t{}", waits.len()), &due.emission.event);
        match timer(&outputs) {
            Some(next) => {
                waits.push(next.fire_at - due.fire_at);
                due = next;
            }
            None => break outputs,
        }
    };
    assert_eq!(subjects(&last), ["payment.succeeded"]);
    assert_eq!(waits.len(), 2);
    assert!(waits[1] > waits[0], "the pause grows: {waits:?}");
    assert_eq!(shop.ledger(), (5_900, 0, 1), "one key, one charge");
    shop.ports.empty_inboxes();
    assert_eq!(facts(&shop.deliver("p", &process("tok_ok", 1))), facts(&first), "the outcome was not its own");
    assert_eq!(facts(&shop.deliver("t2", &due.emission.event)), facts(&last));
}

#[test]
fn a_gateway_that_never_answers_never_rejects_an_event() {
    let mut shop = Shop::new();
    let mut outputs = shop.deliver("p", &process("tok_timeout", 1));
    for round in 0..40 {
        let due = timer(&outputs).expect("it goes on");
        outputs = shop.deliver(&format!("t{round}"), &due.emission.event);
    }
    assert_eq!(shop.state().status(), "charging");
    let undone = shop.deliver("r", &refund());
    assert_eq!(subjects(&undone), ["payment.refunded"]);
    let (charged, refunded, count) = shop.ledger();
    assert_eq!((charged, count), (refunded, 1));
}

#[test]
fn a_crash_after_the_call_calls_again_under_the_same_key() {
    let mut shop = Shop::new();
    let crash = shop.crash_after_the_call("p", &process("tok_ok", 1));
    assert!(matches!(crash, Err(Failure::Retry(_))), "{crash:?}");
    assert_eq!(shop.state().status(), "charging");
    let outputs = shop.deliver("p", &process("tok_ok", 1));
    assert_eq!(subjects(&outputs), ["payment.initiated", "payment.succeeded"]);
    let keys: Vec<_> =
        shop.calls.borrow().iter().map(|call| call.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(shop.ledger(), (5_900, 0, 1));
}

#[test]
fn no_second_attempt_is_made_while_the_first_is_unknown_or_done() {
    let mut shop = Shop::new();
    shop.fails(&[Line::AnswerLost]);
    let due = timer(&shop.deliver("p1", &process("tok_ok", 1))).unwrap();
    assert_eq!(subjects(&shop.deliver("p2", &process("tok_ok", 2))), ["payment.failed"]);
    shop.deliver("t", &due.emission.event);
    assert_eq!(subjects(&shop.deliver("p3", &process("tok_ok", 3))), ["payment.succeeded"]);
    assert_eq!(shop.ledger(), (5_900, 0, 1));
}

#[test]
fn attempts_past_the_last_are_refused_without_a_call() {
    let mut shop = Shop::new();
    assert_eq!(subjects(&shop.deliver("p", &process("tok_ok", 4))), ["payment.failed"]);
    assert!(shop.calls.borrow().is_empty());
}

#[test]
fn a_stale_timer_settles_without_effect() {
    let mut shop = Shop::new();
    shop.fails(&[Line::Away, Line::Away, Line::Away]);
    let stale = timer(&shop.deliver("p", &process("tok_ok", 1))).unwrap();
    let next = timer(&shop.deliver("t1", &stale.emission.event)).unwrap();
    shop.deliver("t2", &next.emission.event);
    let calls = shop.calls.borrow().len();
    assert_eq!(shop.deliver("t0", &stale.emission.event), []);
    assert_eq!(shop.calls.borrow().len(), calls);
}

/// It would put off what is due: the timer has one name.
#[test]
fn only_the_command_that_left_the_running_timer_sets_it_again() {
    let due = |outputs: &[Output]| timer(outputs).map(|timer| timer.emission.event);
    let mut shop = Shop::new();
    shop.fails(&[Line::Away, Line::Away]);
    let first = shop.deliver("p", &process("tok_ok", 1));
    shop.ports.empty_inboxes();
    let copy = shop.deliver("p-copy", &process("tok_ok", 1));
    assert_eq!((subjects(&copy), due(&copy)), (vec!["payment.initiated"], None), "another asker's");
    let again = shop.deliver("p", &process("tok_ok", 1));
    assert!(due(&first).is_some());
    assert_eq!(due(&again), due(&first));
    shop.deliver("t", &due(&first).unwrap());
    shop.ports.empty_inboxes();
    let late = shop.deliver("p", &process("tok_ok", 1));
    assert_eq!((subjects(&late), due(&late)), (vec!["payment.initiated"], None), "a later one runs");
}
