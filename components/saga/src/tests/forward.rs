//! The way to a confirmed order, its deadlines and its retries.

use super::case::*;
use crate::domain::{OrderStatus, PaymentState, Phase};
use kit::aggregate::{Decision, Effect};
use kit::events::{Event, order::CancellationReason};

/// Two items, both reserved.
fn reserved_both() -> Case {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1", "p2"])).given("p1", reserved("p1")).given("p2", reserved("p2"));
    case
}

#[test]
fn an_order_is_reserved_charged_confirmed_and_sold() {
    let mut case = Case::new();
    let payment = payment();
    let charge = format!("payment.process>{payment}");
    case.when(
        ORDER,
        created(&["p1", "p2"]),
        &["inventory.stock.check>p1", "inventory.stock.check>p2", "+stock-check", "+whole"],
    )
    .is(Phase::StockCheckPending)
    .when("p2", reserved("p2"), &[])
    .when("p1", reserved("p1"), &["-stock-check", &charge, "+payment-processing"])
    .is(Phase::PaymentProcessing)
    .when(&payment, succeeded(), &["-payment-processing", "order.confirm>o1", "+order-confirmation"])
    .is(Phase::OrderConfirmation)
    .when(ORDER, confirmed(), &["inventory.stock.sell>p1", "inventory.stock.sell>p2"])
    .when("p1", sold("p1"), &[])
    .when("p2", sold("p2"), &["-whole", "-order-confirmation"])
    .is(Phase::Completed);
    assert!(case.saga.deadlines.is_empty());
}

#[test]
fn commands_say_what_peers_need() {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1"]));
    let effects = case.effects("p1", &reserved("p1"));
    let Some(Effect::For(id, Event::PaymentProcess(charge))) = effects.get(1) else { panic!("{effects:?}") };
    assert_eq!(*id, payment());
    assert_eq!((charge.amount, charge.currency.as_str(), charge.payment_method.as_str()), (5_000, "EUR", "tok_ok"));
    assert_eq!((charge.attempt, charge.customer_id.as_deref()), (Some(1), Some("c1")));
    assert_eq!(charge.saga_id, "order-fulfillment-o1");
    let effects = case.effects(&payment(), &succeeded());
    let Some(Effect::For(_, Event::OrderConfirm(confirm))) = effects.get(1) else { panic!("{effects:?}") };
    assert_eq!(confirm.payment_reference, "txn-1");
}

#[test]
fn lines_of_one_product_are_one_item() {
    let mut case = Case::new();
    case.when(ORDER, created(&["p1", "p1"]), &["inventory.stock.check>p1", "+stock-check", "+whole"]);
    assert_eq!(case.saga.items.first().map(|item| item.quantity), Some(4));
}

#[test]
fn products_of_other_orders_are_of_no_concern() {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1"]));
    assert!(matches!(case.decision("p9", &reserved("p9")), Decision::Ignore));
}

#[test]
fn a_retryable_failure_is_tried_again_after_a_pause() {
    let mut case = reserved_both();
    let charge = format!("payment.process>{}", payment());
    case.when(&payment(), failed(1, true), &["+payment-retry"])
        .overdue("payment-retry", &[&charge])
        .when(&payment(), failed(1, true), &["+payment-retry"]) // a copy: the same moves, nothing changes
        .when(&payment(), failed(2, true), &["+payment-retry"])
        .overdue("payment-retry", &[&charge]);
    assert_eq!((case.saga.payment.state, case.saga.payment.attempt), (PaymentState::Asked, 3));
    case.when(&payment(), succeeded(), &["-payment-processing", "order.confirm>o1", "+order-confirmation"]);
}

#[test]
fn the_last_failure_is_final_and_asks_for_no_refund() {
    for (attempt, retryable) in [(1, false), (3, true)] {
        let mut case = reserved_both();
        case.saga.payment.attempt = attempt;
        case.when(
            &payment(),
            failed(attempt, retryable),
            &[
                "-payment-processing",
                "-whole",
                "+compensation",
                "inventory.stock.release>p1",
                "inventory.stock.release>p2",
                "order.cancel>o1",
            ],
        );
        assert_eq!(case.saga.reason, Some(CancellationReason::PaymentFailed));
    }
}

#[test]
fn delivery_is_noted_and_cannot_be_undone() {
    let mut case = reserved_both();
    case.given(&payment(), succeeded()).given(ORDER, confirmed());
    // Heard before the sales: the order accepts a delivery only when all is sold.
    case.when(ORDER, delivered(), &["-whole", "-order-confirmation"]).is(Phase::Completed);
    assert_eq!(case.saga.order, OrderStatus::Delivered);
    case.when(ORDER, cancelled(CancellationReason::CustomerRequest), &[]).is(Phase::Completed);
}

#[test]
fn deadlines_follow_the_settings() {
    let mut case = Case::new();
    case.settings.stock = 500;
    let start = case.now;
    let effects = case.effects(ORDER, &created(&["p1"]));
    let due: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Timer(name, at, _) => Some((name.as_str(), at.since(start))),
            _ => None,
        })
        .collect();
    assert_eq!(due, [("stock-check/1", 500), ("whole/2", 300_000)]);
}

#[test]
fn a_failure_of_an_attempt_nobody_asked_for_changes_nothing() {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1"])).given("p1", reserved("p1")).given(&payment(), failed(1, true));
    let waiting = case.saga.clone();
    case.when(&payment(), failed(2, true), &[]);
    assert_eq!(case.saga, waiting, "the pause before the second attempt goes on as it was");
}

#[test]
fn a_late_failure_of_an_earlier_attempt_changes_nothing() {
    let mut case = reserved_both();
    case.saga.payment.attempt = 2;
    let asked = case.saga.clone();
    case.when(&payment(), failed(1, false), &[]);
    assert_eq!(case.saga, asked, "the second attempt is still to be answered");
}
