//! Whether two JSON texts say the same to one who knows the type: keys that it does not have and absent optional values
//! aside. Written without a look at the codec.

use a4co_host::codec::{Plan, Record};
use serde_json::Value;

/// Panics where `is`, as it was written, does not say what `was` said.
///
/// # Panics
/// See above.
pub fn check(plan: &Plan, was: &Value, is: &Value) {
    match plan {
        Plan::Bool | Plan::Char | Plan::Text | Plan::Timestamp | Plan::Enum(_) => alike(was == is, was, is),
        Plan::Json => alike(was == is, was, is),
        Plan::Flags(names) => alike(flags(names, was) == flags(names, is), was, is),
        Plan::Integer(_) => alike(whole(was).is_some() && whole(was) == whole(is), was, is),
        // As near as a single is.
        Plan::F32 => alike(was.as_f64().map(|n| n as f32) == is.as_f64().map(|n| n as f32), was, is),
        Plan::F64 => alike(was.as_f64() == is.as_f64(), was, is),
        Plan::Option(_) if was.is_null() || is.is_null() => alike(was == is, was, is),
        Plan::Option(inner) => check(inner, was, is),
        Plan::List(item) => pairs(was, is, |_| item),
        Plan::Tuple(parts) => pairs(was, is, |place| parts.get(place).unwrap_or_else(|| panic!("{was} has too many"))),
        Plan::Map(value) => map(value, was, is),
        Plan::Record(fields) => record(fields, was, is),
        Plan::Variant(cases) => {
            let payload =
                |name: &str| cases.iter().find(|(case, _)| case == name).and_then(|(_, plan)| plan.as_deref());
            one_of(payload, was, is);
        }
        Plan::Result { ok, err } => {
            one_of(|name| if name == "ok" { ok.as_deref() } else { err.as_deref() }, was, is);
        }
    }
}

fn alike(holds: bool, was: &Value, is: &Value) {
    assert!(holds, "{was} was written as {is}");
}

fn whole(number: &Value) -> Option<i128> {
    let float = || number.as_f64().filter(|n| n.trunc() == *n && n.abs() < 1e18).map(|n| n as i128);
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(float)
}

/// Which flags are up: in which order, and how often one is named, says nothing.
fn flags<'a>(names: &'a [String], value: &Value) -> Vec<&'a String> {
    let named = value.as_array().map(Vec::as_slice).unwrap_or_default();
    names.iter().filter(|name| named.iter().any(|flag| flag == name.as_str())).collect()
}

fn pairs<'a>(was: &Value, is: &Value, plan: impl Fn(usize) -> &'a Plan) {
    let (Some(before), Some(after)) = (was.as_array(), is.as_array()) else { panic!("{was} was written as {is}") };
    alike(before.len() == after.len(), was, is);
    before.iter().zip(after).enumerate().for_each(|(place, (before, after))| check(plan(place), before, after));
}

fn map(plan: &Plan, was: &Value, is: &Value) {
    let (Some(before), Some(after)) = (was.as_object(), is.as_object()) else { panic!("{was} was written as {is}") };
    alike(before.keys().eq(after.keys()), was, is);
    before.values().zip(after.values()).for_each(|(before, after)| check(plan, before, after));
}

fn record(record: &Record, was: &Value, is: &Value) {
    let Some(after) = is.as_object() else { panic!("{was} was written as {is}") };
    alike(after.keys().all(|key| record.fields.iter().any(|field| field.key == *key)), was, is);
    for field in &record.fields {
        match (was.get(&field.key), after.get(&field.key)) {
            (Some(before), Some(after)) => check(&field.plan, before, after),
            (None | Some(Value::Null), None) => alike(field.plan.is_optional(), was, is),
            _ => panic!("{}: {was} was written as {is}", field.key),
        }
    }
}

/// A case: its name, or an object with it alone.
fn one_of<'a>(payload: impl Fn(&str) -> Option<&'a Plan>, was: &Value, is: &Value) {
    let named = |value: &Value| match value {
        Value::String(name) => (name.clone(), Value::Null),
        Value::Object(object) => {
            object.iter().next().map(|(name, value)| (name.clone(), value.clone())).unwrap_or_default()
        }
        other => panic!("{other} is no case"),
    };
    let ((case, before), (same, after)) = (named(was), named(is));
    alike(case == same, was, is);
    match payload(&case) {
        Some(plan) => check(plan, &before, &after),
        None => alike(before.is_null() && after.is_null(), was, is),
    }
}
