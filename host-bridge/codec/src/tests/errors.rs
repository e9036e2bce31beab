//! What is wrong is said with its path, word by word.

use super::{Plan, Sink, compile, decode, encode, plan};
use std::sync::Arc;
use wasmtime::component::Val;

fn order() -> Arc<Plan> {
    let definitions = "
        type json = string; type timestamp = string;
        enum kind { delivery, pickup }
        record item { product-id: string, quantity: u32, unit-price: u64, note: option<json> }
        record subject { items: list<item>, kind: kind, at: option<timestamp>, extra: list<tuple<string, s8>> }";
    compile(definitions).unwrap()
}

#[track_caller]
fn check(json: &str, expected: &str) {
    assert_eq!(decode(&order(), json).unwrap_err(), expected, "{json}");
}

/// An order whose third item has this quantity.
fn quantity(quantity: &str) -> String {
    let item = r#"{"productId":"p","quantity":1,"unitPrice":2}"#;
    let third = format!(r#"{{"productId":"p","quantity":{quantity},"unitPrice":2}}"#);
    format!(r#"{{"items":[{item},{item},{third}],"kind":"pickup","extra":{{}}}}"#)
}

#[test]
fn wrong_types_and_ranges() {
    let path = "eventData.items[2].quantity: expected an integer";
    check(&quantity(r#""x""#), &format!(r#"{path} ≥ 0, got "x""#));
    check(&quantity("null"), &format!("{path} ≥ 0, got null"));
    check(&quantity("[]"), &format!("{path} ≥ 0, got an array"));
    check(&quantity("{}"), &format!("{path} ≥ 0, got an object"));
    check(&quantity("true"), &format!("{path} ≥ 0, got true"));
    check(&quantity("1.5"), &format!("{path} ≥ 0, got 1.5"));
    check(&quantity("-1"), &format!("{path} from 0 to 4294967295, got -1"));
    check(&quantity("4294967296"), &format!("{path} from 0 to 4294967295, got 4294967296"));
    check(&quantity("1e300"), &format!("{path} ≥ 0, got 1e300"));
    let long = format!("\"{}\"", "y".repeat(1_000_000));
    check(&quantity(&long), &format!("{path} ≥ 0, got \"{}…\"", "y".repeat(40)));
    check("[]", "eventData: expected an object, got an array");
    check("null", "eventData: expected an object, got null");
}

#[test]
fn missing_unknown_and_twice() {
    check(r#"{"items":[],"extra":{}}"#, r#"eventData.kind: missing: expected one of "delivery", "pickup""#);
    check(r#"{"items":[{}]}"#, "eventData.items[0].productId: missing: expected a string");
    check(
        r#"{"items":[],"kind":"post","extra":{}}"#,
        r#"eventData.kind: expected one of "delivery", "pickup", got "post""#,
    );
    check(r#"{"items":[],"kind":"pickup","kind":"pickup","extra":{}}"#, "eventData.kind: appears twice");
    check(r#"{"items":[],"kind":"pickup","extra":{"a":1,"a":2}}"#, "eventData.extra.a: appears twice");
    check(
        r#"{"items":[],"kind":"pickup","extra":{"a b":999}}"#,
        r#"eventData.extra["a b"]: expected an integer from -128 to 127, got 999"#,
    );
    check(
        r#"{"items":[],"kind":"pickup","extra":{},"at":"soon"}"#,
        r#"eventData.at: expected a timestamp such as "2026-01-15T10:30:00.000Z", got "soon""#,
    );
}

#[test]
fn deep_json_is_refused_where_it_would_be_handed_on() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let item = format!(r#"{{"productId":"p","quantity":1,"unitPrice":2,"note":{deep}}}"#);
    check(&format!(r#"{{"items":[{item}]}}"#), "eventData.items[0].note: nested deeper than 64 levels");
    let ignored = format!(r#"{{"items":[],"kind":"pickup","extra":{{}},"unknown":{deep}}}"#);
    assert!(decode(&order(), ignored).is_ok(), "what is skipped costs no stack");
    let brackets = format!(r#""{}""#, "[".repeat(1_000));
    assert!(decode(&plan("json"), brackets).is_ok(), "brackets within a string nest nothing");
}

#[test]
fn broken_text_is_refused_with_the_path_so_far() {
    let mut bytes = quantity("1").into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'p').unwrap() + 12;
    assert_eq!(bytes.get(place), Some(&b'p'));
    bytes[place] = 0xff;
    let error = decode(&order(), &bytes).unwrap_err();
    assert!(error.starts_with("eventData.items[0].productId: not JSON: invalid unicode"), "{error}");

    let whole = quantity("1");
    for end in 0..whole.len() {
        let error = decode(&order(), &whole[..end]).unwrap_err();
        assert!(error.contains("not JSON"), "{error}");
    }
    let error = decode(&order(), format!("{whole} x")).unwrap_err();
    assert!(error.starts_with("eventData: not JSON: trailing characters"), "{error}");
}

#[test]
fn what_has_no_json_form_is_refused_on_write() {
    let error = encode(&plan("list<f64>"), &Val::List(vec![Val::Float64(1.0), Val::Float64(f64::NAN)])).unwrap_err();
    assert_eq!(error, "eventData[1]: expected a number that JSON has, got NaN");
    for (ty, text) in [("json", "{"), ("json", ""), ("json", "1 2"), ("timestamp", "now")] {
        assert!(encode(&plan(ty), &Val::String(text.into())).is_err(), "{ty} {text}");
    }
    let twice = Val::Tuple(vec![Val::String("k".into()), Val::U8(1)]);
    let error = encode(&plan("list<tuple<string, u8>>"), &Val::List(vec![twice.clone(), twice])).unwrap_err();
    assert_eq!(error, "eventData.k: appears twice");
    let error = encode(&plan("u8"), &Val::Bool(true)).unwrap_err();
    assert_eq!(error, "eventData: expected an integer, got a value of another type");
}

#[test]
fn a_full_sink_ends_the_writing() {
    let value = Val::List(vec![Val::String("x".repeat(100)); 1_000]);
    let mut sink = Sink::new(0, 1_000);
    let error = plan("list<string>").encode(&value, &mut sink, "eventData").unwrap_err();
    assert_eq!(error.reason, "larger than the limit of 1000 bytes");
    assert!(sink.len() <= 1_100, "{}", sink.len());
}
