//! What is wrong is said with its path, word by word.

use super::{Plan, Sink, compile, decode, encode, plan};
use crate::{write_string, write_unsigned};
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
    check(&quantity(r#""Ú\n""#), &format!(r#"{path} ≥ 0, got "Ú\n""#));
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
        r#"{"items":[],"kind":"pickup","extra":{"a-b_c":999}}"#,
        "eventData.extra.a-b_c: expected an integer from -128 to 127, got 999",
    );
    check(
        r#"{"items":[],"kind":"pickup","extra":{},"at":"soon"}"#,
        r#"eventData.at: expected a timestamp such as "2026-01-15T10:30:00.000Z", got "soon""#,
    );
}

#[test]
fn what_is_more_than_its_type_holds_is_refused() {
    for (ty, json, expected) in [
        ("f32", "1e39", "expected a number, got 1e39"),
        ("tuple<u8, u8>", "[1,2,3]", "expected an array of 2 values, got a longer one"),
    ] {
        assert_eq!(decode(&plan(ty), json).unwrap_err(), format!("eventData: {expected}"), "{ty}");
    }
    let flags = compile("flags subject { a, b }").unwrap();
    assert_eq!(decode(&flags, r#"["a","b","a"]"#).unwrap_err(), r#"eventData: "a" appears twice"#);
    let names: Vec<_> = (1..=14).map(|n| format!("case-{n}")).collect();
    let long = compile(&format!("enum subject {{ {} }}", names.join(", "))).unwrap();
    let error = decode(&long, r#""no""#).unwrap_err();
    assert!(error.ends_with(r#""case-12" and 2 more, got "no""#), "{error}");
    let short = compile(&format!("enum subject {{ {} }}", names[..12].join(", "))).unwrap();
    let error = decode(&short, r#""no""#).unwrap_err();
    assert!(error.ends_with(r#""case-11", "case-12", got "no""#), "{error}");
}

#[test]
fn deep_json_is_refused_where_it_would_be_handed_on() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let item = format!(r#"{{"productId":"p","quantity":1,"unitPrice":2,"note":{deep}}}"#);
    check(&format!(r#"{{"items":[{item}]}}"#), "eventData.items[0].note: nested deeper than 64 levels");
    let ignored = format!(r#"{{"items":[],"kind":"pickup","extra":{{}},"unknown":{deep}}}"#);
    assert!(decode(&order(), ignored).is_ok(), "what is skipped costs no stack");
    for (levels, taken) in [(64, true), (65, false)] {
        let nested = format!("{}\"{}\"{}", "[".repeat(levels), "x".repeat(64), "]".repeat(levels));
        assert_eq!(decode(&plan("json"), nested).is_ok(), taken, "{levels} levels");
    }
    let escaped = format!(r#""\"{}""#, "[".repeat(100));
    assert!(decode(&plan("json"), escaped).is_ok(), "an escaped quote does not end a string");
    let after = format!(r#"["x",{}{}]"#, "[".repeat(100), "]".repeat(100));
    assert!(decode(&plan("json"), after).is_err(), "after a string levels count again");
    let beside = format!("[{}[]]", "[],".repeat(100));
    assert!(decode(&plan("json"), beside).is_ok(), "what is closed is not around what follows");
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
    let moment = encode(&plan("timestamp"), &Val::String("now".into())).unwrap_err();
    assert_eq!(moment, r#"eventData: expected a timestamp such as "2026-01-15T10:30:00.000Z", got "now""#);
    assert!(encode(&plan("f32"), &Val::Float32(f32::INFINITY)).unwrap_err().ends_with("got inf"));
    for (ty, value, expected) in [
        ("u8", Val::Bool(true), "an integer"),
        ("bool", Val::U8(1), "true or false"),
        ("tuple<u8, u8>", Val::Tuple(vec![Val::U8(1)]), "an array of 2 values"),
    ] {
        let error = encode(&plan(ty), &value).unwrap_err();
        assert_eq!(error, format!("eventData: expected {expected}, got a value of another type"));
    }
}

#[test]
fn a_full_sink_ends_the_writing() {
    let value = Val::List(vec![Val::String("x".repeat(100)); 1_000]);
    let mut sink = Sink::new(0, 1_000);
    let error = plan("list<string>").encode(&value, &mut sink, "eventData").unwrap_err();
    assert_eq!(error.reason, "larger than the limit of 1000 bytes");
    assert!(sink.len() <= 1_100, "{}", sink.len());
}

#[test]
fn what_came_as_text_goes_into_a_sink_up_to_its_limit() {
    let mut sink = Sink::new(0, 8);
    assert_eq!((sink.is_empty(), sink.len()), (true, 0));
    sink.json("[1]").unwrap();
    write_string(&mut sink, "a");
    write_unsigned(&mut sink, 7);
    assert_eq!((sink.is_empty(), sink.len()), (false, 7));
    assert_eq!(sink.json("10").unwrap_err().to_string(), "eventData: larger than the limit of 8 bytes");
    assert!(sink.json("x").unwrap_err().reason.starts_with("not JSON"));
    sink.json("1").unwrap();
    assert_eq!(sink.into_bytes(), br#"[1]"a"71"#);
}
