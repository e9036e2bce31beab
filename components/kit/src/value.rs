//! Event types read from a parsed JSON value: one parser for all of them in a component, not one each.

use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::fmt;

/// Why a value is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    /// Neither a case nor a name that is known.
    #[must_use]
    pub fn unknown(name: &str) -> Self {
        Self(format!("unknown variant `{name}`"))
    }

    #[cold]
    fn wrong(value: &Value, expected: &str) -> Self {
        Self(format!("invalid type: {value}, expected {expected}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// What can be read from a parsed value.
pub trait FromValue: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// Says what is wrong.
    fn from_value(value: Value) -> Result<Self, Fault>;

    /// What an absent field is; `None` where it must be there.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

/// A record's fields, taken one by one. Those nobody takes are ignored: a newer sender may know more.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of an object.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(Fault::wrong(&other, "an object")),
        }
    }

    /// Takes a field.
    ///
    /// # Errors
    /// Where it must be there and is not, or is not what it should be.
    pub fn take<T: FromValue>(&mut self, name: &str) -> Result<T, Fault> {
        match self.0.get_mut(name).map(Value::take) {
            Some(value) => T::from_value(value).map_err(|Fault(why)| Fault(format!("{why} in `{name}`"))),
            None => T::absent().ok_or_else(|| Fault(format!("missing field `{name}`"))),
        }
    }
}

/// The one entry of an object that is a variant's case.
///
/// # Errors
/// Where it is no object of one entry.
pub fn case(value: Value) -> Result<(String, Value), Fault> {
    let mut fields = Fields::of(value)?.0.into_iter();
    match (fields.next(), fields.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Fault("expected an object with one entry, the case's name".to_owned())),
    }
}

/// The text that is an enum's case.
///
/// # Errors
/// Where it is no text.
pub fn name(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or_else(|| Fault::wrong(value, "a name"))
}

/// Reads through serde, for types that are parts of others that serde reads.
///
/// # Errors
/// serde's.
pub fn deserialize<'de, T: FromValue, D: serde::Deserializer<'de>>(reader: D) -> Result<T, D::Error> {
    T::from_value(Value::deserialize(reader)?).map_err(serde::de::Error::custom)
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, Fault> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Array(items) => items.into_iter().map(T::from_value).collect(),
            other => Err(Fault::wrong(&other, "a list")),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(Fault::wrong(&other, "a string")),
        }
    }
}

macro_rules! scalar {
    ($($type:ty: $read:expr, $expected:literal;)+) => {$(
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self, Fault> {
                let read: fn(&Value) -> Option<$type> = $read;
                read(&value).ok_or_else(|| Fault::wrong(&value, $expected))
            }
        }
    )+};
}

scalar! {
    bool: Value::as_bool, "true or false";
    u32: |value| u32::try_from(value.as_u64()?).ok(), "an integer ≥ 0 of 32 bits";
    u64: Value::as_u64, "an integer ≥ 0";
    i32: |value| i32::try_from(value.as_i64()?).ok(), "an integer of 32 bits";
    i64: Value::as_i64, "an integer";
    f64: Value::as_f64, "a number";
}
