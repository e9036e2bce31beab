//! The gateway behind HTTP: calls of the decisions out, answers in. Another gateway is another file like this one.

use crate::domain::{Answer, Call, What};
use kit::http::{Problem, Request, Response, encode};
use kit::ports::{CallError, duration_variable};
use kit::{Ports, json};
use serde::{Deserialize, Serialize};

/// Where the gateway is, where `gateway_url` does not say.
const DEFAULT_URL: &str = "http://gateway-sandbox.spin.internal";
/// How long an answer may take, where `gateway_timeout` does not say, in milliseconds. Below the handler's limit, so
/// that a payment is never given up in the middle of a call.
const DEFAULT_TIMEOUT: u64 = 3_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChargeBody<'a> {
    amount: u64,
    currency: &'a str,
    method: &'a str,
    merchant_reference: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VoidBody<'a> {
    merchant_reference: &'a str,
}

/// What we read of the gateway's charge.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge {
    status: String,
    transaction_id: Option<String>,
    refund_id: Option<String>,
    #[serde(default)]
    refunded_amount: u64,
    decline: Option<Decline>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decline {
    code: String,
    message: String,
    gateway_code: Option<String>,
    retryable: bool,
}

/// What we read of a problem.
#[derive(Deserialize)]
struct Refused {
    code: String,
    detail: String,
}

/// What the gateway says of a payment method.
#[derive(Debug, Deserialize)]
pub(crate) struct Method {
    /// Whether it may be charged.
    pub(crate) valid: bool,
    /// Why not.
    pub(crate) reason: Option<String>,
}

/// Makes a call. Whatever is not an answer is [`Answer::Unknown`].
pub(crate) async fn call<P: Ports>(ports: &P, call: &Call) -> Answer {
    let request = match request(&url(ports), call) {
        Ok(request) => request.with_header("idempotency-key", &call.key),
        Err(_) => return Answer::Unknown,
    };
    match ports.call(request.with_timeout(timeout(ports))).await {
        Ok(response) => answer(&call.what, &response),
        Err(CallError::Timeout | CallError::Unavailable(_) | CallError::Denied(_)) => Answer::Unknown,
    }
}

/// Asks whether a method may be charged.
///
/// # Errors
/// 503 where the gateway does not say.
pub(crate) async fn method<P: Ports>(ports: &P, token: &str) -> Result<Method, Problem> {
    let request = Request::get(format!("{}/gateway/methods/{}", url(ports), encode(token)));
    let away = |why: String| Problem::unavailable(format!("the payment gateway does not answer: {why}"));
    let response = ports.call(request.with_timeout(timeout(ports))).await.map_err(|error| match error {
        CallError::Timeout => away("no answer in time".to_owned()),
        CallError::Unavailable(why) | CallError::Denied(why) => away(why),
    })?;
    match response.status {
        200 => json::from_slice(&response.body).map_err(|error| away(error.to_string())),
        404 => Ok(Method { valid: false, reason: Some("unknown-method".to_owned()) }),
        status => Err(away(format!("status {status}"))),
    }
}

fn url<P: Ports>(ports: &P) -> String {
    let url = ports.variable("gateway_url").filter(|url| !url.is_empty());
    url.map_or_else(|| DEFAULT_URL.to_owned(), |url| url.trim_end_matches('/').to_owned())
}

fn timeout<P: Ports>(ports: &P) -> u64 {
    duration_variable(ports, "gateway_timeout", DEFAULT_TIMEOUT)
}

fn request(url: &str, call: &Call) -> Result<Request, json::Error> {
    let (path, body) = match &call.what {
        What::Charge { amount, currency, method } => {
            let reference = &call.merchant_reference;
            let body = ChargeBody { amount: *amount, currency, method, merchant_reference: reference };
            (String::new(), json::to_vec(&body)?)
        }
        What::Void => {
            let body = VoidBody { merchant_reference: &call.merchant_reference };
            (format!("/{}/void", encode(&call.key)), json::to_vec(&body)?)
        }
        What::Refund => (format!("/{}/refund", encode(&call.key)), Vec::new()),
    };
    Ok(Request::post(format!("{url}/gateway/charges{path}"), body))
}

fn answer(what: &What, response: &Response) -> Answer {
    match what {
        What::Charge { .. } => charged(response),
        What::Void | What::Refund => undone(response),
    }
}

/// Only 402, 409 and 422 say for certain that nothing is taken under the key. Anything else, a 404 of a wrong address
/// included, says nothing.
fn charged(response: &Response) -> Answer {
    match response.status {
        200 | 201 | 402 => match json::from_slice::<Charge>(&response.body) {
            Ok(Charge { status, transaction_id: Some(transaction), .. }) if status == "charged" => {
                Answer::Taken { transaction }
            }
            Ok(Charge { decline: Some(decline), .. }) => Answer::Declined {
                code: decline.code,
                message: decline.message,
                gateway_code: decline.gateway_code,
                retryable: decline.retryable,
            },
            Ok(Charge { status, .. }) if status == "refunded" || status == "voided" => {
                refused("voided", "the charge was voided")
            }
            Ok(_) | Err(_) => Answer::Unknown,
        },
        409 | 422 => match json::from_slice::<Refused>(&response.body) {
            Ok(problem) => refused(&problem.code, &problem.detail),
            Err(_) => Answer::Unknown,
        },
        _ => Answer::Unknown,
    }
}

fn refused(code: &str, message: &str) -> Answer {
    Answer::Declined { code: code.to_owned(), message: message.to_owned(), gateway_code: None, retryable: false }
}

fn undone(response: &Response) -> Answer {
    match json::from_slice::<Charge>(&response.body) {
        Ok(charge) if response.is_success() && matches!(charge.status.as_str(), "refunded" | "voided") => {
            Answer::Undone { amount: charge.refunded_amount, refund_id: charge.refund_id.unwrap_or_default() }
        }
        Ok(_) | Err(_) => Answer::Unknown,
    }
}
