//! The facts of payment, worded from what is stored: the same whenever they are said.

use super::state::{Attempt, ChargeResult, Outcome, Payment, Refund, Undone};
use kit::events::payment::{
    PaymentFailed, PaymentInitiated, PaymentMethod, PaymentSucceeded, RefundMethod, RefundProcessed,
};
use kit::time::Millis;
use kit::{Event, ids};

/// The one gateway there is.
const GATEWAY: &str = "sandbox";
/// What the gateway keeps, in thousandths.
const GATEWAY_FEE: u64 = 15;
/// What the marketplace keeps, in thousandths.
const MARKETPLACE_FEE: u64 = 100;
/// Business days until a refund arrives.
const REFUND_DAYS: u32 = 3;

/// `payment.initiated`.
pub(super) fn initiated(payment: &Payment, attempt: &Attempt) -> Event {
    Event::PaymentInitiated(PaymentInitiated {
        order_id: payment.order_id.clone(),
        customer_id: payment.customer_id.clone().unwrap_or_else(|| "-".to_owned()),
        amount: attempt.amount,
        currency: attempt.currency.clone(),
        payment_method: PaymentMethod::Card,
        payment_gateway: GATEWAY.to_owned(),
        merchant_reference: payment.order_id.clone(),
        initiated_at: attempt.at.rfc3339(),
    })
}

/// `payment.succeeded` or `payment.failed`.
pub(super) fn outcome(payment: &Payment, attempt: &Attempt, outcome: &Outcome) -> Event {
    match &outcome.result {
        ChargeResult::Taken { transaction } => succeeded(payment, attempt, transaction, outcome.at),
        ChargeResult::Failed(failed) => Event::PaymentFailed(PaymentFailed {
            order_id: payment.order_id.clone(),
            error_code: failed.code.clone(),
            error_message: failed.message.clone(),
            gateway_error_code: failed.gateway_code.clone(),
            retryable: failed.retryable,
            failed_at: outcome.at.rfc3339(),
            attempt_number: attempt.number,
            max_attempts: failed.max_attempts,
        }),
    }
}

fn succeeded(payment: &Payment, attempt: &Attempt, transaction: &str, at: Millis) -> Event {
    let fees = fees(attempt.amount);
    Event::PaymentSucceeded(PaymentSucceeded {
        order_id: payment.order_id.clone(),
        transaction_id: ids::derived("transaction", &[&payment.order_id, &attempt.number.to_string()]),
        gateway_transaction_id: transaction.to_owned(),
        amount: attempt.amount,
        currency: attempt.currency.clone(),
        processed_at: at.rfc3339(),
        payment_gateway: GATEWAY.to_owned(),
        gateway_fee: fees.gateway,
        marketplace_fee: fees.marketplace,
        artisan_amount: fees.artisan,
    })
}

/// Who gets what of an amount, in minor units. The three add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fees {
    pub(crate) gateway: u64,
    pub(crate) marketplace: u64,
    pub(crate) artisan: u64,
}

/// The split of an amount: 1.5 % and 10 %, each rounded half up, and the rest.
pub(crate) fn fees(amount: u64) -> Fees {
    let gateway = thousandths(amount, GATEWAY_FEE);
    // Rounding up twice may exceed an amount of one or two cents.
    let marketplace = thousandths(amount, MARKETPLACE_FEE).min(amount - gateway);
    Fees { gateway, marketplace, artisan: amount - gateway - marketplace }
}

fn thousandths(amount: u64, rate: u64) -> u64 {
    let exact = u128::from(amount) * u128::from(rate);
    u64::try_from((exact + 500) / 1_000).unwrap_or(amount).min(amount)
}

/// Id of the refund of a payment: there is one.
pub(super) fn refund_id(payment_id: &str) -> String {
    ids::derived("refund", &[payment_id])
}

/// `payment.refunded`.
pub(super) fn refunded(payment_id: &str, payment: &Payment, refund: &Refund, undone: &Undone) -> Event {
    Event::PaymentRefunded(RefundProcessed {
        original_payment_id: payment_id.to_owned(),
        order_id: payment.order_id.clone(),
        refund_amount: undone.amount,
        refund_reason: refund.reason.clone(),
        processed_at: undone.at.rfc3339(),
        gateway_refund_id: undone.gateway_refund_id.clone(),
        refund_method: RefundMethod::Original,
        processing_time: if undone.amount > 0 { REFUND_DAYS } else { 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::fees;
    use proptest::prelude::*;

    #[test]
    fn fees_are_those_of_the_wire_sample() {
        let split = fees(5_900);
        assert_eq!((split.gateway, split.marketplace, split.artisan), (89, 590, 5_221));
    }

    proptest! {
        #[test]
        fn no_cent_is_made_or_lost(amount: u64) {
            let split = fees(amount);
            prop_assert_eq!(u128::from(split.gateway) + u128::from(split.marketplace) + u128::from(split.artisan), u128::from(amount));
        }
    }
}
