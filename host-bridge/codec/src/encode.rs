//! Writing: straight from `Val` to bytes.

use super::error::{CodecError, Failure, Quoted};
use super::number::whole;
use super::plan::{Plan, Record};
use super::text::{check_json, is_rfc3339};
use rustc_hash::FxHashSet;
use serde::Serialize;
use std::sync::Arc;
use wasmtime::component::Val;

/// Where JSON is written to, up to a limit: a guest's value may be larger than any event is allowed to be.
#[derive(Debug, Default)]
pub struct Sink {
    bytes: Vec<u8>,
    limit: usize,
}

impl Sink {
    /// A sink that refuses values beyond `limit` bytes. What is written by [`Sink::raw`] is counted, not refused.
    #[must_use]
    pub fn new(capacity: usize, limit: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), limit }
    }

    /// Appends JSON text as it is.
    pub fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends a JSON value that came as text, within the limit and nested no deeper than [`super::MAX_DEPTH`].
    ///
    /// # Errors
    /// Where it is too large, too deep, or no JSON.
    pub fn json(&mut self, text: &str) -> Result<(), CodecError> {
        let appended = self.check(text.len()).and_then(|()| check_json(text).map_err(Failure::new));
        appended.map_err(|failure| failure.under("eventData"))?;
        self.raw(text);
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn check(&self, more: usize) -> Result<(), Box<Failure>> {
        if self.bytes.len().saturating_add(more) > self.limit {
            return Err(Failure::new(format!("larger than the limit of {} bytes", self.limit)));
        }
        Ok(())
    }
}

/// Appends `text` as a JSON string.
pub fn write_string(sink: &mut Sink, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return write_json(sink, text);
    }
    sink.bytes.reserve(text.len() + 2);
    sink.bytes.push(b'"');
    sink.raw(text);
    sink.bytes.push(b'"');
}

/// Appends `number`.
pub fn write_unsigned(sink: &mut Sink, number: u64) {
    write_json(sink, &number);
}

/// Strings and numbers only: these cannot fail into a `Vec`.
fn write_json<T: Serialize + ?Sized>(sink: &mut Sink, value: &T) {
    debug_assert!(serde_json::to_string(value).is_ok());
    let _ = serde_json::to_writer(&mut sink.bytes, value);
}

pub(super) fn encode(plan: &Plan, value: &Val, sink: &mut Sink, root: &str) -> Result<(), CodecError> {
    write(plan, value, sink).map_err(|failure| failure.under(root))
}

type Written = Result<(), Box<Failure>>;

fn write(plan: &Plan, value: &Val, sink: &mut Sink) -> Written {
    match (plan, value) {
        (Plan::Text, Val::String(text)) => string(sink, text)?,
        (Plan::Record(record), Val::Record(values)) => return write_record(record, values, sink),
        (Plan::Option(_), Val::Option(None)) => sink.raw("null"),
        (Plan::Option(inner), Val::Option(Some(value))) => return write(inner, value, sink),
        (Plan::Timestamp, Val::String(text)) if is_rfc3339(text) => string(sink, text)?,
        (Plan::Timestamp, Val::String(text)) => return Err(Failure::mismatch(&plan.expectation(), &Quoted(text))),
        (Plan::Json, Val::String(text)) => {
            sink.check(text.len())?;
            check_json(text).map_err(Failure::new)?;
            sink.raw(text.trim());
        }
        (Plan::Enum(_), Val::Enum(case)) => string(sink, case)?,
        (Plan::Bool, Val::Bool(value)) => sink.raw(if *value { "true" } else { "false" }),
        (Plan::Integer(_), number) => return write_integer(number, sink),
        (Plan::F64, Val::Float64(number)) => return write_f64(*number, sink),
        (Plan::F32, Val::Float32(number)) => return write_f32(*number, sink),
        (Plan::Char, Val::Char(character)) => string(sink, character.encode_utf8(&mut [0; 4]))?,
        (Plan::List(item), Val::List(values)) => {
            return write_array(sink, values.iter().map(|value| (&**item, value)));
        }
        (Plan::Tuple(parts), Val::Tuple(values)) if parts.len() == values.len() => {
            return write_array(sink, parts.iter().map(|part| &**part).zip(values));
        }
        (Plan::Flags(_), Val::Flags(names)) => write_names(names, sink)?,
        (Plan::Map(plan), Val::List(pairs)) => return write_map(plan, pairs, sink),
        (Plan::Variant(cases), Val::Variant(name, payload)) => {
            let plan = cases.iter().find(|case| case.0 == *name).ok_or_else(|| foreign(plan))?.1.as_ref();
            return match payload {
                Some(payload) => write_case(name, plan, Some(payload), sink),
                None => string(sink, name),
            };
        }
        (Plan::Result { ok, .. }, Val::Result(Ok(value))) => {
            return write_case("ok", ok.as_ref(), value.as_deref(), sink);
        }
        (Plan::Result { err, .. }, Val::Result(Err(value))) => {
            return write_case("err", err.as_ref(), value.as_deref(), sink);
        }
        _ => return Err(foreign(plan)),
    }
    Ok(())
}

