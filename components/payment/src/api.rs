//! The routes of payment: whether a method may be charged, and how a payment stands.

use crate::domain::{Attempt, ChargeResult, Payment};
use crate::gateway;
use kit::http::{FieldError, Problem, Request, Response, read_body};
use kit::time::Millis;
use kit::{Ports, aggregate, ids};
use serde::{Deserialize, Serialize};

/// Body of a validation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    /// The customer's method, as the gateway knows it.
    payment_method_id: String,
    /// Minor units.
    amount: u64,
    /// ISO 4217.
    currency: String,
    /// Who would pay.
    customer_id: String,
}

/// What a validation says.
#[derive(Debug, Serialize)]
struct Validity {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A payment, as its readers see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentView<'a> {
    payment_id: &'a str,
    order_id: &'a str,
    /// `charging`, `succeeded`, `failed`, `refunding`, `refunded` or `cancelled`.
    status: &'static str,
    /// Minor units of the last attempt; 0 where there was none.
    amount: u64,
    currency: &'a str,
    attempts: Vec<AttemptView<'a>>,
    /// Minor units that went back; absent until they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded_amount: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptView<'a> {
    attempt: u32,
    /// `charging`, `succeeded` or `failed`.
    status: &'static str,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_transaction_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
}

/// Answers a request.
pub(crate) async fn serve<P: Ports>(ports: &P, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answer = match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["api", "v1", "payments", "validate"]) => validate(ports, request).await,
        (method, ["api", "v1", "payments", "validate"]) => Err(Problem::method_not_allowed(method, "POST")),
        ("GET", ["api", "v1", "payments", id]) => show(ports, id).await,
        (method, ["api", "v1", "payments", _]) => Err(Problem::method_not_allowed(method, "GET")),
        _ => Err(Problem::not_found(&format!("payment serves nothing at {}", request.path()))),
    };
    answer.unwrap_or_else(Response::from)
}

/// Changes nothing, so an `Idempotency-Key` is welcome and needs no record.
async fn validate<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let body: Validation = read_body(request)?;
    check(&body)?;
    let method = gateway::method(ports, &body.payment_method_id).await?;
    Ok(Response::json(200, &Validity { valid: method.valid, reason: method.reason }))
}

fn check(body: &Validation) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let mut expect = |holds: bool, field: &str, reason: &str| {
        if !holds {
            errors.push(FieldError { field: field.to_owned(), reason: reason.to_owned() });
        }
    };
    let id = "expected 1 to 128 of A-Z a-z 0-9 - _ .";
    expect(ids::is_id(&body.payment_method_id), "paymentMethodId", id);
    expect(ids::is_id(&body.customer_id), "customerId", id);
    expect(body.amount > 0, "amount", "expected at least 1 minor unit");
    let currency = body.currency.len() == 3 && body.currency.bytes().all(|b| b.is_ascii_uppercase());
    expect(currency, "currency", "expected three capital letters, such as EUR");
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

async fn show<P: Ports>(ports: &P, id: &str) -> Result<Response, Problem> {
    if !ids::is_id(id) {
        return Err(Problem::invalid_field("id", "expected 1 to 128 of A-Z a-z 0-9 - _ ."));
    }
    match aggregate::read::<Payment, P>(ports, id).await? {
        Some((payment, _)) => Ok(Response::json(200, &view(id, &payment))),
        None => Err(Problem::not_found(&format!("there is no payment {id}"))),
    }
}

fn view<'a>(id: &'a str, payment: &'a Payment) -> PaymentView<'a> {
    let last = payment.attempts.last();
    let undone = payment.refund.as_ref().and_then(|refund| refund.outcome.as_ref());
    PaymentView {
        payment_id: id,
        order_id: &payment.order_id,
        status: payment.status(),
        amount: last.map_or(0, |attempt| attempt.amount),
        currency: last.map_or("", |attempt| &attempt.currency),
        attempts: payment.attempts.iter().map(attempt).collect(),
        refunded_amount: undone.map(|undone| undone.amount),
    }
}

fn attempt(attempt: &Attempt) -> AttemptView<'_> {
    let outcome = attempt.outcome.as_ref();
    let (status, transaction, error) = match outcome.map(|outcome| &outcome.result) {
        None => ("charging", None, None),
        Some(ChargeResult::Taken { transaction }) => ("succeeded", Some(transaction.as_str()), None),
        Some(ChargeResult::Failed(failed)) => ("failed", None, Some(failed.code.as_str())),
    };
    AttemptView {
        attempt: attempt.number,
        status,
        started_at: attempt.at.rfc3339(),
        settled_at: outcome.map(|outcome| Millis::rfc3339(outcome.at)),
        gateway_transaction_id: transaction,
        error_code: error,
    }
}
