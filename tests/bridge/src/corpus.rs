//! Events, good and damaged: every file of the wire contract, and what becomes of it under every change that matters.

use serde_json::{Value, json};

/// One event as it may come in.
#[derive(Debug, Clone)]
pub struct Case {
    /// Where it comes from and what was done to it.
    pub name: String,
    /// The subject it comes under.
    pub subject: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// All of them.
///
/// # Panics
/// Where the wire contract cannot be read.
#[must_use]
#[expect(clippy::expect_used, reason = "for tests")]
pub fn corpus() -> Vec<Case> {
    let mut cases = Vec::new();
    for file in std::fs::read_dir(artifacts::workspace().join("tests/wire")).expect("the wire contract") {
        let path = file.expect("an entry of it").path();
        let Some(subject) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else { continue };
        let text = std::fs::read_to_string(&path).expect("an event");
        let event: Value = serde_json::from_str(&text).expect("JSON");
        let mut add = |what: &str, body: Vec<u8>| {
            cases.push(Case { name: format!("{subject}: {what}"), subject: subject.to_owned(), body });
        };
        add("as it is", text.clone().into_bytes());
        for pointer in pointers(&event) {
            for (what, changed) in changes(&event, &pointer) {
                add(&format!("{pointer} {what}"), changed.to_string().into_bytes());
            }
        }
        for (what, body) in damaged(&text) {
            add(what, body);
        }
    }
    cases.push(Case { name: "a subject of nobody".to_owned(), subject: "order.sung".to_owned(), body: b"{}".to_vec() });
    cases
}

/// The JSON pointers of all that is in a value, itself included.
fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                found.extend(pointers(value).into_iter().map(|rest| format!("/{key}{rest}")));
            }
        }
        // The first and the last tell as much as all.
        Value::Array(array) => {
            let last = array.len().saturating_sub(1);
            for (place, value) in array.iter().enumerate().filter(|(place, _)| *place == 0 || *place == last) {
                found.extend(pointers(value).into_iter().map(|rest| format!("/{place}{rest}")));
            }
        }
        _ => {}
    }
    found
}

fn changes(event: &Value, pointer: &str) -> Vec<(String, Value)> {
    let other = [
        json!(null),
        json!(true),
        json!("x"),
        json!(""),
        json!("2026-01-15T10:30:00.000Z"),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(2.0),
        json!(-0.0),
        json!(4_294_967_296_u64),
        json!(u64::MAX),
        json!(9_007_199_254_740_992_u64),
        json!(1e300),
        json!([]),
        json!({}),
        json!({ "unknown": [1, { "deep": null }] }),
    ];
    let mut changed: Vec<(String, Value)> = Vec::new();
    for value in other {
        let mut copy = event.clone();
        if let Some(place) = copy.pointer_mut(pointer) {
            let what = format!("= {value}");
            *place = value;
            changed.push((what, copy));
        }
    }
    if let Some((parent, key)) = pointer.rsplit_once('/') {
        let mut copy = event.clone();
        match copy.pointer_mut(parent) {
            Some(Value::Object(object)) => drop(object.remove(key)),
            Some(Value::Array(array)) => drop(array.pop()),
            _ => {}
        }
        changed.push(("removed".to_owned(), copy));
    }
    changed
}

/// Damage that is no JSON value any more.
fn damaged(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let half = text.len() / 2;
    let cut = (half..).find(|place| text.is_char_boundary(*place)).unwrap_or(half);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let mut not_utf8 = text.as_bytes().to_vec();
    if let Some(byte) = text.find("eventType").and_then(|place| not_utf8.get_mut(place + 14)) {
        *byte = 0xff;
    }
    let mut data_not_utf8 = text.as_bytes().to_vec();
    if let Some(byte) = text.rfind("\": \"").and_then(|place| data_not_utf8.get_mut(place + 4)) {
        *byte = 0xff;
    }
    vec![
        ("nothing", Vec::new()),
        ("cut", text.get(..cut).unwrap_or_default().as_bytes().to_vec()),
        ("followed by more", format!("{text} x").into_bytes()),
        ("spaced out", text.replace(':', " :\n\t ").replace(',', " ,\r\n").into_bytes()),
        ("a key twice", text.replacen('{', "{\"eventId\": \"first\",", 1).into_bytes()),
        ("a key of the payload twice", twice(text, "orderId").into_bytes()),
        ("an unknown field, deep", text.replacen('{', &format!("{{\"unknown\": {deep},"), 1).into_bytes()),
        ("not UTF-8", not_utf8),
        ("a text not UTF-8", data_not_utf8),
        ("deep alone", deep.into_bytes()),
        ("an escape that is none", text.replacen("\"eventId\"", "\"event\\xId\"", 1).into_bytes()),
        ("a lone surrogate", text.replacen("\"eventType\": \"", "\"eventType\": \"\\ud800", 1).into_bytes()),
    ]
}

fn twice(text: &str, key: &str) -> String {
    let head = "\"eventData\": {";
    text.replacen(head, &format!("{head} \"{key}\": \"a\", \"{key}\": \"b\","), 1)
}
