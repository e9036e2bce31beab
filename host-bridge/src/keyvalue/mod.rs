//! The key-value port: named stores of byte values with a revision each, and compare-and-swap on it.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod embedded;
mod expiry;
pub mod nats;
#[cfg(any(test, feature = "contract"))]
pub mod simulated;

pub use expiry::{Expiries, Expiry};

use crate::durability::Watermark;
use bytes::Bytes;
use futures::future::BoxFuture;

/// A value and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value; `None` where the key is absent.
    pub value: Option<Bytes>,
    /// What a swap compares. It grows with every write and never repeats, not over a deletion either. An absent key has
    /// what a swap that creates it must expect: 0, or an adapter's tombstone.
    pub revision: u64,
    /// Up to where the log must be on disk for this value to be certain.
    pub watermark: Watermark,
}

impl Entry {
    /// A key that is not there and never was.
    #[must_use]
    pub fn absent() -> Self {
        Self { value: None, revision: 0, watermark: Watermark(0) }
    }
}

/// How a swap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The value is in place.
    Done {
        /// Its revision.
        revision: u64,
        /// Up to where the log must be on disk for it to be certain.
        watermark: Watermark,
    },
    /// Someone else was first; this is what is there now.
    Conflict(Entry),
}

/// One page of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, ascending.
    pub keys: Vec<String>,
    /// Where the next page starts, if there is one.
    pub cursor: Option<String>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// Key or value exceeds a limit. The caller must not try again.
    #[error("{0}")]
    TooLarge(String),
    /// `increment` met a value that is no decimal integer, or one that would overflow. The caller must not try again.
    #[error("{0}")]
    NotANumber(String),
    /// The outcome is unknown: it may or may not have happened. The caller reads again and looks.
    #[error("the store did not answer in time: {0}")]
    Unknown(String),
    /// The store is out of reach: nothing happened.
    #[error("the store is out of reach: {0}")]
    Unavailable(String),
}

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Largest value, in bytes: one aggregate is one value, and a hot one is rewritten at every event.
pub const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;

/// Named stores. A store comes into being with its first write; who may open which is decided before.
pub trait KeyValue: Send + Sync + 'static {
    /// Reads one key.
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Entry, KeyValueError>>;

    /// What this process last wrote under the key, where it remembers because asking is dear. Somebody else may have written
    /// since: it counts once a swap that expects its revision succeeds, or [`KeyValue::get`] tells the same revision.
    fn recall(&self, store: &str, key: &str) -> Option<Entry> {
        let _ = (store, key);
        None
    }

    /// Reads several keys; the answer has their order.
    fn get_many<'a>(&'a self, store: &'a str, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Entry>, KeyValueError>>;

    /// Writes if the key still has `expected`, as [`KeyValue::get`] told it.
    fn swap<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        expected: u64,
        value: Bytes,
    ) -> BoxFuture<'a, Result<Swap, KeyValueError>>;

    /// Writes (`Some`) or deletes (`None`) keys, whatever they hold, all in one step.
    fn put_many<'a>(
        &'a self,
        store: &'a str,
        writes: Vec<(String, Option<Bytes>)>,
    ) -> BoxFuture<'a, Result<Watermark, KeyValueError>>;

    /// Adds to a decimal integer in one step; an absent key counts as 0.
    fn increment<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        delta: i64,
    ) -> BoxFuture<'a, Result<(i64, Watermark), KeyValueError>>;

    /// Lists keys after `cursor`, at most `limit`.
    fn list_keys<'a>(
        &'a self,
        store: &'a str,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<KeyPage, KeyValueError>>;
}

/// Holds key and value against the port's limits.
fn check(key: &str, value: Option<&Bytes>) -> Result<(), KeyValueError> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(KeyValueError::TooLarge(format!(
            "a key has 1 to {MAX_KEY_BYTES} bytes, this one has {}",
            key.len()
        )));
    }
    match value {
        Some(value) if value.len() > MAX_VALUE_BYTES => Err(KeyValueError::TooLarge(format!(
            "a value has at most {MAX_VALUE_BYTES} bytes, the one for `{key}` has {}",
            value.len()
        ))),
        _ => Ok(()),
    }
}

/// The decimal integer `current` plus `delta`; nothing counts as 0.
fn sum(key: &str, current: Option<&[u8]>, delta: i64) -> Result<i64, KeyValueError> {
    let text = current.map_or(Ok("0"), std::str::from_utf8).ok();
    let number: Option<i64> = text.and_then(|text| text.parse().ok());
    let number =
        number.ok_or_else(|| KeyValueError::NotANumber(format!("the value of `{key}` is no decimal integer")))?;
    let overflow = || KeyValueError::NotANumber(format!("the value of `{key}` would overflow"));
    number.checked_add(delta).ok_or_else(overflow)
}
