//! The order's status machine and the reports it notes.

use super::events::*;
use crate::Order as Component;
use crate::domain::{Facts, Order, Ordering, PaymentStatus, Status, Stock};
use kit::aggregate::{self, Effect};
use kit::check::Scenario;
use kit::events::order::CancellationReason;
use kit::events::payment::PaymentFailed;
use kit::memory::{Memory, block_on};
use kit::{Event, Failure, Worker};

fn order() -> Scenario<Ordering> {
    Scenario::new(ORDER, Facts { page: 3 })
}

/// Confirmed, and every item sold.
fn sold_out() -> Scenario<Ordering> {
    let mut order = order().given(created()).given(confirm());
    for product in ["p1", "p2"] {
        order.state.stock.insert(product.to_owned(), Stock::Sold);
    }
    order
}

fn fact(effects: &[Effect]) -> (&'static str, Event) {
    match effects {
        [Effect::Fact(event)] => ("new", event.clone()),
        [Effect::Again(_, event)] => ("again", event.clone()),
        other => panic!("not one fact: {other:?}"),
    }
}

#[test]
fn an_order_is_placed_confirmed_and_delivered() {
    let mut order = order();
    order.when(created()).publishes(&[]);
    assert_eq!((order.state.status, order.state.page, order.state.id.as_str()), (Status::Pending, 3, ORDER));
    let then = order.when(confirm());
    let ("new", Event::OrderConfirmed(confirmed)) = fact(&then.change().effects) else { panic!("{then:?}") };
    assert_eq!(confirmed.payment_reference, "txn-1");
    assert_eq!(confirmed.estimated_delivery_date, "2026-01-18T10:30:00.000Z");
    order.when(deliver()).is_refused("items-not-sold").keeps_the_state().publishes(&[]);
    let mut order = sold_out();
    order.when(deliver()).publishes(&["order.delivered"]);
    assert_eq!(order.state.status, Status::Delivered);
}

#[test]
fn a_later_wish_moves_the_estimated_delivery() {
    let Event::OrderCreated(mut created) = created() else { panic!("no order.created") };
    for (wish, expected) in
        [("2026-02-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"), (TEXT, "2026-01-18T10:30:00.000Z")]
    {
        created.requested_delivery_date = Some(wish.to_owned());
        let mut order = order().given(Event::OrderCreated(created.clone()));
        let then = order.when(confirm());
        let (_, Event::OrderConfirmed(confirmed)) = fact(&then.change().effects) else { panic!("{then:?}") };
        assert_eq!(confirmed.estimated_delivery_date, expected);
    }
}

#[test]
fn a_command_that_comes_again_tells_the_same_fact() {
    for (mut order, command) in [
        (order().given(created()), confirm()),
        (order().given(created()), cancel()),
        (sold_out(), deliver()),
        (order(), cancel()),
    ] {
        let first = order.when(command.clone());
        let ("new", told) = fact(&first.change().effects) else { panic!("{first:?}") };
        let mut later = order.after(60_000);
        let again = later.when(command).keeps_the_state();
        assert_eq!(fact(&again.change().effects), ("again", told));
        assert_eq!(again.change().refusal, None);
    }
    order().given(created()).when(created()).is_ignored();
}

#[test]
fn a_copy_of_the_confirmation_gets_its_fact_even_after_a_cancellation() {
    let mut order = order().given(created()).given(confirm()).given(cancel());
    order.when(confirm()).keeps_the_state().publishes(&["order.confirmed"]);
    assert_eq!(order.state.status, Status::Cancelled);
}

#[test]
fn a_cancelled_order_is_not_confirmed_and_tells_nothing() {
    let mut order = order().given(created()).given(cancel());
    order.when(confirm()).is_refused("order-cancelled").keeps_the_state().publishes(&[]);
    order.when(deliver()).is_refused("order-cancelled").publishes(&[]);
}

#[test]
fn a_confirmed_order_can_be_cancelled_and_says_that_money_goes_back() {
    let mut order = order().given(created()).given(confirm());
    let then = order.when(cancel_bare());
    let ("new", Event::OrderCancelled(cancelled)) = fact(&then.change().effects) else { panic!("{then:?}") };
    assert_eq!(cancelled.reason, CancellationReason::CustomerRequest);
    assert_eq!((cancelled.refund_required, cancelled.refund_amount), (true, Some(5_000)));
    assert_eq!(cancelled.cancelled_by, "c1");
    assert_eq!(cancelled.compensation_actions, ["payment-refunded"]);
}

