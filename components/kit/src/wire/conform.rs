//! JSON held against a shape: the same text with only what the shape knows, or what is wrong and where.
//!
//! The host reads an event by the types in a component's binary, and so says no to exactly this and in these words.
//! Where a component is reached over HTTP instead, it has to say the same; serde's derives alone would not: they know
//! no path, take no `2.0` for an integer, and read a time that is none.

use super::shape::{Field, Shape};
use crate::time::is_rfc3339;
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

/// Deepest nesting of a value that is carried as its text: it must not overflow the stack of whoever reads it.
const MAX_DEPTH: usize = 64;
/// Longest part of an offending value that an error repeats, in characters.
const SHOWN: usize = 40;
/// Largest magnitude up to which every integer has a `f64` of its own.
const EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The JSON path, where it is known: `eventData.items[2].quantity`.
    pub path: Option<String>,
    /// What is wrong there.
    pub reason: String,
}

impl Fault {
    /// Something wrong with the whole.
    #[must_use]
    pub fn whole(reason: impl Into<String>) -> Self {
        Self { path: None, reason: reason.into() }
    }
}

/// The text of `json` with only what `shape` knows of, integers as integers; `root` is the head of an error's path.
///
/// # Errors
/// Where it is no JSON, or not of this shape.
pub fn conform(shape: &Shape<'_>, json: &[u8], root: &str) -> Result<String, Fault> {
    let walk = Walk::default();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = Reader { shape, walk: &walk, nullable: false }.deserialize(&mut reader);
    match read.and_then(|()| reader.end()) {
        Ok(()) => Ok(walk.out.into_inner()),
        Err(error) => Err(walk.fault(&error, root)),
    }
}

/// What the walk has written, and what it met: serde's errors have no place for it.
#[derive(Default)]
struct Walk {
    out: RefCell<String>,
    reason: RefCell<Option<String>>,
    /// Innermost first.
    path: RefCell<Vec<String>>,
}

impl Walk {
    fn write(&self, text: &str) {
        self.out.borrow_mut().push_str(text);
    }

    fn write_string(&self, text: &str) {
        // A string always has a JSON form.
        self.write(&serde_json::to_string(text).unwrap_or_default());
    }

    fn raise<E: Error>(&self, reason: String) -> E {
        *self.reason.borrow_mut() = Some(reason);
        E::custom("")
    }

    /// Adds a step of the path while an error passes. One without a reason is the JSON parser's own.
    fn passing<E: fmt::Display>(&self, error: E, step: String) -> E {
        self.reason.borrow_mut().get_or_insert_with(|| format!("not JSON: {error}"));
        self.path.borrow_mut().push(step);
        error
    }

    fn fault(self, error: &serde_json::Error, root: &str) -> Fault {
        let reason = self.reason.into_inner().unwrap_or_else(|| format!("not JSON: {error}"));
        let mut path = root.to_owned();
        for step in self.path.into_inner().iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        Fault { path: (!path.is_empty()).then_some(path), reason }
    }
}

fn step_of(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.len() <= 64 && key.bytes().all(plain) {
        key.to_owned()
    } else {
        format!("[{}]", quoted(key))
    }
}

/// A text as an error shows it: quoted, escaped, cut.
fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    for character in text.chars().take(SHOWN) {
        match character {
            '"' => shown.push_str("\\\""),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown.push_str(if text.chars().nth(SHOWN).is_some() { "…\"" } else { "\"" });
    shown
}

/// A shape about to meet whatever the JSON has next.
#[derive(Clone, Copy)]
struct Reader<'w> {
    shape: &'w Shape<'w>,
    walk: &'w Walk,
    nullable: bool,
}

impl<'w> Reader<'w> {
    fn of(self, shape: &'w Shape<'w>) -> Self {
        Self { shape, nullable: false, ..self }
    }

    fn mismatch<E: Error>(self, got: &dyn fmt::Display) -> E {
        self.walk.raise(format!("expected {}, got {got}", self.shape.expectation()))
    }

