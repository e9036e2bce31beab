//! Key-value stores in NATS: one bucket a store.
//!
//! A value's revision is the sequence of the last message on its key's subject; a deleted key has the sequence of its
//! delete marker, and a key that never was, or whose marker has aged away, has 0. Sequences are the stream's own, so
//! none comes back. An answer is durable as the preset says, so watermarks are all zero.

mod bucket;
mod keys;
mod list;
mod read;
#[cfg(test)]
pub(super) mod tests;
mod write;

pub use bucket::Place;

use super::{Entry, Expiries, KeyPage, KeyValue, KeyValueError, Swap, check};
use crate::durability::Watermark;
use crate::nats::{Memory, Nats, NoAnswer};
use bucket::Bucket;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tokio::sync::OnceCell;
use write::Published;

/// Reads of one `get_many` under way at once: enough to hide the round trips, few beside everybody else's.
const READS_AT_ONCE: usize = 64;

/// The NATS adapter.
#[derive(Debug)]
pub struct NatsKeyValue {
    nats: Nats,
    place: Place,
    expiries: Expiries,
    buckets: RwLock<FxHashMap<String, Arc<OnceCell<Bucket>>>>,
}

impl NatsKeyValue {
    /// Over a connection. Buckets are found, or made, when their store is first used.
    #[must_use]
    pub fn new(nats: Nats, place: Place) -> Self {
        Self { nats, place, expiries: Expiries::default(), buckets: RwLock::default() }
    }

    /// With values that go by age. A server before 2.11, or a bucket that such a one made, keeps them.
    #[must_use]
    pub fn expiring(self, expiries: Expiries) -> Self {
        Self { expiries, ..self }
    }

    /// Finds or makes the buckets of `stores` now, so that what is wrong with one is known before it is needed.
    ///
    /// # Errors
    /// Names the first bucket that cannot be used, and what to do.
    pub async fn prepare(&self, stores: &[String]) -> Result<(), KeyValueError> {
        for store in stores {
            self.open(&self.cell(store), store).await?;
        }
        Ok(())
    }

    fn cell(&self, store: &str) -> Arc<OnceCell<Bucket>> {
        if let Some(cell) = self.buckets.read().get(store) {
            return Arc::clone(cell);
        }
        Arc::clone(self.buckets.write().entry(store.to_owned()).or_default())
    }

    async fn open<'c>(&self, cell: &'c OnceCell<Bucket>, store: &str) -> Result<&'c Bucket, KeyValueError> {
        if cell.get().is_none() {
            // What is known to be away is told at once, as everywhere.
            self.nats.why_down().map_or(Ok(()), |why| Err(KeyValueError::Unavailable(why)))?;
        }
        cell.get_or_try_init(|| Bucket::open(&self.nats, &self.place, store, &self.expiries)).await
    }

    async fn read(&self, store: &str, key: &str) -> Result<Entry, KeyValueError> {
        check(key, None)?;
        let cell = self.cell(store);
        let bucket = self.open(&cell, store).await?;
        let found = read::entry(&self.nats, bucket, key).await?;
        if bucket.remembered.recall(key).is_some_and(|memory| memory.revision != found.revision) {
            bucket.remembered.forget(key);
        }
        Ok(found)
    }

    async fn read_many(&self, store: &str, keys: &[String]) -> Result<Vec<Entry>, KeyValueError> {
        keys.iter().try_for_each(|key| check(key, None))?;
        let cell = self.cell(store);
        let bucket = self.open(&cell, store).await?;
        let mut reads = Vec::with_capacity(keys.len());
        for key in keys {
            reads.push(read::entry(&self.nats, bucket, key));
        }
        futures::stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await
    }

    async fn swap_now(&self, store: &str, key: &str, expected: u64, value: Bytes) -> Result<Swap, KeyValueError> {
        check(key, Some(&value))?;
        let cell = self.cell(store);
        let bucket = self.open(&cell, store).await?;
        match write::expecting(&self.nats, bucket, key, (expected, value.clone())).await {
            Ok(Published::At(revision)) => {
                let bytes = key.len() + value.len();
                bucket.remembered.remember(key.to_owned(), Memory { value, revision }, bytes);
                Ok(Swap::Done { revision, watermark: Watermark(0) })
            }
            Ok(Published::Conflict) => {
                bucket.remembered.forget(key);
                Ok(Swap::Conflict(read::entry(&self.nats, bucket, key).await?))
            }
            Err(error) => {
                bucket.remembered.forget(key);
                Err(error)
            }
        }
    }

    fn remembered(&self, store: &str, key: &str) -> Option<Entry> {
        let Memory { value, revision } = self.cell(store).get()?.remembered.recall(key)?;
        Some(Entry { value: Some(value), revision, watermark: Watermark(0) })
    }

    async fn put_now(&self, store: &str, writes: Vec<(String, Option<Bytes>)>) -> Result<Watermark, KeyValueError> {
        for (key, value) in &writes {
            check(key, value.as_ref())?;
        }
        let cell = self.cell(store);
        let bucket = self.open(&cell, store).await?;
        writes.iter().for_each(|(key, _)| bucket.remembered.forget(key));
        write::all(&self.nats, bucket, writes).await?;
        Ok(Watermark(0))
    }

    async fn increment_now(&self, store: &str, key: &str, delta: i64) -> Result<(i64, Watermark), KeyValueError> {
        check(key, None)?;
        let cell = self.cell(store);
        let bucket = self.open(&cell, store).await?;
        bucket.remembered.forget(key);
        loop {
            let found = read::entry(&self.nats, bucket, key).await?;
            let sum = super::sum(key, found.value.as_deref(), delta)?;
            let swapped = write::expecting(&self.nats, bucket, key, (found.revision, sum.to_string().into())).await?;
            if let Published::At(_) = swapped {
                return Ok((sum, Watermark(0)));
            }
        }
    }

    async fn list(&self, store: &str, cursor: Option<&str>, limit: usize) -> Result<KeyPage, KeyValueError> {
        let cell = self.cell(store);
        list::page(&self.nats, self.open(&cell, store).await?, cursor, limit.max(1)).await
    }
}

/// Why a read has no answer: it changed nothing, so that it was lost and that it was not sent come to the same.
fn unread(error: NoAnswer) -> KeyValueError {
    KeyValueError::Unavailable(error.to_string())
}

impl KeyValue for NatsKeyValue {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Entry, KeyValueError>> {
        Box::pin(self.read(store, key))
    }

    fn recall(&self, store: &str, key: &str) -> Option<Entry> {
        self.remembered(store, key)
    }

    fn get_many<'a>(&'a self, store: &'a str, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Entry>, KeyValueError>> {
        Box::pin(self.read_many(store, keys))
    }

    fn swap<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        expected: u64,
        value: Bytes,
    ) -> BoxFuture<'a, Result<Swap, KeyValueError>> {
        Box::pin(self.swap_now(store, key, expected, value))
    }

    fn put_many<'a>(
        &'a self,
        store: &'a str,
        writes: Vec<(String, Option<Bytes>)>,
    ) -> BoxFuture<'a, Result<Watermark, KeyValueError>> {
        Box::pin(self.put_now(store, writes))
    }

    fn increment<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        delta: i64,
    ) -> BoxFuture<'a, Result<(i64, Watermark), KeyValueError>> {
        Box::pin(self.increment_now(store, key, delta))
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
