//! The decisions of payment: intent, call, outcome. [`next`] says what comes next for an event: a change that settles
//! it, or a call of the gateway whose answer is asked for first. It is pure; `drive.rs` carries it out.
//!
//! An intent is written before every call, and does not mark the event handled: so a crash leaves a payment that says
//! what may be under way, and the redelivered event calls again under the same key. What the gateway does not answer is
//! asked again by a timer of payment's own.

mod answer;
mod facts;
mod process;
mod refund;
mod resume;
mod state;

pub use state::{Attempt, ChargeResult, Failed, Outcome, Payment, Refund, Undo, Undone};

use kit::Event;
use kit::aggregate::{Change, Input};
use kit::events::payment::PaymentResumeRequested;

/// Settings of the decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// First pause before the gateway is asked again, in milliseconds; it doubles, four times.
    pub retry_delay: u64,
    /// Attempts a payment may have.
    pub max_attempts: u32,
}

/// A call of the gateway. Everything it says is in the payment, so it is always the same under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Idempotency key: order and attempt.
    pub key: String,
    /// The order.
    pub merchant_reference: String,
    /// What to do.
    pub what: What,
}

/// What the gateway is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Take the money.
    Charge {
        /// Minor units.
        amount: u64,
        /// ISO 4217.
        currency: String,
        /// The customer's token.
        method: String,
    },
    /// Refund it if it was taken; never take it if it was not.
    Void,
    /// Give back what was taken.
    Refund,
}

/// What the gateway said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The money was taken.
    Taken {
        /// The gateway's name of it.
        transaction: String,
    },
    /// It was not, and will not be under this key.
    Declined {
        /// The gateway's code.
        code: String,
        /// In words.
        message: String,
        /// The bank's code.
        gateway_code: Option<String>,
        /// Whether another attempt may succeed.
        retryable: bool,
    },
    /// So much went back.
    Undone {
        /// Minor units.
        amount: u64,
        /// The gateway's name of it.
        refund_id: String,
    },
    /// Nobody knows: no answer, or none that says anything.
    Unknown,
}

/// What comes next for an event.
#[derive(Debug, Clone)]
pub enum Next {
    /// It is settled, with this change.
    Settle(Box<Change<Payment>>),
    /// It is settled, and nothing is to be written.
    Ignore,
    /// Write this payment if it differs, then call; then ask again with the answer.
    Call(Box<Payment>, Call),
    /// It never can be: a person has to look at it.
    Reject(String),
}

/// What comes next. `heard` is the last call made for this event and what the gateway said.
#[must_use]
pub fn next(payment: &Payment, settings: Settings, input: Input<'_>, heard: Option<&(Call, Answer)>) -> Next {
    let step = Step { payment, settings, input, heard };
    match input.event {
        Event::PaymentProcess(command) => process::next(step, command),
        Event::PaymentRefund(command) => refund::next(step, command),
        Event::PaymentResume(command) => resume::next(step, command),
        other => Next::Reject(format!("payment does not decide {}", other.subject())),
    }
}

/// What a decision reads.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    payment: &'a Payment,
    settings: Settings,
    input: Input<'a>,
    heard: Option<&'a (Call, Answer)>,
}

/// The timer's name.
const RESUME: &str = "resume";
/// The pause doubles so often.
const DOUBLINGS: u32 = 4;

impl Step<'_> {
    /// What the gateway said to this very call.
    fn said(&self, call: &Call) -> Option<&Answer> {
        self.heard.filter(|(made, _)| made == call).map(|(_, answer)| answer)
    }

    /// Who decides: the event's id.
    fn event_id(&self) -> &str {
        &self.input.meta.event_id
    }

    /// The change, with the timer that asks the gateway again.
    fn later(&self, change: Change<Payment>, attempt: u32) -> Change<Payment> {
        let tries = change.state.tries;
        let doublings = tries.saturating_sub(1).min(DOUBLINGS);
        let at = self.input.now().plus(self.settings.retry_delay.saturating_mul(1 << doublings));
        let order_id = change.state.order_id.clone();
        let event = Event::PaymentResume(PaymentResumeRequested { order_id, attempt, tries });
        change.timer(RESUME, at, event)
    }

    /// The change; no timer is needed any more. Where the timer itself brought it, none is there.
    fn done(&self, change: Change<Payment>) -> Next {
        let waits = self.payment.tries > 0 && !matches!(self.input.event, Event::PaymentResume(_));
        Next::Settle(Box::new(if waits { change.cancel(RESUME) } else { change }))
    }

    /// The payment stays as it is; what follows is said once more.
    fn unchanged(&self) -> Change<Payment> {
        Change::to(self.payment.clone())
    }
}

/// Settles with a change, unless nothing follows from it.
fn settle(change: Change<Payment>) -> Next {
    if change.effects.is_empty() { Next::Ignore } else { Next::Settle(Box::new(change)) }
}

fn call(payment: &Payment, attempt: u32, what: What) -> Call {
    let key = format!("{}-{attempt}", payment.order_id);
    Call { key, merchant_reference: payment.order_id.clone(), what }
}

fn charge_call(payment: &Payment, attempt: &Attempt) -> Call {
    let what =
        What::Charge { amount: attempt.amount, currency: attempt.currency.clone(), method: attempt.method.clone() };
    call(payment, attempt.number, what)
}
