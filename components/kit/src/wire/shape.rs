//! What the JSON of a type looks like, as data: the build script writes one for each record of `wit/`.

/// What JSON is expected.
#[derive(Debug)]
pub enum Shape<'s> {
    /// A string.
    Text,
    /// A string in RFC 3339.
    Timestamp,
    /// Any JSON value, carried as its text.
    Json,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A number without fraction, from the first to the second, both included.
    Integer(i128, i128),
    /// The same, `null`, or nothing at all.
    Option(&'s Shape<'s>),
    /// An array.
    List(&'s Shape<'s>),
    /// An object with any keys, each once.
    Map(&'s Shape<'s>),
    /// An object; keys it does not name are ignored.
    Record(&'s [Field<'s>]),
    /// One of these strings.
    Enum(&'s [&'s str]),
}

/// One field of a record.
#[derive(Debug)]
pub struct Field<'s> {
    /// Its key on the wire: `orderId`.
    pub key: &'s str,
    /// Its value.
    pub shape: &'s Shape<'s>,
}

/// Names that an error lists; past them it says how many more there are.
const LISTED: usize = 12;

impl Shape<'_> {
    /// What an error says was expected.
    pub(super) fn expectation(&self) -> String {
        match self {
            Self::Text => "a string".to_owned(),
            Self::Timestamp => "a timestamp such as \"2026-01-15T10:30:00.000Z\"".to_owned(),
            Self::Json => "a JSON value".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Integer(0, _) => "an integer ≥ 0".to_owned(),
            Self::Integer(..) => "an integer".to_owned(),
            Self::Option(inner) => inner.expectation(),
            Self::List(_) => "an array".to_owned(),
            Self::Map(_) | Self::Record(_) => "an object".to_owned(),
            Self::Enum(names) => {
                let shown: Vec<_> = names.iter().take(LISTED).map(|name| format!("\"{name}\"")).collect();
                let rest = names.len().saturating_sub(LISTED);
                let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
                format!("one of {}{more}", shown.join(", "))
            }
        }
    }
}