#[test]
fn the_commands_words_are_the_facts() {
    let mut order = order().given(created());
    let then = order.when(cancel());
    let ("new", Event::OrderCancelled(cancelled)) = fact(&then.change().effects) else { panic!("{then:?}") };
    assert_eq!((cancelled.refund_required, cancelled.refund_amount), (false, None));
    assert_eq!((cancelled.cancelled_by.as_str(), cancelled.reason), ("system", CancellationReason::PaymentFailed));
    assert_eq!(cancelled.compensation_actions, ["stock-released"]);
}

#[test]
fn delivered_wins_over_cancel() {
    let mut order = sold_out().given(deliver());
    order.when(cancel()).is_refused("order-delivered").keeps_the_state().publishes(&["order.delivered"]);
    order.when(confirm()).keeps_the_state().publishes(&["order.confirmed"]);
}

#[test]
fn an_order_cancelled_before_it_was_heard_of_is_cancelled_at_once() {
    let mut order = order();
    order.when(cancel()).publishes(&["order.cancelled"]);
    order.when(created()).publishes(&["order.cancelled"]);
    assert_eq!(order.state.status, Status::Cancelled);
    order.when(created()).keeps_the_state().publishes(&["order.cancelled"]);
    order.when(confirm()).is_refused("order-cancelled");
}

#[test]
fn what_is_not_confirmed_is_not_delivered() {
    order().given(created()).when(deliver()).is_refused("order-not-confirmed").keeps_the_state();
    order().when(deliver()).is_refused("order-not-confirmed");
}

/// Over the ports: events of an order, from the aggregates they are of.
fn after(story: &[(&str, Event)]) -> Memory {
    let memory = Memory::at(NOW);
    for (sequence, (from, event)) in (1..).zip(story) {
        let outputs = block_on(Component::handle(&memory, meta(from, "order/ALL#1", sequence), event.clone()));
        assert!(outputs.is_ok(), "{event:?}: {outputs:?}");
    }
    memory
}

fn state(memory: &Memory) -> Order {
    block_on(aggregate::read::<Order, _>(memory, ORDER)).unwrap().unwrap().0
}

#[test]
fn reports_move_forward_only_and_may_come_before_the_order() {
    let expired = || released("reservation-expired");
    let memory = after(&[
        ("p1", reserved()),
        ("pay", initiated()),
        (ORDER, created()),
        ("p1", expired()),
        ("p1", sold()),
        ("p1", reserved()),
        ("p1", expired()),
        ("pay", failed(1)),
    ]);
    let order = state(&memory);
    assert_eq!(order.stock.get("p1"), Some(&Stock::Sold));
    assert_eq!(order.payment.as_ref().map(|report| report.status), Some(PaymentStatus::Retrying));
    let memory = after(&[
        (ORDER, created()),
        ("pay", failed(1)),
        ("pay", failed(2)),
        ("pay", failed(1)),
        ("pay", succeeded()),
        ("refund", refunded()),
        ("pay", succeeded()),
        ("p2", released("order-cancelled")),
        ("p2", sold()),
    ]);
    let order = state(&memory);
    assert_eq!(order.stock.get("p2"), Some(&Stock::Released));
    let report = order.payment.unwrap();
    assert_eq!((report.status, report.payment_id.as_str()), (PaymentStatus::Refunded, "pay"));
    assert_eq!((report.refunded_amount, report.failed_attempt), (Some(5_000), 2));
    assert_eq!(report.transaction_id.as_deref(), Some("txn-1"));
}

#[test]
fn a_cancellation_says_that_what_was_set_aside_goes_back() {
    let order = state(&after(&[(ORDER, created()), ("p1", reserved()), (ORDER, cancel_bare())]));
    assert_eq!(order.stock.get("p1"), Some(&Stock::Reserved));
    assert_eq!(order.cancelled.unwrap().fact.compensation_actions, ["stock-released"]);
}

#[test]
fn money_goes_back_where_it_was_taken_though_the_order_was_not_confirmed_yet() {
    for (report, back) in [(succeeded(), Some(5_000)), (failed(1), None)] {
        let order = state(&after(&[(ORDER, created()), ("pay", report), (ORDER, cancel_bare())]));
        let told = order.cancelled.unwrap().fact;
        assert_eq!((told.refund_required, told.refund_amount), (back.is_some(), back));
    }
}

#[test]
fn a_confirmation_of_an_order_nobody_heard_of_is_for_a_person() {
    let answer = block_on(Component::handle(&Memory::at(NOW), meta(ORDER, "order/ORDERS#1", 1), confirm()));
    assert!(matches!(answer, Err(Failure::Reject(why)) if why.contains("order.created")));
}

