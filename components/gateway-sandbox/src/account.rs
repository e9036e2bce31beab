//! What the gateway decides: the charges of one merchant reference, each under a key of its own. Pure.

use kit::ids;
use kit::json::Value;
use kit::projection::View;
use kit::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often `tok_busy` is busy for one merchant reference.
const BUSY: usize = 2;

/// The charges of one merchant reference, by idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The charges.
    pub charges: BTreeMap<String, Charge>,
}

impl View for Account {
    const FORMAT: u32 = 1;

    /// Format 0 was the same and did not say so.
    fn upcast(format: u32, view: Value) -> Result<Value, String> {
        if format == 0 { Ok(view) } else { Err(format!("no way from format {format} of an account")) }
    }
}

/// What a charge asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Minor units, above 0.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// The customer's token.
    pub method: String,
}

/// One charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// What was asked for; `None` where it was voided before it came.
    pub ask: Option<Ask>,
    /// Where it stands.
    pub status: Status,
    /// When it came.
    pub at: Millis,
    /// When the money went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded_at: Option<Millis>,
}

/// Where a charge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The money was taken.
    Charged,
    /// The bank says no, for good.
    Declined,
    /// The bank is busy: another attempt may work.
    Busy,
    /// It will never be: voided before it came, or before it was more than a no.
    Voided,
    /// The money was taken and went back, whole.
    Refunded,
}

/// Why the gateway does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The key was voided.
    Voided,
    /// The key belongs to another request.
    KeyReused,
    /// There is no such method.
    UnknownMethod,
    /// There is no such charge.
    Unknown,
    /// No money was taken under this key.
    NotCharged,
}

/// Whether a token is one of the sandbox's.
#[must_use]
pub fn is_method(token: &str) -> bool {
    matches!(token, "tok_ok" | "tok_declined" | "tok_busy" | "tok_timeout")
}

/// Whether the answer to a charge with this token never arrives.
#[must_use]
pub fn is_silent(token: &str) -> bool {
    token == "tok_timeout"
}

impl Account {
    /// Takes the money, once a key: a repeat finds what came of it.
    ///
    /// # Errors
    /// Where the key was voided or is another request's, or the method is unknown.
    pub fn charge(&mut self, key: &str, ask: Ask, now: Millis) -> Result<Charge, Refused> {
        match self.charges.get(key) {
            Some(charge) if charge.status == Status::Voided => return Err(Refused::Voided),
            Some(charge) if charge.ask.as_ref() == Some(&ask) => return Ok(charge.clone()),
            Some(_) => return Err(Refused::KeyReused),
            None => {}
        }
        let status = match ask.method.as_str() {
            "tok_declined" => Status::Declined,
            "tok_busy" if self.busy() < BUSY => Status::Busy,
            method if is_method(method) => Status::Charged,
            _ => return Err(Refused::UnknownMethod),
        };
        let charge = Charge { ask: Some(ask), status, at: now, refunded_at: None };
        self.charges.insert(key.to_owned(), charge.clone());
        Ok(charge)
    }

    /// Gives back what was taken; what was not taken yet never will be.
    pub fn void(&mut self, key: &str, now: Millis) -> Charge {
        let absent = Charge { ask: None, status: Status::Voided, at: now, refunded_at: None };
        let charge = self.charges.entry(key.to_owned()).or_insert(absent);
        match charge.status {
            Status::Charged => charge.give_back(now),
            Status::Declined | Status::Busy => charge.status = Status::Voided,
            Status::Voided | Status::Refunded => {}
        }
        charge.clone()
    }

    /// Gives back what was taken, once.
    ///
    /// # Errors
    /// Where nothing was taken.
    pub fn refund(&mut self, key: &str, now: Millis) -> Result<Charge, Refused> {
        let charge = self.charges.get_mut(key).ok_or(Refused::Unknown)?;
        match charge.status {
            Status::Charged => charge.give_back(now),
            Status::Refunded => {}
            Status::Declined | Status::Busy | Status::Voided => return Err(Refused::NotCharged),
        }
        Ok(charge.clone())
    }

    fn busy(&self) -> usize {
        self.charges.values().filter(|charge| charge.status == Status::Busy).count()
    }
}

impl Charge {
    fn give_back(&mut self, now: Millis) {
        self.status = Status::Refunded;
        self.refunded_at = Some(now);
    }

    /// How much went back.
    #[must_use]
    pub fn refunded(&self) -> u64 {
        match (self.status, &self.ask) {
            (Status::Refunded, Some(ask)) => ask.amount,
            _ => 0,
        }
    }
}

/// The gateway's name of a charge.
#[must_use]
pub fn transaction_id(key: &str) -> String {
    ids::derived("gateway-charge", &[key])
}

/// The gateway's name of a refund.
#[must_use]
pub fn refund_id(key: &str) -> String {
    ids::derived("gateway-refund", &[key])
}
