//! A key-value store in memory for tests: deterministic by its seed, with unknown outcomes, refusals and crashes.

use super::{Entry, KeyPage, KeyValue, KeyValueError, MAX_KEY_BYTES, MAX_VALUE_BYTES, Swap};
use crate::bus::simulated::{Chance, Faults, Injected};
use crate::durability::Watermark;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The store. Clones are the same store. Of the faults it knows `refused`, `lost_answers` and `unflushed`; to crash as
/// one with a bus, let both leave everything unflushed and flush and crash them together.
#[derive(Clone)]
pub struct SimulatedKeyValue(Arc<Mutex<World>>);

struct World {
    live: State,
    /// What a crash leaves; `None` where that is all there is, so that a store that flushes at once copies nothing.
    on_disk: Option<Box<State>>,
    chance: Chance,
}

#[derive(Clone, Default)]
struct State {
    revision: u64,
    entries: BTreeMap<(String, String), Entry>,
}

impl SimulatedKeyValue {
    /// An empty store.
    #[must_use]
    pub fn new(faults: Faults) -> Self {
        let world = World { live: State::default(), on_disk: None, chance: Chance::new(faults) };
        Self(Arc::new(Mutex::new(world)))
    }

    /// From now on these faults.
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().chance.set(faults);
    }

    /// How often what went wrong so far.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.0.lock().chance.injected()
    }

    /// Everything so far is on disk.
    pub fn flush(&self) {
        self.0.lock().on_disk = None;
    }

    /// The process dies: what was not flushed is lost.
    pub fn crash(&self) {
        let mut world = self.0.lock();
        if let Some(on_disk) = world.on_disk.take() {
            world.live = *on_disk;
        }
    }

    /// What a key holds, whatever goes wrong: for who watches from outside.
    #[must_use]
    pub fn peek(&self, store: &str, key: &str) -> Option<Bytes> {
        self.0.lock().live.entry(store, key).value
    }

    /// The keys that hold something, and what: for who watches from outside.
    #[must_use]
    pub fn contents(&self, store: &str) -> Vec<(String, Bytes)> {
        let world = self.0.lock();
        let of = world.live.entries.iter().filter(|((its, _), _)| its == store);
        of.filter_map(|((_, key), entry)| Some((key.clone(), entry.value.clone()?))).collect()
    }

    /// Puts a value in the place of one that is there, whatever goes wrong; it gets a revision of its own.
    ///
    /// # Errors
    /// Where it is too large.
    pub fn plant(&self, store: &str, key: &str, value: Bytes) -> Result<(), KeyValueError> {
        let mut world = self.0.lock();
        world.keep();
        world.live.put(store, key, Some(value)).map(|_| ())
    }

    /// Reads, or does not: a lost answer to a read leaves nothing unknown.
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, KeyValueError> {
        let mut world = self.0.lock();
        if world.chance.refuses() { Err(away()) } else { Ok(read(&world.live)) }
    }

    fn write<T>(&self, write: impl FnOnce(&mut State) -> Result<T, KeyValueError>) -> Result<T, KeyValueError> {
        let mut world = self.0.lock();
        if world.chance.refuses() {
            return Err(away());
        }
        world.keep();
        let outcome = write(&mut world.live)?;
        if world.chance.flushes() {
            world.on_disk = None;
        }
        if world.chance.loses_answer() { Err(KeyValueError::Unknown("simulated".into())) } else { Ok(outcome) }
    }
}

impl World {
    /// Keeps what a crash would leave, before the first change since the last flush.
    fn keep(&mut self) {
        if self.on_disk.is_none() && self.chance.may_lose() {
            self.on_disk = Some(Box::new(self.live.clone()));
        }
    }
}

impl State {
    fn entry(&self, store: &str, key: &str) -> Entry {
        self.entries.get(&(store.to_owned(), key.to_owned())).cloned().unwrap_or_else(Entry::absent)
    }

    fn put(&mut self, store: &str, key: &str, value: Option<Bytes>) -> Result<Entry, KeyValueError> {
        let bytes = value.as_ref().map_or(0, Bytes::len);
        if key.len() > MAX_KEY_BYTES || bytes > MAX_VALUE_BYTES {
            return Err(KeyValueError::TooLarge(format!("a key of {} bytes with {bytes} bytes", key.len())));
        }
        self.revision += 1;
        let entry = Entry { value, revision: self.revision, watermark: Watermark(self.revision) };
        self.entries.insert((store.to_owned(), key.to_owned()), entry.clone());
        Ok(entry)
    }

    fn swap(&mut self, store: &str, key: &str, (expected, value): (u64, Bytes)) -> Result<Swap, KeyValueError> {
        let found = self.entry(store, key);
        if found.revision != expected {
            return Ok(Swap::Conflict(found));
        }
        self.put(store, key, Some(value))
            .map(|entry| Swap::Done { revision: entry.revision, watermark: entry.watermark })
    }

