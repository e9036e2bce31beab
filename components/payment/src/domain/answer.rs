//! What the gateway's answer to a charge or an undoing makes of a payment.

use super::state::{Attempt, ChargeResult, Failed, Outcome, Payment, Refund, Undone};
use super::{Answer, Next, Step, facts};
use kit::aggregate::Change;

impl Step<'_> {
    /// The answer to a charge. Where it is the first that is heard of the attempt, `payment.initiated` goes before.
    pub(super) fn charged(&self, attempt: &Attempt, answer: &Answer) -> Next {
        let result = match answer {
            Answer::Taken { transaction } => ChargeResult::Taken { transaction: transaction.clone() },
            Answer::Declined { code, message, gateway_code, retryable } => ChargeResult::Failed(Failed {
                code: code.clone(),
                message: message.clone(),
                gateway_code: gateway_code.clone(),
                retryable: *retryable,
                max_attempts: self.settings.max_attempts,
            }),
            // A charge is not answered by an undoing: as good as no answer.
            Answer::Undone { .. } | Answer::Unknown => return self.charge_unanswered(attempt),
        };
        let outcome = self.outcome(result);
        let fact = facts::outcome(self.payment, attempt, &outcome);
        let changed = Attempt { outcome: Some(outcome), ..self.announced(attempt) };
        self.done(self.announcing(attempt, self.payment.with(changed)).fact(fact))
    }

    fn charge_unanswered(&self, attempt: &Attempt) -> Next {
        let tries = self.payment.tries.saturating_add(1);
        let left = if attempt.asked_by == self.event_id() { Some(tries) } else { attempt.left };
        let changed = Attempt { left, ..self.announced(attempt) };
        let payment = Payment { tries, ..self.payment.with(changed) };
        Next::Settle(Box::new(self.later(self.announcing(attempt, payment), attempt.number)))
    }

    /// The outcome of an attempt, settled by this event.
    pub(super) fn outcome(&self, result: ChargeResult) -> Outcome {
        Outcome { result, by: self.event_id().to_owned(), at: self.input.now(), version: self.input.version }
    }

    fn announced(&self, attempt: &Attempt) -> Attempt {
        let initiated = if attempt.initiated == 0 { self.input.version } else { attempt.initiated };
        Attempt { initiated, ..attempt.clone() }
    }

    fn announcing(&self, attempt: &Attempt, payment: Payment) -> Change<Payment> {
        let change = Change::to(payment);
        if attempt.initiated == 0 { change.fact(facts::initiated(self.payment, attempt)) } else { change }
    }

    /// The answer to a refund or a void.
    pub(super) fn undone(&self, refund: &Refund, answer: &Answer) -> Next {
        match answer {
            Answer::Undone { amount, refund_id } => {
                let gateway_refund_id = if *amount > 0 { refund_id.clone() } else { String::new() };
                self.done(self.refunded(self.payment, refund, *amount, gateway_refund_id))
            }
            Answer::Taken { .. } | Answer::Declined { .. } | Answer::Unknown => {
                let tries = self.payment.tries.saturating_add(1);
                let left = if refund.asked_by == self.event_id() { Some(tries) } else { refund.left };
                let changed = Refund { left, ..refund.clone() };
                let payment = Payment { tries, refund: Some(changed), ..self.payment.clone() };
                let attempt = refund.undo.attempt();
                Next::Settle(Box::new(self.later(Change::to(payment), attempt)))
            }
        }
    }

    /// The refund of so much is done. An attempt that it voided has its outcome with it.
    pub(super) fn refunded(
        &self,
        payment: &Payment,
        refund: &Refund,
        amount: u64,
        gateway_refund_id: String,
    ) -> Change<Payment> {
        let (by, at) = (self.event_id().to_owned(), self.input.now());
        let undone = Undone { amount, gateway_refund_id, by, at };
        let fact = facts::refunded(self.input.id, payment, refund, &undone);
        let mut next = match payment.charging() {
            Some(attempt) => {
                let voided = self.outcome(ChargeResult::Failed(self.cancelled()));
                payment.with(Attempt { outcome: Some(voided), ..attempt.clone() })
            }
            None => payment.clone(),
        };
        next.refund = Some(Refund { outcome: Some(undone), ..refund.clone() });
        Change::to(next).send(facts::refund_id(self.input.id), fact)
    }

    /// Why nothing is charged once a refund was asked for.
    pub(super) fn cancelled(&self) -> Failed {
        Failed {
            code: "payment-cancelled".to_owned(),
            message: "the payment was cancelled before the money was taken".to_owned(),
            gateway_code: None,
            retryable: false,
            max_attempts: self.settings.max_attempts,
        }
    }
}
