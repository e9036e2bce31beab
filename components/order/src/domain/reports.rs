//! What inventory and payment report of an order. Reports may come before the order, after it, and twice; each only
//! moves forward.

use super::{Order, PaymentReport, PaymentStatus, Stock};
use kit::Event;
use kit::aggregate::{Change, Decision};
use kit::events::Metadata;
use kit::events::inventory::ReleaseReason;
use kit::events::payment::PaymentFailed;

/// Notes a report. One that says nothing new is ignored.
pub(super) fn note(order: &Order, meta: &Metadata, event: &Event) -> Decision<Order> {
    let mut next = order.clone();
    let news = match event {
        Event::InventoryStockReserved(_) => stock(&mut next, &meta.aggregate_id, Stock::Reserved),
        Event::InventoryStockSold(_) => stock(&mut next, &meta.aggregate_id, Stock::Sold),
        Event::InventoryStockReleased(released) => {
            let expired = released.reason == ReleaseReason::ReservationExpired;
            stock(&mut next, &meta.aggregate_id, if expired { Stock::Expired } else { Stock::Released })
        }
        Event::PaymentInitiated(_) => payment(&mut next, &meta.aggregate_id, PaymentStatus::Initiated).is_some(),
        Event::PaymentFailed(failed) => failure(&mut next, &meta.aggregate_id, failed),
        Event::PaymentSucceeded(succeeded) => payment(&mut next, &meta.aggregate_id, PaymentStatus::Succeeded)
            .map(|report| report.transaction_id = Some(succeeded.transaction_id.clone()))
            .is_some(),
        Event::PaymentRefunded(refund) => payment(&mut next, &refund.original_payment_id, PaymentStatus::Refunded)
            .map(|report| report.refunded_amount = Some(refund.refund_amount))
            .is_some(),
        _ => false,
    };
    if news { Change::to(next).decide() } else { Decision::Ignore }
}

fn stock(order: &mut Order, product: &str, stock: Stock) -> bool {
    match order.stock.get_mut(product) {
        Some(known) if *known >= stock => false,
        Some(known) => {
            *known = stock;
            true
        }
        None => {
            order.stock.insert(product.to_owned(), stock);
            true
        }
    }
}

/// The payment's report, moved on to `status`; `None` where it is as far already.
fn payment<'a>(order: &'a mut Order, payment_id: &str, status: PaymentStatus) -> Option<&'a mut PaymentReport> {
    if order.payment.as_ref().is_some_and(|report| report.status >= status) {
        return None;
    }
    let report = order.payment.get_or_insert_with(|| PaymentReport {
        payment_id: payment_id.to_owned(),
        status,
        failed_attempt: 0,
        transaction_id: None,
        error: None,
        refunded_amount: None,
    });
    report.status = status;
    Some(report)
}

/// A failed attempt: news if it is a later one than was known.
fn failure(order: &mut Order, payment_id: &str, failed: &PaymentFailed) -> bool {
    if order.payment.as_ref().is_some_and(|report| report.failed_attempt >= failed.attempt_number) {
        return false;
    }
    let again = failed.retryable && failed.attempt_number < failed.max_attempts;
    let status = if again { PaymentStatus::Retrying } else { PaymentStatus::Failed };
    let known = order.payment.as_ref().map(|report| report.status);
    if payment(order, payment_id, status).is_none() && known != Some(PaymentStatus::Retrying) {
        return false;
    }
    if let Some(report) = order.payment.as_mut() {
        report.failed_attempt = failed.attempt_number;
        report.error = Some(format!("{}: {}", failed.error_code, failed.error_message));
    }
    true
}
