//! The routes, and stored values of other formats.

use super::{Line, Shop, payment_id, process, refund};
use crate::Payment;
use kit::http::{Request, Response};
use kit::json::{self, Value, json};
use kit::memory::block_on;
use kit::{Failure, Ports as _, Worker as _};

fn serve(shop: &Shop, request: Request) -> (u16, Value) {
    let Response { status, body, .. } = block_on(Payment::serve(&*shop.ports, request));
    (status, json::from_slice(&body).unwrap())
}

fn validation(method: &str, amount: u64) -> Request {
    let body = json!({ "paymentMethodId": method, "amount": amount, "currency": "EUR", "customerId": "user-lucia" });
    Request::post("/api/v1/payments/validate", body.to_string())
}

#[test]
fn a_method_is_valid_where_the_gateway_knows_it() {
    let shop = Shop::new();
    assert_eq!(serve(&shop, validation("tok_declined", 1)), (200, json!({ "valid": true })));
    let unknown = (200, json!({ "valid": false, "reason": "unknown-method" }));
    assert_eq!(serve(&shop, validation("tok_gold", 1)), unknown);
    shop.fails(&[Line::Away]);
    let response = block_on(Payment::serve(&*shop.ports, validation("tok_ok", 1)));
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
}

#[test]
fn bad_input_is_named() {
    let shop = Shop::new();
    assert_eq!(serve(&shop, validation("tok_ok", 0)).1["errors"][0]["field"], "amount");
    assert_eq!(serve(&shop, validation("a/b", 1)).1["errors"][0]["field"], "paymentMethodId");
    assert_eq!(serve(&shop, Request::get("/api/v1/payments/validate")).0, 405);
    assert_eq!(serve(&shop, Request::post("/api/v1/payments/p", "")).0, 405);
    assert_eq!(serve(&shop, Request::get("/api/v1/payments/none")).0, 404);
}

#[test]
fn a_payment_is_shown() {
    let mut shop = Shop::new();
    shop.deliver("p", &process("tok_ok", 1));
    let (status, body) = serve(&shop, Request::get(format!("/api/v1/payments/{}", payment_id())));
    assert_eq!((status, &body["status"], &body["amount"]), (200, &json!("succeeded"), &json!(5_900)));
    assert_eq!(body["attempts"][0]["status"], "succeeded");
}

#[test]
fn a_payment_that_failed_is_shown_with_why() {
    let mut shop = Shop::new();
    assert_eq!(shop.state().status(), "new", "nothing has failed yet");
    shop.deliver("p", &process("tok_declined", 1));
    let (_, body) = serve(&shop, Request::get(format!("/api/v1/payments/{}", payment_id())));
    assert_eq!((&body["status"], &body["attempts"][0]["errorCode"]), (&json!("failed"), &json!("card_declined")));
    shop.deliver("r", &refund());
    let (_, body) = serve(&shop, Request::get(format!("/api/v1/payments/{}", payment_id())));
    assert_eq!((&body["status"], &body["refundedAmount"]), (&json!("cancelled"), &json!(0)), "nothing was taken");
}

#[test]
fn an_attempt_that_a_refund_voided_is_shown_as_over() {
    let mut shop = Shop::new();
    shop.fails(&[Line::AnswerLost]);
    shop.deliver("p", &process("tok_ok", 1));
    shop.deliver("r", &refund());
    let (_, body) = serve(&shop, Request::get(format!("/api/v1/payments/{}", payment_id())));
    assert_eq!((&body["status"], &body["refundedAmount"]), (&json!("refunded"), &json!(5_900)));
    let attempt = &body["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["errorCode"]), (&json!("failed"), &json!("payment-cancelled")));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let mut shop = Shop::new();
    let key = format!("payment/{}", payment_id());
    let newer = br#"{"format":2,"version":1,"state":{}}"#.to_vec();
    block_on(shop.ports.set(&key, newer.clone())).unwrap();
    let failure = shop.try_deliver("p", &process("tok_ok", 1)).unwrap_err();
    assert!(matches!(failure, Failure::Reject(why) if why.contains("format 2")));
    assert_eq!(block_on(shop.ports.get(&key)).unwrap(), Some(newer));
    assert!(shop.calls.borrow().is_empty());
}
