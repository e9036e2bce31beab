//! A payment, as it is stored: one an order, its attempts, and its refund.

use kit::aggregate::State;
use kit::time::Millis;
use serde::{Deserialize, Serialize};

/// A payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// For which order; the gateway's merchant reference.
    pub order_id: String,
    /// Who pays, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// Attempts to take the money, in their order. At most one of them is without an outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The refund, once one was asked for. Nothing is charged any more then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<Refund>,
    /// How often the gateway did not answer: tells a timer that is still due from a stale one.
    #[serde(default)]
    pub tries: u32,
}

/// One attempt to take the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// The customer's method, as the gateway knows it.
    pub method: String,
    /// Id of the command.
    pub asked_by: String,
    /// When it began.
    pub at: Millis,
    /// Version of `payment.initiated`; 0 until it is published.
    #[serde(default)]
    pub initiated: u64,
    /// Which unanswered try the command left behind, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// What came of it; `None` is `charging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What.
    pub result: ChargeResult,
    /// Id of the event that settled it.
    pub by: String,
    /// When.
    pub at: Millis,
    /// Version of the fact.
    pub version: u64,
}

/// Whether the money was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChargeResult {
    /// It was.
    Taken {
        /// The gateway's name of it.
        transaction: String,
    },
    /// It was not.
    Failed(Failed),
}

/// Why the money was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Our code: the gateway's, or `payment-cancelled`, `payment-in-progress`, `too-many-attempts`.
    pub code: String,
    /// In words.
    pub message: String,
    /// The bank's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_code: Option<String>,
    /// Whether another attempt may succeed.
    pub retryable: bool,
    /// How many attempts there may be.
    pub max_attempts: u32,
}

/// The refund of a payment: always of all that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Id of the command.
    pub asked_by: String,
    /// Why.
    pub reason: String,
    /// What has to be undone at the gateway.
    pub undo: Undo,
    /// Which unanswered try the command left behind, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Undone>,
}

/// What has to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// Nothing was taken, and nothing can be under way: an intent is written before every call.
    Nothing,
    /// The outcome of this attempt is unknown: void it, so that it is refunded if it was and never is if it was not.
    Void(u32),
    /// This attempt took the money.
    Refund(u32),
}

/// What came of a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Minor units that went back.
    pub amount: u64,
    /// The gateway's name of it; empty where nothing went back.
    pub gateway_refund_id: String,
    /// Id of the event that settled it.
    pub by: String,
    /// When.
    pub at: Millis,
}

impl State for Payment {
    const KIND: &'static str = "payment";
    const FORMAT: u32 = 1;
}

impl Payment {
    /// The attempt of a number.
    #[must_use]
    pub fn attempt(&self, number: u32) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.number == number)
    }

    /// The attempt whose outcome is unknown.
    #[must_use]
    pub fn charging(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.outcome.is_none())
    }

    /// The attempt that took the money.
    #[must_use]
    pub fn taken(&self) -> Option<&Attempt> {
        let taken = |outcome: &Outcome| matches!(outcome.result, ChargeResult::Taken { .. });
        self.attempts.iter().find(|attempt| attempt.outcome.as_ref().is_some_and(taken))
    }

    /// The same with one attempt changed.
    #[must_use]
    pub fn with(&self, changed: Attempt) -> Self {
        let mut payment = self.clone();
        match payment.attempts.iter_mut().find(|attempt| attempt.number == changed.number) {
            Some(attempt) => *attempt = changed,
            None => payment.attempts.push(changed),
        }
        payment
    }

    /// Where it stands, in a word: `new`, `charging`, `succeeded`, `failed`, `refunding`, `refunded` or `cancelled`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.refund {
            Some(Refund { outcome: None, .. }) => "refunding",
            Some(Refund { outcome: Some(undone), .. }) if undone.amount > 0 => "refunded",
            Some(_) => "cancelled",
            None if self.charging().is_some() => "charging",
            None if self.taken().is_some() => "succeeded",
            None if self.attempts.is_empty() => "new",
            None => "failed",
        }
    }
}