    fn integer<E: Error>(self, value: i128) -> Result<(), E> {
        match *self.shape {
            Shape::Integer(least, most) if !(least..=most).contains(&value) => {
                Err(self.walk.raise(format!("expected an integer from {least} to {most}, got {value}")))
            }
            _ => {
                self.walk.write(&value.to_string());
                Ok(())
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.shape {
            Shape::Option(inner) => Reader { shape: inner, nullable: true, ..self }.deserialize(json),
            Shape::Json => {
                let text = <&RawValue>::deserialize(json)?.get();
                if text.len() > MAX_DEPTH && depth(text.as_bytes()) > MAX_DEPTH {
                    return Err(self.walk.raise(format!("nested deeper than {MAX_DEPTH} levels")));
                }
                self.walk.write(text);
                Ok(())
            }
            _ => json.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shape.expectation())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if !self.nullable {
            return Err(self.mismatch(&"null"));
        }
        self.walk.write("null");
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.shape, Shape::Bool) {
            return Err(self.mismatch(&value));
        }
        self.walk.write(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match self.shape {
            Shape::Integer(..) | Shape::Number => self.integer(value.into()),
            _ => Err(self.mismatch(&value)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.shape {
            Shape::Integer(..) | Shape::Number => self.integer(value.into()),
            _ => Err(self.mismatch(&value)),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.shape {
            Shape::Number => {
                // What was read from JSON is finite, so it has a JSON form.
                self.walk.write(&serde_json::to_string(&value).unwrap_or_default());
                Ok(())
            }
            Shape::Integer(..) if value.trunc() == value && value.abs() <= EXACT_INTEGER => {
                self.integer((value as i64).into())
            }
            _ => Err(self.mismatch(&format_args!("{value:?}"))),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let fits = match self.shape {
            Shape::Text => true,
            Shape::Timestamp => is_rfc3339(text),
            Shape::Enum(names) => names.contains(&text),
            _ => false,
        };
        if !fits {
            return Err(self.mismatch(&quoted(text)));
        }
        self.walk.write_string(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Shape::List(item) = self.shape else { return Err(self.mismatch(&"an array")) };
        self.walk.write("[");
        for place in 0_usize.. {
            if place > 0 {
                // Taken back where nothing follows.
                self.walk.write(",");
            }
            let read = items.next_element_seed(self.of(item));
            if read.map_err(|error| self.walk.passing(error, format!("[{place}]")))?.is_none() {
                if place > 0 {
                    self.walk.out.borrow_mut().pop();
                }
                break;
            }
        }
        self.walk.write("]");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        match self.shape {
            Shape::Record(fields) => self.record(fields, entries),
            Shape::Map(value) => self.map(value, entries),
            _ => Err(self.mismatch(&"an object")),
        }
    }
}

impl<'w> Reader<'w> {
    fn record<'de, A: MapAccess<'de>>(self, fields: &'w [Field<'w>], mut entries: A) -> Result<(), A::Error> {
        let mut seen = vec![false; fields.len()];
        let mut separator = "{";
        while let Some(found) = entries.next_key_seed(Key(fields))? {
            let (Some(field), Some(seen)) = (fields.get(found), seen.get_mut(found)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(seen, true) {
                return Err(self.walk.passing(self.walk.raise("appears twice".to_owned()), field.key.to_owned()));
            }
            self.walk.write(separator);
            separator = ",";
            self.walk.write_string(field.key);
            self.walk.write(":");
            let value = entries.next_value_seed(self.of(field.shape));
            value.map_err(|error| self.walk.passing(error, field.key.to_owned()))?;
        }
        for (field, _) in fields.iter().zip(seen).filter(|(_, seen)| !seen) {
            if !matches!(field.shape, Shape::Option(_)) {
                let missing = self.walk.raise(format!("missing: expected {}", field.shape.expectation()));
                return Err(self.walk.passing(missing, field.key.to_owned()));
            }
        }
        self.walk.write(if separator == "{" { "{}" } else { "}" });
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(self, value: &'w Shape<'w>, mut entries: A) -> Result<(), A::Error> {
        let (mut seen, mut separator) = (BTreeSet::new(), "{");
        while let Some(key) = entries.next_key::<String>()? {
            self.walk.write(separator);
            separator = ",";
            self.walk.write_string(&key);
            self.walk.write(":");
            let read = entries.next_value_seed(self.of(value));
            read.map_err(|error| self.walk.passing(error, step_of(&key)))?;
            if !seen.insert(key.clone()) {
                return Err(self.walk.passing(self.walk.raise("appears twice".to_owned()), step_of(&key)));
            }
        }
        self.walk.write(if separator == "{" { "{}" } else { "}" });
        Ok(())
    }
}

/// Finds the field of a key; `usize::MAX` is no field.
struct Key<'w>(&'w [Field<'w>]);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<usize, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        Ok(self.0.iter().position(|field| field.key == key).unwrap_or(usize::MAX))
    }
}

/// How deep a text, known to be JSON, is nested.
fn depth(json: &[u8]) -> usize {
    let (mut open, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                open += 1;
                deepest = deepest.max(open);
            }
            (false, b'}' | b']') => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
