//! JSON held against a shape: what is in it, in the order of the shape, or what is wrong and where.
//!
//! The host reads an event by the types in a component's binary, and so says no to exactly this and in these words. A
//! component that is reached over HTTP instead has to say the same.

use super::EXACT_INTEGER;
use super::nodes::{Node, Nodes};
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

/// What `json` holds, as `shape` has it; `root` is the head of an error's path.
///
/// # Errors
/// Where it is no JSON, or not of this shape.
pub fn conform(shape: &Shape<'_>, json: &[u8], root: &str) -> Result<Nodes, Fault> {
    let walk = Walk::default();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = Reader { shape, walk: &walk, nullable: false }.deserialize(&mut reader);
    match read.and_then(|()| reader.end()) {
        Ok(()) => Ok(Nodes::new(walk.out.into_inner())),
        Err(error) => Err(walk.fault(&error, root)),
    }
}

/// What the walk has found, and what it met: serde's errors have no place for it.
#[derive(Default)]
struct Walk {
    out: RefCell<Vec<Node>>,
    reason: RefCell<Option<String>>,
    /// Innermost first.
    path: RefCell<Vec<String>>,
}

impl Walk {
    fn push(&self, node: Node) {
        self.out.borrow_mut().push(node);
    }

    /// Takes back what was found since there were `from`.
    fn take(&self, from: usize) -> Vec<Node> {
        self.out.borrow_mut().split_off(from)
    }

    fn len(&self) -> usize {
        self.out.borrow().len()
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

    fn number<E: Error>(self, value: f64) -> Result<(), E> {
        self.walk.push(Node::Number(value));
        Ok(())
    }

    fn integer<E: Error>(self, value: i128) -> Result<(), E> {
        match *self.shape {
            Shape::Integer(least, most) if !(least..=most).contains(&value) => {
                Err(self.walk.raise(format!("expected an integer from {least} to {most}, got {value}")))
            }
            Shape::Integer(0, _) => {
                // In range, so it is a `u64`.
                self.walk.push(Node::Integer(u64::try_from(value).unwrap_or_default()));
                Ok(())
            }
            Shape::Integer(..) => {
                self.walk.push(Node::Integer(i64::try_from(value).unwrap_or_default().cast_unsigned()));
                Ok(())
            }
            _ => Err(self.mismatch(&value)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.shape {
            Shape::Option(inner) => {
                // Taken back where it is `null`.
                self.walk.push(Node::Present);
                Reader { shape: inner, nullable: true, ..self }.deserialize(json)
            }
            Shape::Json => {
                let text = <&RawValue>::deserialize(json)?.get();
                if text.len() > MAX_DEPTH && depth(text.as_bytes()) > MAX_DEPTH {
                    return Err(self.walk.raise(format!("nested deeper than {MAX_DEPTH} levels")));
                }
                self.walk.push(Node::Text(text.to_owned()));
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
        self.walk.out.borrow_mut().pop();
        self.walk.push(Node::Absent);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.shape, Shape::Bool) {
            return Err(self.mismatch(&value));
        }
        self.walk.push(Node::Bool(value));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double to most of its readers")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match self.shape {
            Shape::Number => self.number(value as f64),
            _ => self.integer(value.into()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double to most of its readers")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.shape {
            Shape::Number => self.number(value as f64),
            _ => self.integer(value.into()),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.shape {
            Shape::Number => self.number(value),
            Shape::Integer(..) if value.trunc() == value && value.abs() <= EXACT_INTEGER => {
                self.integer((value as i64).into())
            }
            _ => Err(self.mismatch(&format_args!("{value:?}"))),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let read = match self.shape {
            Shape::Text => Some(Node::Text(text.to_owned())),
            Shape::Timestamp => is_rfc3339(text).then(|| Node::Text(text.to_owned())),
            Shape::Enum(names) => names.iter().position(|name| *name == text).map(Node::Case),
            _ => None,
        };
        match read {
            Some(node) => {
                self.walk.push(node);
                Ok(())
            }
            None => Err(self.mismatch(&quoted(text))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Shape::List(item) = self.shape else { return Err(self.mismatch(&"an array")) };
        let (from, mut count) = (self.walk.len(), 0);
        while let Some(()) =
            items.next_element_seed(self.of(item)).map_err(|error| self.walk.passing(error, format!("[{count}]")))?
        {
            count += 1;
        }
        self.many(from, count);
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
    /// Puts the number of what was found since there were `from` before it.
    fn many(self, from: usize, count: usize) {
        let found = self.walk.take(from);
        self.walk.push(Node::Many(count));
        self.walk.out.borrow_mut().extend(found);
    }

    fn record<'de, A: MapAccess<'de>>(self, fields: &'w [Field<'w>], mut entries: A) -> Result<(), A::Error> {
        let mut values: Vec<Option<Vec<Node>>> = vec![None; fields.len()];
        let from = self.walk.len();
        while let Some(found) = entries.next_key_seed(Key(fields))? {
            let (Some(field), Some(value)) = (fields.get(found), values.get_mut(found)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if value.is_some() {
                return Err(self.walk.passing(self.walk.raise("appears twice".to_owned()), field.key.to_owned()));
            }
            let read = entries.next_value_seed(self.of(field.shape));
            read.map_err(|error| self.walk.passing(error, field.key.to_owned()))?;
            *value = Some(self.walk.take(from));
        }
        for (field, value) in fields.iter().zip(values) {
            match value {
                Some(nodes) => self.walk.out.borrow_mut().extend(nodes),
                None if matches!(field.shape, Shape::Option(_)) => self.walk.push(Node::Absent),
                None => {
                    let missing = self.walk.raise(format!("missing: expected {}", field.shape.expectation()));
                    return Err(self.walk.passing(missing, field.key.to_owned()));
                }
            }
        }
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(self, value: &'w Shape<'w>, mut entries: A) -> Result<(), A::Error> {
        let (from, mut seen) = (self.walk.len(), BTreeSet::new());
        while let Some(key) = entries.next_key::<String>()? {
            self.walk.push(Node::Text(key.clone()));
            let read = entries.next_value_seed(self.of(value));
            read.map_err(|error| self.walk.passing(error, step_of(&key)))?;
            if !seen.insert(key.clone()) {
                return Err(self.walk.passing(self.walk.raise("appears twice".to_owned()), step_of(&key)));
            }
        }
        self.many(from, seen.len());
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
