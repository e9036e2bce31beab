//! The way back: compensation before and after the pivot, late replies, tombstones, stuck sagas.

use super::case::*;
use crate::domain::{MAX_RESENDS, OrderStatus, Phase, Stock};
use kit::aggregate::{Decision, Effect};
use kit::events::Event;
use kit::events::order::CancellationReason::{self, CustomerRequest, InventoryUnavailable, PaymentFailed};
use kit::events::saga::{Resolution, SagaStep};

const RELEASES: [&str; 2] = ["inventory.stock.release>p1", "inventory.stock.release>p2"];

fn at(phase: Phase) -> Case {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1", "p2"]));
    if phase != Phase::StockCheckPending {
        case.given("p1", reserved("p1")).given("p2", reserved("p2"));
    }
    if matches!(phase, Phase::OrderConfirmation | Phase::Completed) {
        case.given(&payment(), succeeded()).given(ORDER, confirmed());
    }
    if phase == Phase::Completed {
        case.given("p1", sold("p1")).given("p2", sold("p2"));
    }
    case.is(phase);
    case
}

fn refund() -> String {
    format!("payment.refund>{}", payment())
}

/// The order and both items say that all is undone; the money too, if it was asked back.
fn confirm_all(case: &mut Case, amount: Option<u64>) {
    case.given(ORDER, cancelled(InventoryUnavailable)).given("p1", released("p1", 2));
    if let Some(amount) = amount {
        case.is(Phase::Compensating).given(&payment(), refunded(amount));
    }
    case.is(Phase::Compensating).when("p2", released("p2", 0), &["-compensation"]).is(Phase::Failed);
}

fn cancel_of(effects: &[Effect]) -> &kit::events::order::OrderCancelRequested {
    let cancel = effects.iter().find_map(|effect| match effect {
        Effect::For(_, Event::OrderCancel(cancel)) => Some(cancel),
        _ => None,
    });
    cancel.unwrap_or_else(|| panic!("no order.cancel in {effects:?}"))
}

#[test]
fn an_unavailable_item_releases_the_others_even_unanswered_ones() {
    let mut case = at(Phase::StockCheckPending);
    case.when(
        "p2",
        unavailable(),
        &["-stock-check", "-whole", "+compensation", "inventory.stock.release>p1", "order.cancel>o1"],
    )
    .is(Phase::Compensating)
    .when("p1", reserved("p1"), &[]) // late: its release is on the way
    .when("p1", released("p1", 2), &[])
    .when(ORDER, cancelled(InventoryUnavailable), &["-compensation"])
    .is(Phase::Failed);
    assert_eq!(
        case.saga.items.iter().map(|item| item.stock).collect::<Vec<_>>(),
        [Stock::Released, Stock::Unavailable]
    );
}

#[test]
fn a_stock_deadline_compensates_what_may_have_happened() {
    let mut case = at(Phase::StockCheckPending);
    case.given("p1", reserved("p1"));
    let expected = ["-whole", "+compensation", RELEASES[0], RELEASES[1], "order.cancel>o1"];
    case.overdue("stock-check", &expected);
    confirm_all(&mut case, None);
    assert_eq!(case.saga.reason, Some(InventoryUnavailable));
}

#[test]
fn a_payment_deadline_refunds_what_may_have_been_taken() {
    let mut case = at(Phase::PaymentProcessing);
    let expected = ["-whole", "+compensation", RELEASES[0], RELEASES[1], &refund(), "order.cancel>o1"];
    case.overdue("payment-processing", &expected);
    assert_eq!(case.saga.reason, Some(PaymentFailed));
    case.when(&payment(), succeeded(), &[]).is(Phase::Compensating); // late: the refund is on the way
    confirm_all(&mut case, Some(5_000));
    assert_eq!(case.saga.payment.refunded, Some(5_000));
}

#[test]
fn between_two_attempts_there_is_nothing_to_refund() {
    let mut case = at(Phase::PaymentProcessing);
    case.given(&payment(), failed(1, true));
    let expected = ["-payment-retry", "-whole", "+compensation", RELEASES[0], RELEASES[1], "order.cancel>o1"];
    case.overdue("payment-processing", &expected);
    confirm_all(&mut case, None);
}

