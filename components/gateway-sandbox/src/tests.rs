//! What a merchant sees of the gateway.

use crate::GatewaySandbox;
use kit::http::{Request, Response};
use kit::json::{self, Value, json};
use kit::memory::{Memory, block_on};
use kit::{Ports as _, Worker as _};

fn ask(ports: &Memory, request: Request) -> (u16, Value) {
    let Response { status, body, .. } = block_on(GatewaySandbox::serve(ports, request));
    (status, json::from_slice(&body).unwrap())
}

fn charge(ports: &Memory, order: &str, attempt: u32, method: &str) -> (u16, Value) {
    let body = json!({ "amount": 5900, "currency": "EUR", "method": method, "merchantReference": order });
    let request = Request::post("/gateway/charges", body.to_string());
    ask(ports, request.with_header("idempotency-key", &format!("{order}-{attempt}")))
}

fn void(ports: &Memory, order: &str, attempt: u32) -> (u16, Value) {
    let body = json!({ "merchantReference": order }).to_string();
    ask(ports, Request::post(format!("/gateway/charges/{order}-{attempt}/void"), body))
}

fn ledger(ports: &Memory, order: &str) -> Vec<(String, u64)> {
    let (_, page) = ask(ports, Request::get(format!("/gateway/ledger?merchantReference={order}")));
    let entry = |entry: &Value| (entry["kind"].as_str().unwrap().to_owned(), entry["amount"].as_u64().unwrap());
    page["entries"].as_array().unwrap().iter().map(entry).collect()
}

#[test]
fn a_key_is_charged_once() {
    let ports = Memory::default();
    ports.lost_swaps.set(2);
    let first = charge(&ports, "o1", 1, "tok_ok");
    assert_eq!((first.0, &first.1["status"]), (200, &json!("charged")));
    ports.unknown_swaps.set(1);
    assert_eq!(charge(&ports, "o1", 1, "tok_ok"), first);
    assert_eq!(ledger(&ports, "o1"), [("charge".to_owned(), 5900)]);
    assert_eq!(charge(&ports, "o1", 1, "tok_declined").1["code"], "idempotency-key-reused");
    let other = json!({ "amount": 1, "currency": "EUR", "method": "tok_ok", "merchantReference": "o2" });
    let request = Request::post("/gateway/charges", other.to_string()).with_header("idempotency-key", "o1-1");
    assert_eq!(ask(&ports, request).1["code"], "idempotency-key-reused");
}

#[test]
fn a_declined_card_stays_declined_and_a_busy_bank_is_busy_twice() {
    let ports = Memory::default();
    let (status, declined) = charge(&ports, "o1", 1, "tok_declined");
    assert_eq!((status, &declined["decline"]["retryable"]), (402, &json!(false)));
    for attempt in [1, 2, 2] {
        let (status, busy) = charge(&ports, "o2", attempt, "tok_busy");
        assert_eq!((status, &busy["decline"]["retryable"]), (402, &json!(true)));
    }
    assert_eq!(charge(&ports, "o2", 3, "tok_busy").1["status"], "charged");
    assert_eq!(ledger(&ports, "o1"), []);
    assert_eq!(ledger(&ports, "o2").len(), 1);
}

#[test]
fn a_void_gives_back_what_was_taken_and_forbids_what_was_not() {
    let ports = Memory::default();
    charge(&ports, "o1", 1, "tok_ok");
    for _ in 0..2 {
        assert_eq!(void(&ports, "o1", 1).1["refundedAmount"], 5900);
    }
    assert_eq!(ledger(&ports, "o1"), [("charge".to_owned(), 5900), ("refund".to_owned(), 5900)]);
    assert_eq!(void(&ports, "o2", 1).1["status"], "voided");
    let (status, late) = charge(&ports, "o2", 1, "tok_ok");
    assert_eq!((status, &late["code"]), (409, &json!("voided")));
    assert_eq!(ledger(&ports, "o2"), []);
}

