//! JSON: serde_json, with one way to read bytes. UTF-8 is checked once a text instead of once a string, and a component's
//! binary holds one reader of each type, the one of texts, not two.

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

pub use serde_json::{
    Error, Map, Number, Result, Value, from_str, from_value, json, to_string, to_value, to_vec, value,
};

/// Reads a value.
///
/// # Errors
/// Where the bytes are no JSON, not of this type, or no UTF-8.
pub fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    from_str(text(bytes)?)
}

/// Writes a value into room for `about` bytes, so that a long one does not grow by doubling.
///
/// # Errors
/// As [`to_vec`].
pub fn to_vec_of<T: Serialize>(value: &T, about: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(about);
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes)
}

/// The text of bytes.
///
/// # Errors
/// Where they are no UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str> {
    let wrong = |error: std::str::Utf8Error| Error::custom(format!("invalid UTF-8 after byte {}", error.valid_up_to()));
    std::str::from_utf8(bytes).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_their_text_and_refused_where_they_are_none() {
        assert_eq!(from_slice::<Value>("\"Úbeda\"".as_bytes()).unwrap(), "Úbeda");
        let error = from_slice::<Value>(b"\"\xC3\"").unwrap_err();
        assert_eq!(error.to_string(), "invalid UTF-8 after byte 1");
    }
}