#[test]
fn the_order_is_told_what_is_undone() {
    let mut case = at(Phase::PaymentProcessing);
    let event =
        timeout(SagaStep::PaymentProcessing, case.saga.deadline(SagaStep::PaymentProcessing).unwrap().generation);
    let effects = case.effects(ORDER, &event);
    let cancel = cancel_of(&effects);
    assert_eq!(cancel.reason, PaymentFailed);
    assert_eq!((cancel.refund_required, cancel.refund_amount), (Some(true), Some(5_000)));
    assert_eq!(cancel.cancelled_by.as_deref(), Some("system"));
    assert_eq!(
        cancel.compensation_actions.as_deref(),
        Some(&["stock-released".to_owned(), "payment-refunded".to_owned()][..])
    );
}

#[test]
fn a_customer_cancels_before_the_pivot() {
    let expected = ["-stock-check", "-whole", "+compensation", RELEASES[0], RELEASES[1]];
    let mut case = at(Phase::StockCheckPending);
    case.when(ORDER, cancelled(CustomerRequest), &expected);
    case.given("p1", released("p1", 0)).given("p2", released("p2", 0)).is(Phase::Failed);

    let expected = ["-payment-processing", "-whole", "+compensation", RELEASES[0], RELEASES[1], &refund()];
    let mut case = at(Phase::PaymentProcessing);
    case.when(ORDER, cancelled(CustomerRequest), &expected);
    case.given(&payment(), refunded(0));
    case.given("p1", released("p1", 2)).given("p2", released("p2", 2)).is(Phase::Failed);
}

#[test]
fn a_customer_cancels_after_the_pivot() {
    for phase in [Phase::OrderConfirmation, Phase::Completed] {
        let mut case = at(phase);
        let mut expected = vec!["-order-confirmation", "-whole"];
        if phase == Phase::Completed {
            expected.clear();
        }
        let refund = refund();
        expected.extend(["+compensation", RELEASES[0], RELEASES[1], &refund]);
        case.when(ORDER, cancelled(CustomerRequest), &expected).is(Phase::Compensating);
        assert_eq!(case.saga.broke_in, Some(phase));
        case.given(&payment(), refunded(5_000)).given("p2", released("p2", 2)).is(Phase::Compensating);
        case.when("p1", released("p1", 2), &["-compensation"]).is(Phase::Failed);
    }
}

#[test]
fn after_the_pivot_the_order_decides_first() {
    let overdue = |case: &mut Case| {
        case.overdue("order-confirmation", &["-whole", "+compensation", "order.cancel>o1"]).is(Phase::Compensating);
    };
    let refund = refund();
    let undo = [RELEASES[0], RELEASES[1], &refund, "-compensation", "+compensation"];
    let mut case = at(Phase::OrderConfirmation);
    overdue(&mut case);
    case.when("p1", sold("p1"), &[]).when(ORDER, confirmed(), &RESELLS); // copies only: no new sale
    case.when(ORDER, cancelled(InventoryUnavailable), &undo);
    confirm_all(&mut case, Some(5_000));

    let mut case = at(Phase::OrderConfirmation);
    overdue(&mut case);
    case.when(ORDER, delivered(), &["-compensation"]).is(Phase::Completed);
}

const RESELLS: [&str; 2] = ["inventory.stock.sell>p1", "inventory.stock.sell>p2"];

#[test]
fn a_confirmation_heard_too_late_sells_nothing() {
    let mut case = at(Phase::PaymentProcessing);
    case.given(&payment(), succeeded());
    case.overdue("order-confirmation", &["-whole", "+compensation", "order.cancel>o1"]);
    case.when(ORDER, confirmed(), &[]).is(Phase::Compensating);
    let refund = refund();
    let undo = [RELEASES[0], RELEASES[1], &refund, "-compensation", "+compensation"];
    case.when(ORDER, cancelled(CustomerRequest), &undo);
    assert_eq!(case.saga.reason, Some(InventoryUnavailable));
}

#[test]
fn an_expired_reservation_that_cannot_be_renewed_ends_the_order() {
    let mut case = at(Phase::OrderConfirmation);
    case.given("p1", sold("p1"));
    case.when("p2", unavailable(), &["-order-confirmation", "-whole", "+compensation", "order.cancel>o1"]);
    case.given(ORDER, cancelled(InventoryUnavailable));
    assert!(case.saga.all(Stock::ReleaseAsked));
}

