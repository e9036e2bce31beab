//! `payment.refund`: the money goes back, whole; what may be under way is voided; and nothing is charged afterwards.
//!
//! The ledger decides how much: the command's amount is what its sender believes.

use super::state::{Payment, Refund, Undo};
use super::{Call, Next, Step, What, call, facts, settle};
use kit::events::payment::PaymentRefundRequested;

pub(super) fn next(step: Step<'_>, command: &PaymentRefundRequested) -> Next {
    let Some(refund) = &step.payment.refund else { return first(step, command) };
    if refund.outcome.is_some() {
        return repeat(step, refund);
    }
    let Some(call) = undo_call(step.payment, refund) else { return Next::Ignore };
    if let Some(answer) = step.said(&call) {
        return step.undone(refund, answer);
    }
    match refund.left {
        Some(left) if refund.asked_by == step.event_id() => {
            let change = step.unchanged();
            let due = left == step.payment.tries;
            settle(if due { step.later(change, refund.undo.attempt()) } else { change })
        }
        _ => Next::Call(Box::new(step.payment.clone()), call),
    }
}

fn first(step: Step<'_>, command: &PaymentRefundRequested) -> Next {
    let undo = match (step.payment.taken(), step.payment.charging()) {
        (Some(taken), _) => Undo::Refund(taken.number),
        (None, Some(charging)) => Undo::Void(charging.number),
        (None, None) => Undo::Nothing,
    };
    let refund = Refund {
        asked_by: step.event_id().to_owned(),
        reason: command.reason.clone(),
        undo,
        left: None,
        outcome: None,
    };
    let mut intended = Payment { refund: Some(refund.clone()), ..step.payment.clone() };
    intended.order_id.clone_from(&command.order_id);
    match undo_call(&intended, &refund) {
        Some(call) => Next::Call(Box::new(intended), call),
        None => step.done(step.refunded(&intended, &refund, 0, String::new())),
    }
}

/// To the command itself what was said then, to one with another id how it ended.
fn repeat(step: Step<'_>, refund: &Refund) -> Next {
    let Some(undone) = &refund.outcome else { return Next::Ignore };
    if refund.asked_by == step.event_id() && undone.by != refund.asked_by {
        return Next::Ignore;
    }
    let fact = facts::refunded(step.input.id, step.payment, refund, undone);
    Next::Settle(Box::new(step.unchanged().send(facts::refund_id(step.input.id), fact)))
}

/// The call that a refund needs; `None` where there is nothing to undo.
pub(super) fn undo_call(payment: &Payment, refund: &Refund) -> Option<Call> {
    match refund.undo {
        Undo::Nothing => None,
        Undo::Void(attempt) => Some(call(payment, attempt, What::Void)),
        Undo::Refund(attempt) => Some(call(payment, attempt, What::Refund)),
    }
}

impl Undo {
    /// Which attempt it undoes; 0 where it is none.
    #[must_use]
    pub fn attempt(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Void(attempt) | Self::Refund(attempt) => attempt,
        }
    }
}
