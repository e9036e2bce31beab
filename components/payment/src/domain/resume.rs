//! `payment.resume`: payment's own timer. Asks the gateway again about what it did not answer; a stale one settles
//! without effect.

use super::state::{Attempt, Refund};
use super::{Next, Step, charge_call, facts, refund, settle};
use kit::events::payment::PaymentResumeRequested;

pub(super) fn next(step: Step<'_>, command: &PaymentResumeRequested) -> Next {
    if let Some(again) = repeat(step) {
        return again;
    }
    let due = command.tries == step.payment.tries;
    let open = step.payment.refund.as_ref().filter(|refund| refund.outcome.is_none());
    let (attempt, call) = match (open, step.payment.charging()) {
        (Some(refund), _) => match refund::undo_call(step.payment, refund) {
            Some(call) => (refund.undo.attempt(), call),
            None => return Next::Ignore,
        },
        // No refund was asked for: one that is done gave the attempt its outcome.
        (None, Some(attempt)) => (attempt.number, charge_call(step.payment, attempt)),
        (None, None) => return Next::Ignore,
    };
    if let Some(answer) = step.said(&call).filter(|_| due) {
        return match (open, step.payment.charging()) {
            (Some(refund), _) => step.undone(refund, answer),
            (None, Some(attempt)) => step.charged(attempt, answer),
            (None, None) => Next::Ignore,
        };
    }
    if due {
        return Next::Call(Box::new(step.payment.clone()), call);
    }
    // The one just before: the timer it set may have been lost with it.
    if command.tries.checked_add(1) == Some(step.payment.tries) {
        return Next::Settle(Box::new(step.later(step.unchanged(), attempt)));
    }
    Next::Ignore
}

/// Where this one brought an outcome, it is said again.
fn repeat(step: Step<'_>) -> Option<Next> {
    if let Some(refund @ Refund { outcome: Some(undone), .. }) = &step.payment.refund
        && undone.by == step.event_id()
    {
        let fact = facts::refunded(step.input.id, step.payment, refund, undone);
        return Some(settle(step.unchanged().send(facts::refund_id(step.input.id), fact)));
    }
    let settled = |attempt: &Attempt| {
        let outcome = attempt.outcome.as_ref().filter(|outcome| outcome.by == step.event_id())?;
        Some(step.unchanged().again(outcome.version, facts::outcome(step.payment, attempt, outcome)))
    };
    step.payment.attempts.iter().find_map(settled).map(settle)
}
