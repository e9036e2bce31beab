//! `payment.process`: take the money, once an order however often it is asked for.

use super::state::{Attempt, ChargeResult, Failed, Payment};
use super::{Next, Step, charge_call, facts, settle};
use kit::aggregate::Change;
use kit::events::payment::PaymentProcessRequested;

pub(super) fn next(step: Step<'_>, command: &PaymentProcessRequested) -> Next {
    let number = command.attempt.unwrap_or(1);
    match step.payment.attempt(number) {
        Some(attempt) if attempt.outcome.is_none() && step.payment.refund.is_none() => charging(step, attempt),
        Some(attempt) => repeat(step, attempt),
        None => first(step, command, number),
    }
}

/// The attempt has begun and nobody knows how it ended.
fn charging(step: Step<'_>, attempt: &Attempt) -> Next {
    let call = charge_call(step.payment, attempt);
    if let Some(answer) = step.said(&call) {
        return step.charged(attempt, answer);
    }
    match attempt.left {
        // Only an intent is written: the command was not settled, or came back under another id.
        None => Next::Call(Box::new(step.payment.clone()), call),
        // It was settled and left the rest to the timer.
        Some(left) => {
            let change = step.unchanged().again(attempt.initiated, facts::initiated(step.payment, attempt));
            let due = left == step.payment.tries && attempt.asked_by == step.event_id();
            settle(if due { step.later(change, attempt.number) } else { change })
        }
    }
}

/// A command that came before: what was said then is said again, and to one with another id how it ended.
fn repeat(step: Step<'_>, attempt: &Attempt) -> Next {
    let mut change = step.unchanged();
    let own = attempt.asked_by == step.event_id();
    if own && attempt.initiated > 0 {
        change = change.again(attempt.initiated, facts::initiated(step.payment, attempt));
    }
    if let Some(outcome) = &attempt.outcome
        && (!own || attempt.initiated == 0 || outcome.by == attempt.asked_by)
    {
        change = change.again(outcome.version, facts::outcome(step.payment, attempt, outcome));
    }
    settle(change)
}

fn first(step: Step<'_>, command: &PaymentProcessRequested, number: u32) -> Next {
    if let Some(taken) = step.payment.taken() {
        return repeat(step, taken);
    }
    let attempt = begun(step, command, number);
    if step.payment.refund.is_some() {
        return refuse(step, attempt, step.cancelled());
    }
    if step.payment.charging().is_some() {
        // Nobody knows yet how another attempt ended: two could both take the money.
        return refuse(step, attempt, in_progress(step));
    }
    if number > step.settings.max_attempts {
        return refuse(step, attempt, too_many(step, number));
    }
    let mut intended = step.payment.with(attempt.clone());
    intended.order_id.clone_from(&command.order_id);
    intended.customer_id.clone_from(&command.customer_id);
    let call = charge_call(&intended, &attempt);
    Next::Call(Box::new(intended), call)
}

fn begun(step: Step<'_>, command: &PaymentProcessRequested, number: u32) -> Attempt {
    Attempt {
        number,
        amount: command.amount,
        currency: command.currency.clone(),
        method: command.payment_method.clone(),
        asked_by: step.event_id().to_owned(),
        at: step.input.now(),
        initiated: 0,
        left: None,
        outcome: None,
    }
}

/// Nothing is charged, and the gateway is not asked.
fn refuse(step: Step<'_>, attempt: Attempt, failed: Failed) -> Next {
    let outcome = step.outcome(ChargeResult::Failed(failed));
    let fact = facts::outcome(step.payment, &attempt, &outcome);
    let payment: Payment = step.payment.with(Attempt { outcome: Some(outcome), ..attempt });
    Next::Settle(Box::new(Change::to(payment).fact(fact)))
}

fn too_many(step: Step<'_>, number: u32) -> Failed {
    let max_attempts = step.settings.max_attempts;
    Failed {
        code: "too-many-attempts".to_owned(),
        message: format!("attempt {number} is past the {max_attempts} that a payment may have"),
        gateway_code: None,
        retryable: false,
        max_attempts,
    }
}

fn in_progress(step: Step<'_>) -> Failed {
    Failed {
        code: "payment-in-progress".to_owned(),
        message: "another attempt has not been answered yet".to_owned(),
        gateway_code: None,
        retryable: true,
        max_attempts: step.settings.max_attempts,
    }
}