/// A value that is not of the type the component's WIT declares.
#[cold]
fn foreign(plan: &Plan) -> Box<Failure> {
    Failure::mismatch(&plan.expectation(), &"a value of another type")
}

fn string(sink: &mut Sink, text: &str) -> Written {
    sink.check(text.len())?;
    write_string(sink, text);
    Ok(())
}

fn write_record(record: &Record, values: &[(String, Val)], sink: &mut Sink) -> Written {
    sink.check(2)?;
    let mut separator = "{";
    for (field, (_, value)) in record.fields.iter().zip(values) {
        if matches!(value, Val::Option(None)) {
            continue;
        }
        sink.raw(separator);
        sink.raw(&field.written);
        write(&field.plan, value, sink).map_err(|failure| failure.within(&field.key))?;
        separator = ",";
    }
    sink.raw(if separator == "{" { "{}" } else { "}" });
    Ok(())
}

fn write_array<'a>(sink: &mut Sink, values: impl Iterator<Item = (&'a Plan, &'a Val)>) -> Written {
    sink.raw("[");
    for (index, (plan, value)) in values.enumerate() {
        sink.check(1)?;
        if index > 0 {
            sink.raw(",");
        }
        write(plan, value, sink).map_err(|failure| failure.at(index))?;
    }
    sink.raw("]");
    Ok(())
}

fn write_names(names: &[String], sink: &mut Sink) -> Written {
    sink.raw("[");
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            sink.raw(",");
        }
        string(sink, name)?;
    }
    sink.raw("]");
    Ok(())
}

fn write_map(plan: &Plan, pairs: &[Val], sink: &mut Sink) -> Written {
    let mut seen = FxHashSet::default();
    sink.raw("{");
    for (index, pair) in pairs.iter().enumerate() {
        let Val::Tuple(pair) = pair else { return Err(foreign(plan)) };
        let [Val::String(key), value] = pair.as_slice() else { return Err(foreign(plan)) };
        if !seen.insert(key.as_str()) {
            return Err(Failure::new("appears twice".into()).within(key));
        }
        if index > 0 {
            sink.raw(",");
        }
        string(sink, key)?;
        sink.raw(":");
        write(plan, value, sink).map_err(|failure| failure.within(key))?;
    }
    sink.raw("}");
    Ok(())
}

/// `{"name":value}`, `null` where there is none.
fn write_case(name: &str, plan: Option<&Arc<Plan>>, value: Option<&Val>, sink: &mut Sink) -> Written {
    sink.raw("{\"");
    sink.raw(name);
    sink.raw("\":");
    match (plan, value) {
        (Some(plan), Some(value)) => write(plan, value, sink).map_err(|failure| failure.within(name))?,
        _ => sink.raw("null"),
    }
    sink.raw("}");
    Ok(())
}

fn write_integer(number: &Val, sink: &mut Sink) -> Written {
    sink.check(1)?;
    match number {
        Val::U8(number) => write_json(sink, number),
        Val::U16(number) => write_json(sink, number),
        Val::U32(number) => write_json(sink, number),
        Val::U64(number) => write_json(sink, number),
        Val::S8(number) => write_json(sink, number),
        Val::S16(number) => write_json(sink, number),
        Val::S32(number) => write_json(sink, number),
        Val::S64(number) => write_json(sink, number),
        _ => return Err(Failure::mismatch("an integer", &"a value of another type")),
    }
    Ok(())
}

fn write_f64(number: f64, sink: &mut Sink) -> Written {
    sink.check(1)?;
    match whole(number) {
        Some(integer) => write_json(sink, &integer),
        None if number.is_finite() => write_json(sink, &number),
        None => return Err(not_finite(number)),
    }
    Ok(())
}

/// Written in its own width: as a double, 0.1 would be 0.10000000149011612.
fn write_f32(number: f32, sink: &mut Sink) -> Written {
    sink.check(1)?;
    match whole(f64::from(number)) {
        Some(integer) => write_json(sink, &integer),
        None if number.is_finite() => write_json(sink, &number),
        None => return Err(not_finite(f64::from(number))),
    }
    Ok(())
}

#[cold]
fn not_finite(number: f64) -> Box<Failure> {
    Failure::mismatch("a number that JSON has", &number)
}