#[test]
fn the_whole_sagas_deadline_ends_any_step() {
    for (phase, reason, refunds) in [
        (Phase::StockCheckPending, InventoryUnavailable, false),
        (Phase::PaymentProcessing, PaymentFailed, true),
        (Phase::OrderConfirmation, InventoryUnavailable, true),
    ] {
        let mut case = at(phase);
        let generation = case.saga.deadline(SagaStep::Whole).unwrap().generation;
        let effects = case.effects(ORDER, &timeout(SagaStep::Whole, generation));
        let cancel = cancel_of(&effects);
        assert_eq!((cancel.reason, cancel.refund_required), (reason, Some(refunds)));
        case.is(Phase::Compensating);
    }
}

#[test]
fn stale_deadlines_are_of_no_concern() {
    let case = at(Phase::PaymentProcessing);
    for (step, generation) in
        [(SagaStep::StockCheck, 1), (SagaStep::PaymentProcessing, 99), (SagaStep::Compensation, 1)]
    {
        assert!(matches!(case.decision(ORDER, &timeout(step, generation)), Decision::Ignore), "{step:?}");
    }
}

#[test]
fn an_order_cancelled_before_it_was_heard_of_begins_nothing() {
    let mut case = Case::new();
    case.when(ORDER, cancelled(CustomerRequest), &[]).is(Phase::Failed);
    case.when(ORDER, created(&["p1"]), &[]).is(Phase::Failed);
    case.when(ORDER, created(&["p1"]), &[]).when("p1", reserved("p1"), &[]).is(Phase::Failed);
}

#[test]
fn money_taken_after_it_was_said_to_have_failed_goes_back() {
    let mut case = at(Phase::PaymentProcessing);
    case.given(&payment(), failed(1, false));
    confirm_all(&mut case, None);
    case.when(&payment(), succeeded(), &["+compensation", &refund()]).is(Phase::Compensating);
    case.when(&payment(), refunded(5_000), &["-compensation"]).is(Phase::Failed);
}

/// Its compensation was sent again as often as may be, in vain.
fn stuck() -> Case {
    let mut case = at(Phase::PaymentProcessing);
    case.given(ORDER, cancelled(CustomerRequest)).given("p1", released("p1", 2));
    for _ in 0..MAX_RESENDS {
        case.overdue("compensation", &[RELEASES[1], &refund(), "+compensation"]);
    }
    case.overdue("compensation", &["saga.stuck>o1"]).is(Phase::Stuck);
    case
}

#[test]
fn unconfirmed_compensations_are_sent_again_and_then_a_person_is_called() {
    let mut case = stuck();
    case.when("p2", released("p2", 2), &[]).is(Phase::Stuck); // who was called needs no second call
    case.when(&payment(), refunded(5_000), &["saga.recovered>o1"]).is(Phase::Failed); // late answers end it all the same
}

#[test]
fn who_is_called_is_told_what_is_outstanding_and_since_when() {
    let mut case = at(Phase::OrderConfirmation);
    case.overdue("order-confirmation", &["-whole", "+compensation", "order.cancel>o1"]);
    let mut last = Vec::new();
    for _ in 0..=MAX_RESENDS {
        let deadline = *case.saga.deadline(SagaStep::Compensation).unwrap();
        case.now = deadline.due;
        last = case.effects(ORDER, &timeout(deadline.step, deadline.generation));
    }
    let [Effect::For(_, Event::SagaStuck(stuck))] = last.as_slice() else { panic!("{last:?}") };
    assert_eq!((stuck.outstanding.as_slice(), stuck.reason), (&["order.cancel".to_owned()][..], InventoryUnavailable));
    assert_eq!((stuck.stuck_at.as_str(), case.saga.stuck_since()), (case.now.rfc3339().as_str(), Some(case.now)));
    case.when(ORDER, delivered(), &["saga.recovered>o1"]).is(Phase::Completed);
    assert_eq!(case.saga.stuck_since(), None);
}

#[test]
fn a_lost_cancellation_is_sent_again() {
    let mut case = at(Phase::OrderConfirmation);
    case.overdue("order-confirmation", &["-whole", "+compensation", "order.cancel>o1"]);
    case.overdue("compensation", &["order.cancel>o1", "+compensation"]);
    assert_eq!(case.saga.order, OrderStatus::CancelAsked);
}

