//! The routes of the gateway.

use crate::account::{self, Ask};
use crate::view::{self, LedgerPage};
use crate::{Silence, journal, store};
use kit::http::{FieldError, Problem, Request, Response, page_of, read_body};
use kit::{Ports, ids, json};
use serde::Deserialize;

/// Body of a charge.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChargeBody {
    /// Minor units.
    amount: u64,
    /// ISO 4217.
    currency: String,
    /// The customer's token.
    method: String,
    /// What the merchant calls it: the order.
    merchant_reference: String,
}

/// Body of a void. Without one the key must be known. The charge's key is in the path and makes a repeat harmless; a key
/// of the void's own would say nothing more, so none is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VoidBody {
    merchant_reference: Option<String>,
}

/// Body of a refund: there is nothing to say, and what is said all the same is named.
#[derive(Debug, Deserialize)]
struct RefundBody {}

/// Answers a request.
pub(crate) async fn serve<P: Ports, S: Silence>(ports: &P, silence: &S, request: &Request) -> Response {
    route(ports, silence, request).await.unwrap_or_else(Response::from)
}

async fn route<P: Ports, S: Silence>(ports: &P, silence: &S, request: &Request) -> Result<Response, Problem> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["gateway", "charges"]) => charge(ports, silence, request).await,
        ("GET", ["gateway", "charges", key]) => show(ports, key).await,
        ("POST", ["gateway", "charges", key, "void"]) => void(ports, request, key).await,
        ("POST", ["gateway", "charges", key, "refund"]) => refund(ports, request, key).await,
        ("GET", ["gateway", "ledger"]) => ledger(ports, request).await,
        ("GET", ["gateway", "methods", token]) => Ok(method(token)),
        (other, ["gateway", "charges"] | ["gateway", "charges", _, "void" | "refund"]) => {
            Err(Problem::method_not_allowed(other, "POST"))
        }
        (other, ["gateway", "ledger"] | ["gateway", "charges" | "methods", _]) => {
            Err(Problem::method_not_allowed(other, "GET"))
        }
        _ => Err(Problem::not_found(&format!("the gateway serves nothing at {}", request.path()))),
    }
}

async fn charge<P: Ports, S: Silence>(ports: &P, silence: &S, request: &Request) -> Result<Response, Problem> {
    let key = request.header("idempotency-key").unwrap_or_default().to_owned();
    let body: ChargeBody = read_body(request)?;
    check(&key, &body)?;
    let reference = body.merchant_reference;
    if store::bind(ports, &key, &reference).await? != reference {
        return Err(view::refused(&key, account::Refused::KeyReused));
    }
    let silent = account::is_silent(&body.method);
    let ask = Ask { amount: body.amount, currency: body.currency, method: body.method };
    let now = ports.now();
    let charged = store::change(ports, &reference, |account| account.charge(&key, ask.clone(), now)).await?;
    if silent {
        // The money may be taken, and nobody is told: the worst that a real gateway does.
        silence.hold().await;
        return Err(Problem::new(504, "gateway-timeout", "the bank did not answer"));
    }
    match charged {
        Ok(charge) => Ok(view::charge(&key, &reference, &charge)),
        Err(refused) => Err(view::refused(&key, refused)),
    }
}

fn check(key: &str, body: &ChargeBody) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let mut expect = |holds: bool, field: &str, reason: &str| {
        if !holds {
            errors.push(FieldError { field: field.to_owned(), reason: reason.to_owned() });
        }
    };
    expect(ids::is_id(key), "Idempotency-Key", "expected 1 to 128 of A-Z a-z 0-9 - _ .");
    expect(ids::is_id(&body.merchant_reference), "merchantReference", "expected 1 to 128 of A-Z a-z 0-9 - _ .");
    expect(body.amount > 0, "amount", "expected at least 1 minor unit");
    let currency = body.currency.len() == 3 && body.currency.bytes().all(|b| b.is_ascii_uppercase());
    expect(currency, "currency", "expected three capital letters, such as EUR");
    expect(account::is_method(&body.method), "method", "there is no such payment method");
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

async fn show<P: Ports>(ports: &P, key: &str) -> Result<Response, Problem> {
    let unknown = || view::refused(key, account::Refused::Unknown);
    let reference = store::reference_of(ports, key).await?.ok_or_else(unknown)?;
    let accounts = store::accounts(ports, std::slice::from_ref(&reference)).await?;
    let charge = accounts.first().and_then(|account| account.charges.get(key)).ok_or_else(unknown)?;
    Ok(Response { status: 200, ..view::charge(key, &reference, charge) })
}

async fn void<P: Ports>(ports: &P, request: &Request, key: &str) -> Result<Response, Problem> {
    let body: VoidBody = if request.body.is_empty() { VoidBody::default() } else { read_body(request)? };
    if !ids::is_id(key) {
        return Err(Problem::invalid_field("key", "expected 1 to 128 of A-Z a-z 0-9 - _ ."));
    }
    let reference = match body.merchant_reference {
        Some(reference) if !ids::is_id(&reference) => {
            return Err(Problem::invalid_field("merchantReference", "expected 1 to 128 of A-Z a-z 0-9 - _ ."));
        }
        Some(reference) => store::bind(ports, key, &reference).await?,
        None => store::reference_of(ports, key).await?.ok_or_else(|| {
            Problem::invalid_field("merchantReference", "needed to void a key that the gateway has not seen")
        })?,
    };
    let now = ports.now();
    let charge = store::change(ports, &reference, |account| account.void(key, now)).await?;
    Ok(view::charge(key, &reference, &charge))
}

/// The whole of what was taken goes back; the charge's key in the path makes it once, so no key of the refund's own is
/// kept.
async fn refund<P: Ports>(ports: &P, request: &Request, key: &str) -> Result<Response, Problem> {
    let RefundBody {} = if request.body.is_empty() { RefundBody {} } else { read_body(request)? };
    let unknown = || view::refused(key, account::Refused::Unknown);
    let reference = store::reference_of(ports, key).await?.ok_or_else(unknown)?;
    let now = ports.now();
    let refunded = store::change(ports, &reference, |account| account.refund(key, now)).await?;
    let charge = refunded.map_err(|refused| view::refused(key, refused))?;
    Ok(view::charge(key, &reference, &charge))
}

async fn ledger<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let (page, _) = page_of(request)?;
    let (references, pages) = match request.query("merchantReference") {
        Some(reference) => (vec![reference], 1),
        None => journal::page(ports, page).await?,
    };
    let accounts = store::accounts(ports, &references).await?;
    let entries = references.iter().zip(&accounts).flat_map(|(reference, account)| view::entries(reference, account));
    Ok(Response::json(200, &LedgerPage { entries: entries.collect(), page, pages }))
}

fn method(token: &str) -> Response {
    let body = match account::is_method(token) {
        true => json::json!({ "token": token, "valid": true }),
        false => json::json!({ "token": token, "valid": false, "reason": "unknown-method" }),
    };
    Response::json(200, &body)
}