    fn increment(&mut self, store: &str, key: &str, delta: i64) -> Result<(i64, Watermark), KeyValueError> {
        let found = self.entry(store, key).value.unwrap_or_else(|| Bytes::from_static(b"0"));
        let number = std::str::from_utf8(&found).ok().and_then(|text| text.parse::<i64>().ok());
        let sum = number.and_then(|number| number.checked_add(delta));
        let sum = sum.ok_or_else(|| KeyValueError::NotANumber(format!("`{key}` holds no number that {delta} fits")))?;
        self.put(store, key, Some(sum.to_string().into())).map(|entry| (sum, entry.watermark))
    }

    fn keys(&self, store: &str, cursor: Option<&str>, limit: usize) -> KeyPage {
        let present = self.entries.iter().filter(|((its, _), entry)| its == store && entry.value.is_some());
        let after = present.map(|((_, key), _)| key).filter(|key| cursor.is_none_or(|cursor| key.as_str() > cursor));
        let mut keys: Vec<String> = after.take(limit.saturating_add(1)).cloned().collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = keys.last().filter(|_| more).cloned();
        KeyPage { keys, cursor }
    }
}

impl KeyValue for SimulatedKeyValue {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Entry, KeyValueError>> {
        ready(self.read(|state| state.entry(store, key))).boxed()
    }

    fn get_many<'a>(&'a self, store: &'a str, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Entry>, KeyValueError>> {
        ready(self.read(|state| keys.iter().map(|key| state.entry(store, key)).collect())).boxed()
    }

    fn swap<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        expected: u64,
        value: Bytes,
    ) -> BoxFuture<'a, Result<Swap, KeyValueError>> {
        ready(self.write(|state| state.swap(store, key, (expected, value)))).boxed()
    }

    fn put_many<'a>(
        &'a self,
        store: &'a str,
        writes: Vec<(String, Option<Bytes>)>,
    ) -> BoxFuture<'a, Result<Watermark, KeyValueError>> {
        let write = |state: &mut State| {
            let before = state.clone();
            for (key, value) in writes {
                if let Err(error) = state.put(store, &key, value) {
                    *state = before;
                    return Err(error);
                }
            }
            Ok(Watermark(state.revision))
        };
        ready(self.write(write)).boxed()
    }

    fn increment<'a>(
        &'a self,
        store: &'a str,
        key: &'a str,
        delta: i64,
    ) -> BoxFuture<'a, Result<(i64, Watermark), KeyValueError>> {
        ready(self.write(|state| state.increment(store, key, delta))).boxed()
    }

    fn list_keys<'a>(
        &'a self,
        store: &'a str,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<KeyPage, KeyValueError>> {
        ready(self.read(|state| state.keys(store, cursor, limit))).boxed()
    }
}

fn away() -> KeyValueError {
    KeyValueError::Unavailable("simulated".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_swap_may_have_happened_and_a_reread_tells() {
        let store = SimulatedKeyValue::new(Faults { lost_answers: 1_000, ..Faults::default() });
        assert!(matches!(store.swap("s", "k", 0, "v".into()).await, Err(KeyValueError::Unknown(_))));
        let entry = store.get("s", "k").await.unwrap();
        assert_eq!(entry.value, Some("v".into()));
        store.set_faults(Faults { refused: 1_000, ..Faults::default() });
        assert!(matches!(store.swap("s", "k", entry.revision, "w".into()).await, Err(KeyValueError::Unavailable(_))));
        store.set_faults(Faults::default());
        assert_eq!(store.get("s", "k").await.unwrap(), entry);
    }

    #[tokio::test]
    async fn a_swap_needs_the_latest_revision_over_deletions_too() {
        let store = SimulatedKeyValue::new(Faults::default());
        let Swap::Done { revision, .. } = store.swap("s", "k", 0, "v".into()).await.unwrap() else {
            panic!("conflict")
        };
        store.put_many("s", vec![("k".into(), None)]).await.unwrap();
        let Swap::Conflict(found) = store.swap("s", "k", revision, "w".into()).await.unwrap() else { panic!("stale") };
        assert_eq!(found.value, None);
        assert!(matches!(store.swap("s", "k", found.revision, "w".into()).await, Ok(Swap::Done { .. })));
    }

    #[tokio::test]
    async fn a_crash_leaves_what_was_flushed() {
        let store = SimulatedKeyValue::new(Faults { unflushed: 1_000, ..Faults::default() });
        store.increment("s", "n", 1).await.unwrap();
        store.flush();
        store.increment("s", "n", 1).await.unwrap();
        store.crash();
        assert_eq!(store.increment("s", "n", 1).await.unwrap().0, 2);
    }

    #[tokio::test]
    async fn keys_are_listed_by_page_and_store() {
        let store = SimulatedKeyValue::new(Faults::default());
        let write = |key: &str| (key.to_owned(), Some(Bytes::from_static(b"v")));
        store.put_many("s", vec![write("a"), write("b"), write("c")]).await.unwrap();
        store.put_many("other", vec![write("x")]).await.unwrap();
        let first = store.list_keys("s", None, 2).await.unwrap();
        assert_eq!((first.keys, first.cursor.as_deref()), (vec!["a".into(), "b".into()], Some("b")));
        let second = store.list_keys("s", Some("b"), 2).await.unwrap();
        assert_eq!((second.keys, second.cursor), (vec!["c".to_owned()], None));
    }
}
