//! Ports in memory, so that the engine's tests need no disk: a store, a bus that only publishes, a durability that waits.

#![allow(clippy::unwrap_used, dead_code, unused_imports, reason = "for tests, each of which uses a part of it")]

mod app;
mod bus;
pub mod table;

pub use app::{Served, component, deliver, events};
pub use bus::Kept;

use a4co_host::durability::{Durability, Watermark};
use a4co_host::keyvalue::{Entry, KeyPage, KeyValue, KeyValueError, Swap};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::watch;

/// Value, revision by key and store; the position of the write last.
type Values = BTreeMap<(String, String), (u64, Option<Bytes>, u64)>;

/// Every write moves the position; what is durable is set by the test, or follows at once.
pub struct Memory {
    entries: Mutex<Values>,
    position: AtomicU64,
    durable: watch::Sender<u64>,
    /// What it recalls of every key, rightly or not.
    pub recalled: Mutex<Option<Entry>>,
    /// How often a single key was asked for.
    pub reads: AtomicU64,
    /// It answers to no read.
    pub away: AtomicBool,
}

impl Memory {
    /// All that is written is durable at once.
    pub fn flushed() -> Arc<Self> {
        Self::durable_to(u64::MAX)
    }

    /// Nothing is, until [`Memory::flush`].
    pub fn held() -> Arc<Self> {
        Self::durable_to(0)
    }

    fn durable_to(position: u64) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            position: AtomicU64::new(0),
            durable: watch::Sender::new(position),
            recalled: Mutex::default(),
            reads: AtomicU64::new(0),
            away: AtomicBool::new(false),
        })
    }

    pub fn flush(&self) {
        self.durable.send_replace(u64::MAX);
    }

    pub fn position(&self) -> u64 {
        self.position.load(Ordering::SeqCst)
    }

    pub fn step(&self) -> Watermark {
        Watermark(self.position.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn entry(&self, store: &str, key: &str) -> Entry {
        let found = self.entries.lock().get(&(store.to_owned(), key.to_owned())).cloned();
        let (revision, value, at) = found.unwrap_or_default();
        Entry { value, revision, watermark: Watermark(at) }
    }

    fn put(&self, store: &str, key: &str, value: Option<Bytes>) -> (u64, Watermark) {
        let watermark = self.step();
        let mut entries = self.entries.lock();
        let entry = entries.entry((store.to_owned(), key.to_owned())).or_default();
        *entry = (entry.0 + 1, value, watermark.0);
        (entry.0, watermark)
    }
}

impl Durability for Memory {
    fn is_durable(&self, watermark: Watermark) -> bool {
        watermark.0 <= *self.durable.borrow()
    }

    fn latest(&self) -> Watermark {
        Watermark(self.position())
    }

    fn durable(&self, watermark: Watermark) -> BoxFuture<'_, ()> {
        let mut durable = self.durable.subscribe();
        async move {
            let _ = durable.wait_for(|position| watermark.0 <= *position).await;
        }
        .boxed()
    }
}

impl KeyValue for Memory {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Entry, KeyValueError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let away = || KeyValueError::Unavailable("a test".to_owned());
        ready(if self.away.load(Ordering::SeqCst) { Err(away()) } else { Ok(self.entry(store, key)) }).boxed()
    }

    fn recall(&self, _: &str, _: &str) -> Option<Entry> {
        self.recalled.lock().clone()
    }

    fn get_many<'a>(&'a self, store: &'a str, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Entry>, KeyValueError>> {
        ready(Ok(keys.iter().map(|key| self.entry(store, key)).collect())).boxed()
    }

    fn swap<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        expected: u64,
        value: Bytes,
    ) -> BoxFuture<'a, Result<Swap, KeyValueError>> {
        let now = self.entry(store, key);
        if now.revision != expected {
            return ready(Ok(Swap::Conflict(now))).boxed();
        }
        let (revision, watermark) = self.put(store, key, Some(value));
        ready(Ok(Swap::Done { revision, watermark })).boxed()
    }

    fn put_many<'a>(
        &'a self,
        store: &'a str,
        writes: Vec<(String, Option<Bytes>)>,
    ) -> BoxFuture<'a, Result<Watermark, KeyValueError>> {
        let written = writes.into_iter().map(|(key, value)| self.put(store, &key, value).1).max();
        ready(Ok(written.unwrap_or_default())).boxed()
    }

    fn increment<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        delta: i64,
    ) -> BoxFuture<'a, Result<(i64, Watermark), KeyValueError>> {
        let now = self.entry(store, key).value.map(|value| String::from_utf8_lossy(&value).parse().unwrap());
        let sum: i64 = now.unwrap_or(0) + delta;
        let (_, watermark) = self.put(store, key, Some(sum.to_string().into()));
        ready(Ok((sum, watermark))).boxed()
    }

    fn list_keys<'a>(
        &'a self,
        store: &'a str,
        _: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<KeyPage, KeyValueError>> {
        let entries = self.entries.lock();
        let keys = entries.keys().filter(|(name, _)| name == store).map(|(_, key)| key.clone()).take(limit).collect();
        ready(Ok(KeyPage { keys, cursor: None })).boxed()
    }
}
