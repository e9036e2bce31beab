//! Key-value stores in the one SQLite file.
//!
//! An absent key has revision 0, whether it was deleted or never written: revisions come from one counter for the whole
//! file, so a key that is created again never gets a revision it had before.

use super::{Entry, KeyPage, KeyValue, KeyValueError, Swap, check, sum};
use crate::durability::{Stalled, Watermark};
use crate::store::{Store, readers};
use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use std::sync::Arc;

/// The embedded adapter.
#[derive(Debug, Clone)]
pub struct EmbeddedKeyValue {
    store: Arc<Store>,
}

impl EmbeddedKeyValue {
    /// Over an open store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    fn swap_now(&self, store: &str, key: &str, expected: u64, value: Bytes) -> Result<Swap, KeyValueError> {
        check(key, Some(&value))?;
        self.store.writable()?;
        self.store.with_values(store, &[key], |state, index| {
            let current = state.cells.get(index, key).unwrap_or_else(Entry::absent);
            if current.revision != expected {
                return Swap::Conflict(current);
            }
            let revision = state.write_cell(index, key, Some(value));
            Swap::Done { revision, watermark: Watermark(state.tick) }
        })
    }

    fn put_now(&self, store: &str, writes: Vec<(String, Option<Bytes>)>) -> Result<Watermark, KeyValueError> {
        for (key, value) in &writes {
            check(key, value.as_ref())?;
        }
        self.store.writable()?;
        let keys: Vec<&str> = writes.iter().map(|(key, _)| key.as_str()).collect();
        self.store.with_values(store, &keys, |state, index| {
            for (key, value) in &writes {
                let there = state.cells.get(index, key).is_some_and(|entry| entry.value.is_some());
                // Deleting what is not there changes nothing.
                if there || value.is_some() {
                    state.write_cell(index, key, value.clone());
                }
            }
            Watermark(state.tick)
        })
    }

    fn increment_now(&self, store: &str, key: &str, delta: i64) -> Result<(i64, Watermark), KeyValueError> {
        check(key, None)?;
        self.store.writable()?;
        self.store.with_values(store, &[key], |state, index| {
            let current = state.cells.get(index, key).and_then(|entry| entry.value);
            let sum = sum(key, current.as_deref(), delta)?;
            state.write_cell(index, key, Some(sum.to_string().into()));
            Ok((sum, Watermark(state.tick)))
        })?
    }

    async fn list(&self, store: &str, cursor: Option<&str>, limit: usize) -> Result<KeyPage, KeyValueError> {
        // Once all that happened is on disk, the table alone has the answer.
        self.store.all_flushed().await?;
        let id = self.store.look(|state| {
            let index = state.cells.store(store);
            state.cells.id(index)
        });
        let limit = limit.max(1);
        let read = self.store.read(|connection| readers::keys(connection, id, cursor.unwrap_or(""), limit + 1));
        let mut keys = read.map_err(|error| KeyValueError::Unavailable(error.to_string()))?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = keys.last().filter(|_| more).cloned();
        Ok(KeyPage { keys, cursor })
    }
}

impl From<Stalled> for KeyValueError {
    fn from(stalled: Stalled) -> Self {
        Self::Unavailable(stalled.to_string())
    }
}

impl KeyValue for EmbeddedKeyValue {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Entry, KeyValueError>> {
        Box::pin(ready(check(key, None).and_then(|()| self.store.value(store, key))))
    }

    fn get_many<'a>(&'a self, store: &'a str, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Entry>, KeyValueError>> {
        let checked = keys.iter().try_for_each(|key| check(key, None));
        let wanted: Vec<&str> = keys.iter().map(String::as_str).collect();
        Box::pin(ready(checked.and_then(|()| {
            self.store.with_values(store, &wanted, |state, index| {
                wanted.iter().map(|key| state.cells.get(index, key).unwrap_or_else(Entry::absent)).collect()
            })
        })))
    }

    fn swap<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        expected: u64,
        value: Bytes,
    ) -> BoxFuture<'a, Result<Swap, KeyValueError>> {
        Box::pin(async move { self.swap_now(store, key, expected, value) })
    }

    fn put_many<'a>(
        &'a self,
        store: &'a str,
        writes: Vec<(String, Option<Bytes>)>,
    ) -> BoxFuture<'a, Result<Watermark, KeyValueError>> {
        Box::pin(async move { self.put_now(store, writes) })
    }

    fn increment<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        delta: i64,
    ) -> BoxFuture<'a, Result<(i64, Watermark), KeyValueError>> {
        Box::pin(async move { self.increment_now(store, key, delta) })
    }

    fn list_keys<'a>(
        &'a self,
        store: &'a str,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<KeyPage, KeyValueError>> {
        Box::pin(self.list(store, cursor, limit))
    }
}
