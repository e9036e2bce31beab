//! The way forward: reserve, charge, confirm, sell.

use super::compensate::{give_up, late_money};
use super::draft::Draft;
use super::{Item, Move, OrderStatus, PaymentState, Phase, Stock, Terms};
use kit::events::order::{CancellationReason, OrderCreated};
use kit::events::payment::{PaymentFailed, PaymentSucceeded};
use kit::events::saga::SagaStep;

/// The order was placed: reserve its items. One that was cancelled before it was heard of stays failed.
pub(super) fn created(draft: &mut Draft<'_>, order: &OrderCreated) -> bool {
    if draft.saga.terms.is_some() {
        return false;
    }
    draft.saga.terms = Some(Terms {
        customer: order.customer_id.clone(),
        method: order.payment_method_id.clone().unwrap_or_default(),
        total: order.total_amount,
        currency: order.currency.clone(),
    });
    draft.saga.items = items(order);
    if draft.saga.phase == Phase::Absent {
        for item in &mut draft.saga.items {
            item.stock = Stock::Asked;
        }
        draft.saga.phase = Phase::StockCheckPending;
        draft.go(Move::Check);
        draft.set(SagaStep::StockCheck);
        draft.set(SagaStep::Whole);
    }
    true
}

/// One a product: another publisher may not have merged the lines.
fn items(order: &OrderCreated) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(order.items.len());
    for line in &order.items {
        match items.iter_mut().find(|item| item.product == line.product_id) {
            Some(item) => item.quantity = item.quantity.saturating_add(line.quantity),
            None => {
                items.push(Item { product: line.product_id.clone(), quantity: line.quantity, stock: Stock::Untouched })
            }
        }
    }
    items
}

/// An item is set aside; with the last one the money is asked for.
pub(super) fn reserved(draft: &mut Draft<'_>, item: usize) -> bool {
    if draft.saga.phase != Phase::StockCheckPending || !draft.mark(item, Stock::Asked, Stock::Reserved) {
        return false;
    }
    if draft.saga.all(Stock::Reserved) {
        draft.saga.phase = Phase::PaymentProcessing;
        draft.drop(SagaStep::StockCheck);
        charge(draft);
        draft.set(SagaStep::PaymentProcessing);
    }
    true
}

/// There was too little: at the check the order ends; at the sale, where an expired reservation could not be renewed,
/// it ends too, though it was paid.
pub(super) fn unavailable(draft: &mut Draft<'_>, item: usize) -> bool {
    let no_longer = match draft.saga.phase {
        Phase::StockCheckPending => draft.mark(item, Stock::Asked, Stock::Unavailable),
        // It keeps `SellAsked`: its release is a tombstone against a late copy of the sale.
        Phase::OrderConfirmation => draft.saga.items.get(item).is_some_and(|item| item.stock == Stock::SellAsked),
        _ => false,
    };
    if no_longer {
        give_up(draft, CancellationReason::InventoryUnavailable);
    }
    no_longer
}

/// Asks for the money once more.
pub(super) fn charge(draft: &mut Draft<'_>) {
    draft.saga.payment.attempt += 1;
    draft.saga.payment.state = PaymentState::Asked;
    draft.go(Move::Charge { attempt: draft.saga.payment.attempt });
}

/// The money was taken. This is the pivot: from here on only forward, or a refund.
pub(super) fn succeeded(draft: &mut Draft<'_>, payment: &PaymentSucceeded) -> bool {
    if draft.saga.phase != Phase::PaymentProcessing {
        return late_money(draft, &payment.transaction_id);
    }
    draft.saga.phase = Phase::OrderConfirmation;
    draft.saga.payment.state = PaymentState::Taken;
    draft.saga.payment.reference = Some(payment.transaction_id.clone());
    draft.saga.order = OrderStatus::ConfirmAsked;
    draft.drop(SagaStep::PaymentProcessing);
    draft.drop(SagaStep::PaymentRetry);
    draft.go(Move::Confirm { reference: payment.transaction_id.clone() });
    draft.set(SagaStep::OrderConfirmation);
    true
}

/// The money was not taken: once more after a pause, or never.
pub(super) fn failed(draft: &mut Draft<'_>, failure: &PaymentFailed) -> bool {
    let payment = &mut draft.saga.payment;
    let stale = failure.attempt_number < payment.attempt;
    if draft.saga.phase != Phase::PaymentProcessing || payment.state != PaymentState::Asked || stale {
        return false;
    }
    if failure.retryable && failure.attempt_number < failure.max_attempts {
        payment.state = PaymentState::Waiting;
        draft.set(SagaStep::PaymentRetry);
    } else {
        payment.state = PaymentState::Refused;
        give_up(draft, CancellationReason::PaymentFailed);
    }
    true
}

/// The order stands: its reservations become sales. Heard while the saga undoes, it is too late.
pub(super) fn confirmed(draft: &mut Draft<'_>) -> bool {
    // It is asked for only while the saga goes forward: turning back asks for the cancellation instead.
    if draft.saga.order != OrderStatus::ConfirmAsked {
        return false;
    }
    draft.saga.order = OrderStatus::Confirmed;
    for item in &mut draft.saga.items {
        item.stock = Stock::SellAsked;
    }
    draft.go(Move::Sell);
    true
}

/// An item is sold; with the last one the saga is complete. Heard while it undoes, it is only noted.
pub(super) fn sold(draft: &mut Draft<'_>, item: usize) -> bool {
    if !draft.mark(item, Stock::SellAsked, Stock::Sold) {
        return false;
    }
    if draft.saga.phase == Phase::OrderConfirmation && draft.saga.all(Stock::Sold) {
        complete(draft);
    }
    true
}

/// The goods are with the customer, so all was sold: that wins over a cancellation the saga has asked for.
pub(super) fn delivered(draft: &mut Draft<'_>) -> bool {
    let fulfilled = draft.saga.payment.state == PaymentState::Taken;
    if !fulfilled || matches!(draft.saga.order, OrderStatus::Cancelled | OrderStatus::Delivered) {
        return false;
    }
    draft.saga.order = OrderStatus::Delivered;
    if draft.saga.phase == Phase::Failed {
        // A person has closed it: that stands.
        return true;
    }
    for item in &mut draft.saga.items {
        item.stock = Stock::Sold;
    }
    draft.saga.reason = None;
    draft.saga.broke_in = None;
    complete(draft);
    true
}

fn complete(draft: &mut Draft<'_>) {
    draft.saga.phase = Phase::Completed;
    draft.drop_all();
}