#[test]
fn a_person_retries_or_resolves_a_stuck_saga() {
    let mut case = stuck();
    let expected = [RELEASES[1], &refund(), "+compensation", "saga.recovered>o1"];
    case.when(ORDER, resolve(Resolution::Retry), &expected).is(Phase::Compensating);
    assert_eq!(case.saga.resends, 0);

    let mut case = stuck();
    case.when(ORDER, resolve(Resolution::Resolve), &["saga.recovered>o1"]).is(Phase::Failed);
    assert_eq!(case.saga.closing.as_ref().map(|closing| closing.by.as_str()), Some("ana"));
}

#[test]
fn what_a_person_closed_stays_closed() {
    let mut case = at(Phase::OrderConfirmation);
    case.overdue("order-confirmation", &["-whole", "+compensation", "order.cancel>o1"]);
    for _ in 0..=MAX_RESENDS {
        let deadline = *case.saga.deadline(SagaStep::Compensation).unwrap();
        case.given(ORDER, timeout(deadline.step, deadline.generation));
    }
    case.is(Phase::Stuck).given(ORDER, resolve(Resolution::Resolve));
    // The person did the rest by hand: what comes later is noted and undoes nothing.
    case.when(ORDER, cancelled(CustomerRequest), &[]).is(Phase::Failed);
}

#[test]
fn only_a_stuck_saga_is_resolved() {
    let case = at(Phase::PaymentProcessing);
    let Decision::Change(change) = case.decision(ORDER, &resolve(Resolution::Resolve)) else { panic!("no change") };
    assert_eq!(change.refusal.map(|refusal| refusal.code).as_deref(), Some("saga-not-stuck"));
    assert_eq!(change.state, case.saga);
}

#[test]
fn releases_say_why() {
    use kit::events::inventory::ReleaseReason;
    let reasons = |effects: &[Effect]| -> Vec<ReleaseReason> {
        let reason = |effect: &Effect| match effect {
            Effect::For(_, Event::InventoryStockRelease(release)) => Some(release.reason),
            _ => None,
        };
        effects.iter().filter_map(reason).collect()
    };
    let mut case = at(Phase::PaymentProcessing);
    assert_eq!(reasons(&case.effects(&payment(), &failed(1, false))), [ReleaseReason::PaymentFailed; 2]);
    let mut case = at(Phase::StockCheckPending);
    assert_eq!(reasons(&case.effects("p1", &unavailable())), [ReleaseReason::OrderCancelled]);
    let mut case = at(Phase::Completed);
    let cancelled = cancelled(CancellationReason::ArtisanUnavailable);
    assert_eq!(reasons(&case.effects(ORDER, &cancelled)), [ReleaseReason::OrderCancelled; 2]);
}

#[test]
fn a_reservation_that_expired_confirms_no_release() {
    let mut case = at(Phase::PaymentProcessing);
    let Event::InventoryStockReleased(mut expired) = released("p1", 2) else { panic!("no release") };
    expired.reason = kit::events::inventory::ReleaseReason::ReservationExpired;
    let expired = Event::InventoryStockReleased(expired);
    assert!(matches!(case.decision("p1", &expired), Decision::Ignore));
    case.given(ORDER, cancelled(CustomerRequest)).given("p1", expired);
    assert_eq!(case.saga.items.first().map(|item| item.stock), Some(Stock::ReleaseAsked));
}

/// A second cancellation has another id, and the saga says again what it said to the first: all of it, timers too.
#[test]
fn a_repeated_cause_leaves_the_running_deadline_alone() {
    let mut case = at(Phase::PaymentProcessing);
    case.given(ORDER, cancelled(CustomerRequest));
    case.overdue("compensation", &[RELEASES[0], RELEASES[1], &refund(), "+compensation"]);
    let running = *case.saga.deadline(SagaStep::Compensation).unwrap();
    let again = case.effects(ORDER, &cancelled(CustomerRequest));
    let touched = |effect: &Effect| match effect {
        Effect::Timer(name, ..) | Effect::Cancel(name) => Some(name.clone()),
        _ => None,
    };
    let touched: Vec<_> = again.iter().filter_map(touched).collect();
    assert!(!touched.is_empty(), "the first answer set a deadline: {again:?}");
    assert!(!touched.contains(&crate::domain::timer_name(running.step, running.generation)), "{touched:?}");
}