#[test]
fn events_of_no_concern_are_rejected() {
    let event = Event::read(
        "saga.resolve",
        r#"{"resolution":"retry","resolvedBy":"a","resolvedAt":"2026-01-15T10:30:00.000Z"}"#,
    )
    .unwrap();
    let answer = block_on(Component::handle(&Memory::at(NOW), meta(ORDER, "order/SAGAS#1", 1), event));
    assert!(matches!(answer, Err(Failure::Reject(_))));
}

#[test]
fn a_refused_delivery_stays_refused_even_with_an_empty_inbox() {
    let memory = after(&[(ORDER, created()), (ORDER, confirm())]);
    let handle = |sequence| {
        let mut meta = meta(ORDER, "order/ORDERS#1", sequence);
        meta.event_id = "the-delivery".to_owned();
        block_on(Component::handle(&memory, meta, deliver())).unwrap()
    };
    assert_eq!(handle(1), []);
    for (sequence, product) in [(1, "p1"), (2, "p2")] {
        block_on(Component::handle(&memory, meta(product, "order/INVENTORY#1", sequence), sold())).unwrap();
    }
    memory.empty_inboxes();
    assert_eq!(handle(2), []);
    assert_eq!(state(&memory).status, Status::Confirmed);
    let again = block_on(Component::handle(&memory, meta(ORDER, "order/ORDERS#1", 3), deliver())).unwrap();
    assert_eq!(again.len(), 1);
}

#[test]
fn an_order_of_format_1_is_read() {
    let Event::OrderCreated(created) = created() else { panic!("no order.created") };
    let created = serde_json::to_value(created).unwrap();
    let stored = serde_json::json!({
        "format": 1, "version": 7,
        "state": {"status": "confirmed", "created": created, "reserved": ["p1", "p2"], "sold": ["p2"]}
    });
    let stored = aggregate::parse::<Order>(stored.to_string().as_bytes()).unwrap();
    assert_eq!((stored.format, stored.version, stored.state.status), (2, 7, Status::Confirmed));
    assert_eq!(stored.state.stock.get("p1"), Some(&Stock::Reserved));
    assert_eq!(stored.state.stock.get("p2"), Some(&Stock::Sold));
    let why = aggregate::parse::<Order>(br#"{"format":3,"version":1,"state":{}}"#).unwrap_err();
    assert!(why.contains("format 3"), "{why}");
    let why = aggregate::parse::<Order>(br#"{"format":1,"version":1,"state":{"sold":7}}"#).unwrap_err();
    assert!(why.contains("sold"), "{why}");
}

#[test]
fn each_report_of_the_payment_is_noted_once_and_moves_on() {
    let status = |order: &Scenario<Ordering>| order.state.payment.as_ref().map(|report| report.status);
    let mut order = order().given(created());
    order.when(initiated()).publishes(&[]);
    assert_eq!(status(&order), Some(PaymentStatus::Initiated));
    order.when(initiated()).is_ignored();
    order.when(failed(1)).publishes(&[]);
    assert_eq!(status(&order), Some(PaymentStatus::Retrying));
    order.when(failed(1)).is_ignored();
    order.when(failed(2)).publishes(&[]);
    let report = order.state.payment.clone().unwrap();
    assert_eq!((report.status, report.failed_attempt), (PaymentStatus::Retrying, 2));
    assert_eq!((report.error.as_deref(), report.transaction_id), (Some("busy: try later"), None));

    let retried = || self::order().given(created()).given(failed(1)).given(failed(2));
    let mut last = retried();
    last.when(failed(3)).publishes(&[]);
    assert_eq!(status(&last), Some(PaymentStatus::Failed));
    let mut final_no = retried();
    let Event::PaymentFailed(no) = failed(3) else { panic!("no payment.failed") };
    final_no.when(Event::PaymentFailed(PaymentFailed { retryable: false, max_attempts: 9, ..no }));
    assert_eq!(status(&final_no), Some(PaymentStatus::Failed));

    order.when(succeeded()).publishes(&[]);
    let report = order.state.payment.clone().unwrap();
    assert_eq!((report.status, report.transaction_id.as_deref()), (PaymentStatus::Succeeded, Some("txn-1")));
    order.when(failed(3)).is_ignored();
    order.when(refunded()).publishes(&[]);
    let report = order.state.payment.clone().unwrap();
    assert_eq!((report.status, report.refunded_amount), (PaymentStatus::Refunded, Some(5_000)));
    order.when(succeeded()).is_ignored();
}
