//! Each row of the codec's table, both ways.

use super::super::{camel_case, is_rfc3339, pascal_case, subject_of_case};
use super::{Plan, compile, decode, encode, plan};
use wasmtime::component::Val;

/// `json` is read as `value`, and `value` is written as `json`.
#[track_caller]
fn check(plan: &Plan, json: &str, value: &Val) {
    assert_eq!(decode(plan, json).as_ref(), Ok(value), "reading {json}");
    assert_eq!(encode(plan, value).as_deref(), Ok(json), "writing {json}");
}

/// `json` is read as what is written as `canonical`.
#[track_caller]
fn check_read(plan: &Plan, json: &str, canonical: &str) {
    let value = decode(plan, json).unwrap();
    assert_eq!(encode(plan, &value).as_deref(), Ok(canonical));
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

#[test]
fn numbers() {
    check(&plan("u8"), "255", &Val::U8(255));
    check(&plan("u16"), "65535", &Val::U16(65535));
    check(&plan("u32"), "4294967295", &Val::U32(u32::MAX));
    check(&plan("u64"), "18446744073709551615", &Val::U64(u64::MAX));
    check(&plan("s8"), "-128", &Val::S8(-128));
    check(&plan("s16"), "-32768", &Val::S16(i16::MIN));
    check(&plan("s32"), "-2147483648", &Val::S32(i32::MIN));
    check(&plan("s64"), "-9223372036854775808", &Val::S64(i64::MIN));
    check(&plan("f64"), "22", &Val::Float64(22.0));
    check(&plan("f64"), "0.9", &Val::Float64(0.9));
    check(&plan("f64"), "-3.7903", &Val::Float64(-3.7903));
    check(&plan("f64"), "-3", &Val::Float64(-3.0));
    check(&plan("f32"), "0.1", &Val::Float32(0.1));
    check(&plan("f32"), "-3", &Val::Float32(-3.0));
    check_read(&plan("u32"), "2.0", "2");
    check_read(&plan("u32"), "1e3", "1000");
    check_read(&plan("s32"), "-0", "0");
}

#[test]
fn texts() {
    check(&plan("string"), r#""Úbeda \"2\"\n""#, &text("Úbeda \"2\"\n"));
    for (json, value) in [(r#""\"""#, "\""), (r#""\\""#, "\\"), (r#""\u0001""#, "\u{1}"), (r#"" ""#, " ")] {
        check(&plan("string"), json, &text(value));
    }
    check(&plan("char"), r#""Ú""#, &Val::Char('Ú'));
    check(&plan("bool"), "true", &Val::Bool(true));
    check(&plan("timestamp"), r#""2026-01-15T10:30:00.000Z""#, &text("2026-01-15T10:30:00.000Z"));
    check(&plan("timestamp"), r#""2026-01-15T11:30:00+01:00""#, &text("2026-01-15T11:30:00+01:00"));
}

#[test]
fn any_json_is_carried_as_its_text() {
    for json in [r#"{"a": [1, 2.50, null]}"#, "null", "-1e5", r#""text""#, "true", "[]"] {
        check(&plan("json"), json, &text(json));
    }
    check(&plan("list<tuple<string, json>>"), r#"{"a":{"b":1}}"#, &Val::List(vec![pair("a", text(r#"{"b":1}"#))]));
}

fn pair(key: &str, value: Val) -> Val {
    Val::Tuple(vec![text(key), value])
}

#[test]
fn an_alias_of_an_alias_keeps_its_meaning() {
    let plan = compile("type timestamp = string; type moment = timestamp; type subject = option<moment>;").unwrap();
    assert!(decode(&plan, r#""yesterday""#).is_err());
    check(&plan, r#""2026-01-15T10:30:00Z""#, &Val::Option(Some(Box::new(text("2026-01-15T10:30:00Z")))));
}

#[test]
fn a_meaning_survives_use_across_interfaces() {
    let mut resolve = wit_parser::Resolve::default();
    let wit = "package t:t; interface a { type timestamp = string; } interface b { use a.{timestamp as instant}; \
               record subject { at: instant } }";
    resolve.push_str("t.wit", wit).unwrap();
    let (id, _) = resolve.types.iter().find(|(_, def)| def.name.as_deref() == Some("subject")).unwrap();
    let plan = super::Compiler::new(&resolve).plan(&wit_parser::Type::Id(id)).unwrap();
    assert!(decode(&plan, r#"{"at":"x"}"#).unwrap_err().contains("timestamp"));
}

#[test]
fn lists_maps_and_tuples() {
    check(&plan("list<u8>"), "[1,2]", &Val::List(vec![Val::U8(1), Val::U8(2)]));
    check(&plan("list<u8>"), "[]", &Val::List(vec![]));
    check(&plan("tuple<u8, string>"), r#"[1,"a"]"#, &Val::Tuple(vec![Val::U8(1), text("a")]));
    check(&plan("list<tuple<string, u8>>"), r#"{"a-b":1}"#, &Val::List(vec![pair("a-b", Val::U8(1))]));
    let no_map = Val::List(vec![Val::Tuple(vec![Val::U8(1), Val::U8(2)])]);
    check(&plan("list<tuple<u8, u8>>"), "[[1,2]]", &no_map);
    let by_alias = compile("type id = string; type ids = id; type subject = list<tuple<ids, u8>>;").unwrap();
    check(&by_alias, r#"{"a":1}"#, &Val::List(vec![pair("a", Val::U8(1))]));
    let moment = "2026-01-15T10:30:00Z";
    let by_moment = Val::List(vec![pair(moment, Val::U8(1))]);
    check(&plan("list<tuple<timestamp, u8>>"), &format!(r#"[["{moment}",1]]"#), &by_moment);
    check(&plan("list<option<u8>>"), "[null]", &Val::List(vec![Val::Option(None)]));
}

#[test]
fn records_enums_variants_flags_and_results() {
    let record = compile("record subject { order-id: string, note: option<string> }").unwrap();
    let fields = |note| Val::Record(vec![("order-id".into(), text("o")), ("note".into(), Val::Option(note))]);
    check(&record, r#"{"orderId":"o"}"#, &fields(None));
    check(&record, r#"{"orderId":"o","note":"n"}"#, &fields(Some(Box::new(text("n")))));
    check_read(&record, r#" { "x": [{}], "note": null, "orderId": "o" } "#, r#"{"orderId":"o"}"#);

    let reason = compile("enum subject { customer-request, other }").unwrap();
    check(&reason, r#""customer-request""#, &Val::Enum("customer-request".into()));
    let variant = compile("variant subject { none-at-all, some-of(u8) }").unwrap();
    check(&variant, r#""none-at-all""#, &Val::Variant("none-at-all".into(), None));
    check(&variant, r#"{"some-of":3}"#, &Val::Variant("some-of".into(), Some(Box::new(Val::U8(3)))));
    check_read(&variant, r#"{"none-at-all":null}"#, r#""none-at-all""#);
    let flags = compile("flags subject { a, b-c }").unwrap();
    check(&flags, r#"["b-c"]"#, &Val::Flags(vec!["b-c".into()]));
    check(&plan("result<u8, string>"), r#"{"ok":1}"#, &Val::Result(Ok(Some(Box::new(Val::U8(1))))));
    check(&plan("result<u8, string>"), r#"{"err":"e"}"#, &Val::Result(Err(Some(Box::new(text("e"))))));
    check(&plan("result"), r#"{"ok":null}"#, &Val::Result(Ok(None)));
}

#[test]
fn types_without_a_json_form_are_refused_by_name() {
    let refused = compile("record inner { deep: option<option<u8>> } record subject { outer: list<inner> }");
    assert_eq!(refused.unwrap_err().to_string(), "subject.outer.inner.deep: an option of an option has no JSON form");
    assert!(compile("resource r; record subject { r: r }").unwrap_err().to_string().contains("subject.r"));
}

#[test]
fn names_follow_their_rules() {
    assert_eq!(camel_case("order-id"), "orderId");
    assert_eq!(pascal_case("stock-check-requested"), "StockCheckRequested");
    assert_eq!(subject_of_case("inventory-stock-check"), "inventory.stock.check");
}

#[test]
fn only_rfc_3339_is_a_timestamp() {
    for good in ["2026-01-15T10:30:00Z", "2026-01-15T10:30:00.123456789Z", "2024-02-29T00:00:00-05:30"] {
        assert!(is_rfc3339(good), "{good}");
    }
    let bad = [
        "",
        "x",
        "2026-01-15",
        "2026-01-15 10:30:00Z",
        "2026-01-15T10:30:00",
        "2026-01-15T10:30Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-15T25:00:00Z",
        "2026-01-15T10:30:00.Z",
        "2026-01-15T10:30:00Z[UTC]",
        "2026-01-15T10:30:00.000Z ",
        "2026-01-15T10:30:00+1:00",
        "+002026-01-15T10:30:00Z",
        "2026-01-15T10:30:0ÚZ",
    ];
    for bad in bad {
        assert!(!is_rfc3339(bad), "{bad}");
    }
}
