//! The way back: undo what was done or may have been, and end when every undoing is confirmed.
//!
//! Before the pivot the saga undoes at once. After it the order decides: the saga asks it to cancel and undoes only
//! when it hears `order.cancelled`, because the order may be with its customer already.

use super::draft::Draft;
use super::{Closing, MAX_RESENDS, Move, OrderStatus, PaymentState, Phase, Saga, Step, Stock};
use kit::events::inventory::ReleaseReason;
use kit::events::order::CancellationReason;
use kit::events::saga::{Resolution, SagaResolveRequested, SagaStep};
use kit::inbox::Refusal;

/// The saga cannot go on.
pub(super) fn give_up(draft: &mut Draft<'_>, reason: CancellationReason) {
    turn_back(draft, reason);
    if draft.saga.payment.state != PaymentState::Taken {
        undo(draft);
    }
    draft.saga.order = OrderStatus::CancelAsked;
    ask_to_cancel(draft);
}

/// The order is cancelled, whoever wanted it: undo what is not being undone yet. Of an order that was never heard of
/// it leaves a tombstone.
pub(super) fn cancelled(draft: &mut Draft<'_>, reason: CancellationReason) -> bool {
    if matches!(draft.saga.order, OrderStatus::Cancelled | OrderStatus::Delivered) {
        return false;
    }
    draft.saga.order = OrderStatus::Cancelled;
    match draft.saga.phase {
        Phase::Absent => {
            draft.saga.reason = Some(reason);
            draft.saga.phase = Phase::Failed;
        }
        // A person has closed it and undone the rest by hand.
        Phase::Failed => {}
        Phase::Compensating | Phase::Stuck => {
            if undo(draft) {
                let reason = draft.saga.reason.unwrap_or(reason);
                turn_back(draft, reason);
            }
            settle(draft);
        }
        _ => {
            turn_back(draft, reason);
            undo(draft);
            settle(draft);
        }
    }
    true
}

/// An item is free again.
pub(super) fn released(draft: &mut Draft<'_>, item: usize) -> bool {
    let confirmed = draft.mark(item, Stock::ReleaseAsked, Stock::Released);
    settle(draft);
    confirmed
}

/// The money is back, or was never taken (0).
pub(super) fn refunded(draft: &mut Draft<'_>, amount: u64) -> bool {
    if draft.saga.payment.state != PaymentState::RefundAsked {
        return false;
    }
    draft.saga.payment.state = PaymentState::Refunded;
    draft.saga.payment.refunded = Some(amount);
    settle(draft);
    true
}

/// The money was taken though the saga is past waiting for it. A refund on its way covers it; where none is, because
/// the payment was said to have failed, it goes back now.
pub(super) fn late_money(draft: &mut Draft<'_>, reference: &str) -> bool {
    if draft.saga.payment.reference.is_some() || draft.saga.payment.attempt == 0 {
        return false;
    }
    draft.saga.payment.reference = Some(reference.to_owned());
    if matches!(draft.saga.payment.state, PaymentState::Refused | PaymentState::Waiting) {
        let reason = draft.saga.reason.unwrap_or(CancellationReason::PaymentFailed);
        draft.saga.payment.state = PaymentState::RefundAsked;
        turn_back(draft, reason);
        draft.go(Move::Refund { reason });
    }
    true
}

/// Compensations are overdue: send the unconfirmed ones again, and at last call a person.
pub(super) fn overdue(draft: &mut Draft<'_>) {
    if draft.saga.resends < MAX_RESENDS {
        draft.saga.resends += 1;
        resend(draft);
        draft.set(SagaStep::Compensation);
    } else {
        draft.saga.phase = Phase::Stuck;
    }
}

/// A person takes care of a stuck saga.
pub(super) fn resolve(draft: &mut Draft<'_>, request: &SagaResolveRequested) -> Step {
    if draft.saga.phase != Phase::Stuck {
        return Step::Refused(Refusal::new("saga-not-stuck", "only a stuck saga can be retried or resolved by hand"));
    }
    draft.saga.closing = Some(Closing {
        resolution: request.resolution,
        by: request.resolved_by.clone(),
        at: request.resolved_at.clone(),
        notes: request.notes.clone(),
    });
    match request.resolution {
        Resolution::Retry => {
            draft.saga.phase = Phase::Compensating;
            draft.saga.resends = 0;
            resend(draft);
            draft.set(SagaStep::Compensation);
        }
        Resolution::Resolve => draft.saga.phase = Phase::Failed,
    }
    Step::Taken
}

/// From here on the saga undoes, until its own deadline.
fn turn_back(draft: &mut Draft<'_>, reason: CancellationReason) {
    if draft.saga.phase.is_forward() || draft.saga.phase == Phase::Completed {
        draft.saga.broke_in = Some(draft.saga.phase);
    }
    draft.saga.reason = Some(reason);
    draft.saga.phase = Phase::Compensating;
    draft.saga.resends = 0;
    for step in [SagaStep::StockCheck, SagaStep::PaymentProcessing, SagaStep::PaymentRetry] {
        draft.drop(step);
    }
    draft.drop(SagaStep::OrderConfirmation);
    draft.drop(SagaStep::Whole);
    draft.set(SagaStep::Compensation);
}

/// Asks for everything back that was, or may have been, taken. Whether there was anything.
fn undo(draft: &mut Draft<'_>) -> bool {
    let mut items = Vec::new();
    for (place, item) in draft.saga.items.iter_mut().enumerate() {
        if matches!(item.stock, Stock::Asked | Stock::Reserved | Stock::SellAsked | Stock::Sold) {
            item.stock = Stock::ReleaseAsked;
            items.push(place);
        }
    }
    let refund = matches!(draft.saga.payment.state, PaymentState::Asked | PaymentState::Taken);
    if refund {
        draft.saga.payment.state = PaymentState::RefundAsked;
    }
    let any = refund || !items.is_empty();
    ask_back(draft, items, refund);
    any
}

/// Sends what is unconfirmed once more.
fn resend(draft: &mut Draft<'_>) {
    let (items, refund, cancel) = draft.saga.outstanding();
    ask_back(draft, items, refund);
    if cancel {
        ask_to_cancel(draft);
    }
}

fn ask_back(draft: &mut Draft<'_>, items: Vec<usize>, refund: bool) {
    let reason = reason_of(&draft.saga);
    if !items.is_empty() {
        let reason = match reason {
            CancellationReason::PaymentFailed => ReleaseReason::PaymentFailed,
            _ => ReleaseReason::OrderCancelled,
        };
        draft.go(Move::Release { items, reason });
    }
    if refund {
        draft.go(Move::Refund { reason });
    }
}

fn ask_to_cancel(draft: &mut Draft<'_>) {
    let saga = &draft.saga;
    let (refund, release) = (saga.owes_money(), saga.holds_stock());
    draft.go(Move::Cancel { reason: reason_of(saga), refund, release });
}

fn reason_of(saga: &Saga) -> CancellationReason {
    saga.reason.unwrap_or(CancellationReason::CustomerRequest)
}

/// Ends the saga where every compensation is confirmed. One whose order is cancelled goes forward no more.
fn settle(draft: &mut Draft<'_>) {
    if draft.saga.is_undone() {
        draft.saga.phase = Phase::Failed;
        draft.drop_all();
    }
}
