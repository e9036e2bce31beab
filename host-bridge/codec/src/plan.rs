//! What a compiled plan is: one node a type, shared where a type occurs twice.

use super::decode;
use super::encode::{self, Sink};
use super::error::CodecError;
use super::number::Integer;
use std::sync::Arc;
use wasmtime::component::Val;

/// How values of one WIT type are read and written.
#[derive(Debug)]
pub enum Plan {
    /// `bool`.
    Bool,
    /// `u8` … `s64`.
    Integer(Integer),
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `char`.
    Char,
    /// `string`.
    Text,
    /// The alias `json`.
    Json,
    /// The alias `timestamp`.
    Timestamp,
    /// `option<T>`; `T` is no option.
    Option(Arc<Plan>),
    /// `list<T>`.
    List(Arc<Plan>),
    /// `list<tuple<string, T>>`.
    Map(Arc<Plan>),
    /// `tuple<…>`.
    Tuple(Vec<Arc<Plan>>),
    /// A record.
    Record(Record),
    /// An enum: its cases.
    Enum(Vec<String>),
    /// Flags: their names.
    Flags(Vec<String>),
    /// A variant: its cases and what they carry.
    Variant(Vec<(String, Option<Arc<Plan>>)>),
    /// `result<T, E>`.
    Result {
        /// What `ok` carries.
        ok: Option<Arc<Plan>>,
        /// What `err` carries.
        err: Option<Arc<Plan>>,
    },
}

/// A record's fields, in the order of the WIT.
#[derive(Debug)]
pub struct Record {
    /// The fields.
    pub fields: Vec<Field>,
}

/// One field of a record.
#[derive(Debug)]
pub struct Field {
    /// Its name in the WIT: `order-id`.
    pub name: String,
    /// Its key on the wire: `orderId`.
    pub key: String,
    /// The key as it is written: `"orderId":`.
    pub(super) written: String,
    /// How its value is read and written.
    pub plan: Arc<Plan>,
}

impl Field {
    /// A field `name` in the WIT, `key` on the wire.
    #[must_use]
    pub fn new(name: &str, key: String, plan: Arc<Plan>) -> Self {
        Self { name: name.to_owned(), written: format!("\"{key}\":"), key, plan }
    }
}

impl Plan {
    /// Reads one JSON value. `root` names it in the path of an error, such as `eventData`.
    ///
    /// # Errors
    /// Where `json` is not JSON, or not of this type: with the path to what is wrong.
    pub fn decode(&self, json: &[u8], root: &str) -> Result<Val, CodecError> {
        decode::decode(self, json, root)
    }

    /// Appends `value` to `sink` as JSON. `root` names it in the path of an error. On an error the sink holds a part
    /// of the value.
    ///
    /// # Errors
    /// Where the value has no JSON form (NaN, a `json` that is none, a `timestamp` that is none), the sink is full, or
    /// the value is not of this type.
    pub fn encode(&self, value: &Val, sink: &mut Sink, root: &str) -> Result<(), CodecError> {
        encode::encode(self, value, sink, root)
    }

    /// Whether a value may be absent.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// What an error says was expected.
    pub(super) fn expectation(&self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Integer(kind) => kind.expectation().into(),
            Self::F32 | Self::F64 => "a number".into(),
            Self::Char => "a string of one character".into(),
            Self::Text => "a string".into(),
            Self::Json => "a JSON value".into(),
            Self::Timestamp => "a timestamp such as \"2026-01-15T10:30:00.000Z\"".into(),
            Self::Option(inner) => inner.expectation(),
            Self::List(_) => "an array".into(),
            Self::Tuple(parts) => format!("an array of {} values", parts.len()),
            Self::Map(_) | Self::Record(_) => "an object".into(),
            Self::Enum(cases) => format!("one of {}", listed(cases.iter())),
            Self::Flags(names) => format!("an array of {}", listed(names.iter())),
            Self::Variant(cases) => format!("one of the cases {}", listed(cases.iter().map(|(name, _)| name))),
            Self::Result { .. } => "an object with the key `ok` or `err`".into(),
        }
    }
}

/// `"a", "b", "c"`, cut where it is long.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 12;
    let rest = names.len().saturating_sub(SHOWN);
    let shown: Vec<_> = names.take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
