//! Giving the money back.

use super::{Line, Shop, facts, meta, payment_id, process, refund, subjects, timer};
use crate::domain::{Answer, Next, Settings, next};
use kit::aggregate::{Effect, Input};
use kit::{Event, Output};

#[track_caller]
fn refunded(outputs: &[Output]) -> u64 {
    match &*facts(outputs) {
        [(None, Event::PaymentRefunded(refund))] => refund.refund_amount,
        other => panic!("expected one payment.refunded, got {other:?}"),
    }
}

#[test]
fn what_was_taken_goes_back_whole_and_once() {
    let mut shop = Shop::new();
    shop.deliver("p", &process("tok_ok", 1));
    let first = shop.deliver("r", &refund());
    assert_eq!(refunded(&first), 5_900);
    shop.ports.empty_inboxes();
    assert_eq!(shop.deliver("r", &refund()), first);
    assert_eq!(refunded(&shop.deliver("r-again", &refund())), 5_900, "another asker is told the same");
    assert_eq!(shop.ledger(), (5_900, 5_900, 1));
}

#[test]
fn a_refund_before_its_payment_is_a_tombstone() {
    let mut shop = Shop::new();
    assert_eq!(refunded(&shop.deliver("r", &refund())), 0);
    let late = shop.deliver("p", &process("tok_ok", 1));
    let (_, Event::PaymentFailed(failed)) = &facts(&late)[0] else { panic!("{late:?}") };
    assert!(!failed.retryable);
    shop.ports.empty_inboxes();
    assert_eq!(shop.deliver("p", &process("tok_ok", 1)), late);
    assert_eq!((shop.ledger(), shop.calls.borrow().len()), ((0, 0, 0), 0), "nobody was asked for anything");
}

#[test]
fn a_refund_that_meets_charging_voids() {
    for (line, taken) in [(Line::AnswerLost, 5_900), (Line::RequestLost, 0)] {
        let mut shop = Shop::new();
        shop.fails(&[line]);
        let due = timer(&shop.deliver("p", &process("tok_ok", 1))).unwrap();
        let undone = shop.deliver("r", &refund());
        assert_eq!(refunded(&undone), taken);
        assert!(undone.contains(&Output::CancelTimer("resume".to_owned())));
        assert_eq!(shop.deliver("t", &due.emission.event), [], "the timer that comes late finds nothing to do");
        let (charged, back, _) = shop.ledger();
        assert_eq!((charged, back), (taken, taken));
    }
}

#[test]
fn a_refund_without_an_answer_is_continued_by_the_timer() {
    let mut shop = Shop::new();
    shop.deliver("p", &process("tok_ok", 1));
    shop.fails(&[Line::AnswerLost, Line::Away]);
    let asked = shop.deliver("r", &refund());
    assert_eq!(subjects(&asked), [""; 0]);
    let due = timer(&asked).unwrap();
    let due = timer(&shop.deliver("t1", &due.emission.event)).unwrap();
    assert_eq!(refunded(&shop.deliver("t2", &due.emission.event)), 5_900);
    assert_eq!(shop.ledger(), (5_900, 5_900, 1));
}

#[test]
fn a_repeat_leaves_an_unanswered_refund_to_its_timer_and_another_asker_asks_again() {
    let mut shop = Shop::new();
    shop.deliver("p", &process("tok_ok", 1));
    shop.fails(&[Line::Away]);
    let due = timer(&shop.deliver("r", &refund())).unwrap();
    let calls = shop.calls.borrow().len();
    shop.ports.empty_inboxes();
    let again = shop.deliver("r", &refund());
    assert_eq!(timer(&again).map(|timer| timer.emission.event), Some(due.emission.event));
    assert_eq!((subjects(&again), shop.calls.borrow().len()), (Vec::new(), calls));
    assert_eq!(refunded(&shop.deliver("r-again", &refund())), 5_900);
}

#[test]
fn the_timer_of_a_refund_names_the_attempt_that_it_undoes() {
    let mut shop = Shop::new();
    for attempt in 1..=3 {
        shop.deliver(&format!("p{attempt}"), &process("tok_busy", attempt));
    }
    shop.fails(&[Line::Away]);
    let due = timer(&shop.deliver("r", &refund())).unwrap().emission.event;
    let Event::PaymentResume(due) = due else { panic!("{due:?}") };
    assert_eq!((due.attempt, due.tries), (3, 1));
}

#[test]
fn a_crash_after_the_call_refunds_once() {
    let mut shop = Shop::new();
    shop.deliver("p", &process("tok_ok", 1));
    assert!(shop.crash_after_the_call("r", &refund()).is_err());
    assert_eq!(shop.state().status(), "refunding");
    assert_eq!(refunded(&shop.deliver("r", &refund())), 5_900);
    assert_eq!(shop.ledger(), (5_900, 5_900, 1));
}

#[test]
fn where_nothing_was_taken_nothing_goes_back() {
    let mut shop = Shop::new();
    shop.deliver("p", &process("tok_declined", 1));
    assert_eq!(refunded(&shop.deliver("r", &refund())), 0);
    assert_eq!(shop.ledger(), (0, 0, 0));
}

#[test]
fn a_refund_tells_all_that_the_source_asks_for_under_an_id_of_its_own() {
    for (method, amount, days) in [("tok_ok", 5_900, 3), ("tok_declined", 0, 0)] {
        let mut shop = Shop::new();
        shop.deliver("p", &process(method, 1));
        let outputs = shop.deliver("r", &refund());
        let [Output::Emit(emission)] = &*outputs else { panic!("{outputs:?}") };
        let Event::PaymentRefunded(told) = &emission.event else { panic!("{emission:?}") };
        assert_eq!((told.refund_amount, told.processing_time), (amount, days));
        assert_eq!(told.gateway_refund_id.is_empty(), amount == 0, "only the gateway's own refund has its id");
        assert_eq!(emission.aggregate_id, kit::ids::derived("refund", &[&told.original_payment_id]));
    }
}

#[test]
fn where_nothing_went_back_no_id_of_the_gateway_is_told_whatever_it_answers() {
    let mut shop = Shop::new();
    shop.fails(&[Line::RequestLost]);
    shop.deliver("p", &process("tok_ok", 1));
    let settings = Settings { retry_delay: 1, max_attempts: 3 };
    let (id, meta, event) = (payment_id(), meta("r", 9, 1_768_473_100_000), refund());
    let input = Input { id: &id, meta: &meta, event: &event, version: 9 };
    let Next::Call(intended, call) = next(&shop.state(), settings, input, None) else { panic!("no call") };
    let answer = Answer::Undone { amount: 0, refund_id: "gw-7".to_owned() };
    let Next::Settle(change) = next(&intended, settings, input, Some(&(call, answer))) else { panic!("no change") };
    let [Effect::For(_, Event::PaymentRefunded(told)), Effect::Cancel(_)] = &*change.effects else {
        panic!("{change:?}")
    };
    assert_eq!((told.refund_amount, told.gateway_refund_id.as_str()), (0, ""));
}