#[test]
fn what_is_never_answered_may_be_taken_and_can_be_voided() {
    let ports = Memory::default();
    assert_eq!(charge(&ports, "o1", 1, "tok_timeout").0, 504);
    assert_eq!(ledger(&ports, "o1").len(), 1);
    assert_eq!(void(&ports, "o1", 1).1["refundedAmount"], 5900);
}

#[test]
fn a_ledger_that_names_no_format_goes_on() {
    let ports = Memory::default();
    for number in 0..40 {
        charge(&ports, "o1", 1, "tok_ok");
        charge(&ports, &format!("p{number}"), 1, "tok_ok");
    }
    for (key, bytes) in ports.snapshot() {
        let Ok(Value::Object(stored)) = json::from_slice::<Value>(&bytes) else { continue };
        block_on(ports.set(&key, stored["view"].to_string().into_bytes())).unwrap();
    }
    let before = ledger(&ports, "o1");
    assert_eq!(before, [("charge".to_owned(), 5900)]);
    charge(&ports, "o1", 1, "tok_ok");
    assert_eq!(ledger(&ports, "o1"), before, "once a key, as ever");
    charge(&ports, "o9", 1, "tok_ok");
    let pages = ask(&ports, Request::get("/gateway/ledger")).1["pages"].as_u64().unwrap();
    let page = |page| ask(&ports, Request::get(format!("/gateway/ledger?page={page}"))).1["entries"].clone();
    let entries: usize = (1..=pages).map(|number| page(number).as_array().unwrap().len()).sum();
    assert_eq!(entries, 42);
}

#[test]
fn a_refund_is_of_what_was_taken_and_once() {
    let ports = Memory::default();
    charge(&ports, "o1", 1, "tok_ok");
    charge(&ports, "o2", 1, "tok_declined");
    let refund = |order: &str| ask(&ports, Request::post(format!("/gateway/charges/{order}-1/refund"), ""));
    assert_eq!(refund("o1"), refund("o1"));
    assert_eq!(ledger(&ports, "o1").len(), 2);
    assert_eq!(refund("o2").1["code"], "not-charged");
    assert_eq!(refund("o3").0, 404);
    let shown = ask(&ports, Request::get("/gateway/charges/o1-1"));
    assert_eq!((shown.0, &shown.1["status"]), (200, &json!("refunded")));
}

#[test]
fn the_whole_ledger_is_read_in_pages() {
    let ports = Memory::default();
    for order in 0..700 {
        charge(&ports, &format!("o{order}"), 1, "tok_ok");
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut page = 1;
    loop {
        let (_, body) = ask(&ports, Request::get(format!("/gateway/ledger?page={page}")));
        for entry in body["entries"].as_array().unwrap() {
            assert!(seen.insert(entry["id"].as_str().unwrap().to_owned()), "each once");
        }
        page += 1;
        if page > body["pages"].as_u64().unwrap() {
            break;
        }
    }
    assert_eq!(seen.len(), 700);
}

#[test]
fn methods_are_told_and_bad_input_is_named() {
    let ports = Memory::default();
    assert_eq!(ask(&ports, Request::get("/gateway/methods/tok_timeout")).1["valid"], true);
    assert_eq!(ask(&ports, Request::get("/gateway/methods/tok_gold")).1["valid"], false);
    assert_eq!(charge(&ports, "o1", 1, "tok_gold").1["errors"][0]["field"], "method");
    let body = json!({ "amount": 0, "currency": "eur", "method": "tok_ok", "merchantReference": "o1" });
    let (status, problem) = ask(&ports, Request::post("/gateway/charges", body.to_string()));
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!((status, fields), (422, vec![json!("Idempotency-Key"), json!("amount"), json!("currency")]));
    assert_eq!(ask(&ports, Request::get("/gateway/charges")).0, 405);
    assert_eq!(ask(&ports, Request::get("/gateway")).0, 404);
}
