//! What the gateway's clients see: charges and the ledger, as JSON.

use crate::account::{Account, Charge, Refused, Status, refund_id, transaction_id};
use kit::http::{Problem, Response};
use kit::time::Millis;
use serde::Serialize;

/// A charge, as it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChargeView<'a> {
    key: &'a str,
    merchant_reference: &'a str,
    /// `charged`, `declined`, `voided` or `refunded`.
    status: &'static str,
    amount: u64,
    currency: &'a str,
    method: &'a str,
    /// Only where money was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    /// How much went back.
    refunded_amount: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline: Option<Decline>,
    created_at: String,
}

/// Why the bank said no.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Decline {
    code: &'static str,
    gateway_code: &'static str,
    message: &'static str,
    retryable: bool,
}

/// One movement of money.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Unique in the ledger: one that is read twice is the same movement.
    id: String,
    key: String,
    merchant_reference: String,
    /// `charge` or `refund`.
    kind: &'static str,
    amount: u64,
    currency: String,
    at: String,
}

/// A page of the ledger.
#[derive(Debug, Serialize)]
pub(crate) struct LedgerPage {
    /// Movements.
    pub(crate) entries: Vec<Entry>,
    /// Which page, from 1.
    pub(crate) page: usize,
    /// How many pages there are.
    pub(crate) pages: usize,
}

/// A charge as a response: 402 where the bank said no.
pub(crate) fn charge(key: &str, reference: &str, charge: &Charge) -> Response {
    let decline = decline(charge.status);
    let money = matches!(charge.status, Status::Charged | Status::Refunded);
    let ask = charge.ask.as_ref();
    let view = ChargeView {
        key,
        merchant_reference: reference,
        status: word(charge.status),
        amount: ask.map_or(0, |ask| ask.amount),
        currency: ask.map_or("", |ask| &ask.currency),
        method: ask.map_or("", |ask| &ask.method),
        transaction_id: money.then(|| transaction_id(key)),
        refund_id: charge.refunded_at.map(|_| refund_id(key)),
        refunded_amount: charge.refunded(),
        created_at: charge.at.rfc3339(),
        decline,
    };
    Response::json(if view.decline.is_some() { 402 } else { 200 }, &view)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Charged => "charged",
        Status::Declined | Status::Busy => "declined",
        Status::Voided => "voided",
        Status::Refunded => "refunded",
    }
}

fn decline(status: Status) -> Option<Decline> {
    match status {
        Status::Declined => Some(Decline {
            code: "card_declined",
            gateway_code: "05",
            message: "the bank declined the card",
            retryable: false,
        }),
        Status::Busy => Some(Decline {
            code: "issuer_unavailable",
            gateway_code: "91",
            message: "the bank is busy: try again later",
            retryable: true,
        }),
        Status::Charged | Status::Voided | Status::Refunded => None,
    }
}

/// The movements of an account.
pub(crate) fn entries(reference: &str, account: &Account) -> Vec<Entry> {
    let entry = |key: &String, charge: &Charge, kind: &'static str, at: Millis| Entry {
        id: format!("{key}/{kind}"),
        key: key.clone(),
        merchant_reference: reference.to_owned(),
        kind,
        amount: charge.ask.as_ref().map_or(0, |ask| ask.amount),
        currency: charge.ask.as_ref().map_or_else(String::new, |ask| ask.currency.clone()),
        at: at.rfc3339(),
    };
    let movements = |(key, charge): (&String, &Charge)| {
        let taken = matches!(charge.status, Status::Charged | Status::Refunded);
        let charged = taken.then(|| entry(key, charge, "charge", charge.at));
        let refunded = charge.refunded_at.map(|at| entry(key, charge, "refund", at));
        charged.into_iter().chain(refunded).collect::<Vec<_>>()
    };
    account.charges.iter().flat_map(movements).collect()
}

/// A no of the gateway as a problem.
pub(crate) fn refused(key: &str, refused: Refused) -> Problem {
    match refused {
        Refused::Voided => Problem::new(409, "voided", format!("{key} was voided: nothing will be charged under it")),
        Refused::KeyReused => {
            Problem::new(422, "idempotency-key-reused", format!("{key} belongs to another request: use a new key"))
        }
        Refused::UnknownMethod => Problem::invalid_field("method", "there is no such payment method"),
        Refused::Unknown => Problem::not_found(&format!("there is no charge {key}")),
        Refused::NotCharged => Problem::new(409, "not-charged", format!("no money was taken under {key}")),
    }
}
