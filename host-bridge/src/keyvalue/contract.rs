//! What every key-value adapter keeps, as a suite: an adapter's tests call each function with an empty store.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

use super::{Entry, Expiries, Expiry, KeyValue, KeyValueError, MAX_KEY_BYTES, MAX_VALUE_BYTES, Swap};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The store under test, empty.
pub type Keys = Arc<dyn KeyValue>;

async fn revision(keys: &Keys, key: &str) -> u64 {
    keys.get("s", key).await.unwrap().revision
}

async fn value(keys: &Keys, store: &str, key: &str) -> Option<Bytes> {
    keys.get(store, key).await.unwrap().value
}

async fn put(keys: &Keys, key: &str, value: &str) {
    keys.put_many("s", vec![(key.to_owned(), Some(value.to_owned().into()))]).await.unwrap();
}

async fn delete(keys: &Keys, key: &str) {
    keys.put_many("s", vec![(key.to_owned(), None)]).await.unwrap();
}

async fn swap(keys: &Keys, key: &str, expected: u64, value: &str) -> Result<u64, Entry> {
    match keys.swap("s", key, expected, value.to_owned().into()).await.unwrap() {
        Swap::Done { revision, .. } => Ok(revision),
        Swap::Conflict(entry) => Err(entry),
    }
}

/// What was written is read, alone and among others; what was not is absent.
pub async fn reads_what_was_written(keys: Keys) {
    assert_eq!(value(&keys, "s", "a").await, None);
    put(&keys, "a", "1").await;
    put(&keys, "a", "2").await;
    put(&keys, "empty", "").await;
    assert_eq!(value(&keys, "s", "a").await, Some("2".into()));
    let names = ["empty", "none", "a", "a"].map(str::to_owned);
    let many: Vec<_> = keys.get_many("s", &names).await.unwrap().into_iter().map(|entry| entry.value).collect();
    assert_eq!(many, [Some("".into()), None, Some("2".into()), Some("2".into())]);
    assert_eq!(keys.get_many("s", &[]).await.unwrap(), []);
}

/// One step sets and deletes; of two writes of one key in it the later holds.
pub async fn writes_and_deletes_in_one_step(keys: Keys) {
    put(&keys, "old", "1").await;
    let writes = [("new", Some("1")), ("old", None), ("never", None), ("twice", Some("1")), ("twice", Some("2"))];
    let writes = writes.map(|(key, value)| (key.to_owned(), value.map(Bytes::from)));
    keys.put_many("s", writes.into()).await.unwrap();
    assert_eq!(value(&keys, "s", "old").await, None);
    assert_eq!(value(&keys, "s", "new").await, Some("1".into()));
    assert_eq!(value(&keys, "s", "twice").await, Some("2".into()));
    let listed = keys.list_keys("s", None, 10).await.unwrap();
    assert_eq!((listed.keys, listed.cursor), (vec!["new".to_owned(), "twice".to_owned()], None));
}

/// A refused write leaves the others of its step undone too.
pub async fn refuses_a_step_as_a_whole(keys: Keys) {
    let writes = vec![("good".to_owned(), Some("1".into())), ("k".repeat(MAX_KEY_BYTES + 1), Some("1".into()))];
    assert!(matches!(keys.put_many("s", writes).await, Err(KeyValueError::TooLarge(_))));
    assert_eq!(value(&keys, "s", "good").await, None);
}

/// A swap happens on the revision that was read, and on no other; a conflict tells what is there.
pub async fn swaps_on_the_revision_read(keys: Keys) {
    let absent = revision(&keys, "a").await;
    let first = swap(&keys, "a", absent, "1").await.unwrap();
    assert_eq!(first, revision(&keys, "a").await);
    let second = swap(&keys, "a", first, "2").await.unwrap();
    assert!(second > first);
    for stale in [absent, first, second + 1] {
        let found = swap(&keys, "a", stale, "3").await.unwrap_err();
        assert_eq!((found.value, found.revision), (Some("2".into()), second), "expected {stale}");
    }
    put(&keys, "a", "4").await;
    assert_eq!(swap(&keys, "a", second, "5").await.unwrap_err().value, Some("4".into()));
}

/// A key that is created by many at once is created by one.
pub async fn creates_once_under_a_race(keys: Keys) {
    for round in 0..20 {
        let key = format!("key-{round}");
        let absent = revision(&keys, &key).await;
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let (keys, key) = (keys.clone(), key.clone());
                tokio::spawn(async move { swap(&keys, &key, absent, &number.to_string()).await.ok().map(|_| number) })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap());
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(value(&keys, "s", &key).await, Some(winners[0].to_string().into()));
    }
}

/// Many that read, add and swap until it succeeds lose nothing.
pub async fn loses_no_swap_under_a_race(keys: Keys) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    add_one(&keys).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(value(&keys, "s", "sum").await, Some("200".into()));
}

async fn add_one(keys: &Keys) {
    loop {
        let entry = keys.get("s", "sum").await.unwrap();
        let number: u32 = entry.value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap());
        if swap(keys, "sum", entry.revision, &(number + 1).to_string()).await.is_ok() {
            return;
        }
    }
}

/// No revision of a key ever comes back, whatever writes, deletes and creates it again.
pub async fn never_repeats_a_revision(keys: Keys) {
    let mut seen = BTreeSet::new();
    for round in 0..5 {
        put(&keys, "a", "1").await;
        assert!(seen.insert(revision(&keys, "a").await), "round {round}");
        keys.increment("s", "a", 1).await.unwrap();
        assert!(seen.insert(revision(&keys, "a").await), "round {round}");
        delete(&keys, "a").await;
        let absent = revision(&keys, "a").await;
        assert!(seen.insert(swap(&keys, "a", absent, "1").await.unwrap()), "round {round}");
        delete(&keys, "a").await;
    }
    let newest = *seen.last().unwrap();
    put(&keys, "a", "1").await;
    assert!(swap(&keys, "a", newest, "2").await.is_err());
    assert!(revision(&keys, "a").await > newest);
}

/// Counting starts at 0, goes below it, and stops where the number would not fit.
pub async fn increments_decimal_integers(keys: Keys) {
    assert_eq!(keys.increment("s", "n", 5).await.unwrap().0, 5);
    assert_eq!(keys.increment("s", "n", -8).await.unwrap().0, -3);
    assert_eq!(value(&keys, "s", "n").await, Some("-3".into()));
    for text in ["", "x", "1.5", "9223372036854775808", "\u{ff11}"] {
        put(&keys, "n", text).await;
        assert!(matches!(keys.increment("s", "n", 1).await, Err(KeyValueError::NotANumber(_))), "{text:?}");
        assert_eq!(value(&keys, "s", "n").await, Some(text.into()));
    }
    put(&keys, "n", &i64::MAX.to_string()).await;
    assert!(matches!(keys.increment("s", "n", 1).await, Err(KeyValueError::NotANumber(_))));
    assert_eq!(keys.increment("s", "n", 0).await.unwrap().0, i64::MAX);
    delete(&keys, "n").await;
    assert_eq!(keys.increment("s", "n", 1).await.unwrap().0, 1);
}

/// Pages follow each other in order, without a gap, and end.
pub async fn lists_keys_page_by_page(keys: Keys) {
    let names: Vec<String> = (0..25).map(|number| format!("k{number:02}")).collect();
    for name in names.iter().rev() {
        put(&keys, name, "1").await;
    }
    for limit in [1, 7, 24, 25, 26] {
        let (mut all, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = keys.list_keys("s", cursor.as_deref(), limit).await.unwrap();
            assert!(page.keys.len() <= limit);
            all.extend(page.keys);
            pages += 1;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((&all, pages), (&names, 25usize.div_ceil(limit)), "limit {limit}");
    }
    assert_eq!(keys.list_keys("none", None, 10).await.unwrap().keys, Vec::<String>::new());
}

/// The largest key and value are taken, one byte more is not.
pub async fn refuses_what_is_too_large(keys: Keys) {
    let longest = "k".repeat(MAX_KEY_BYTES);
    let largest = Bytes::from(vec![7; MAX_VALUE_BYTES]);
    keys.put_many("s", vec![(longest.clone(), Some(largest.clone()))]).await.unwrap();
    assert_eq!(value(&keys, "s", &longest).await, Some(largest));
    let more = Bytes::from(vec![7; MAX_VALUE_BYTES + 1]);
    for (key, value) in [("k".repeat(MAX_KEY_BYTES + 1), Bytes::new()), ("a".to_owned(), more)] {
        let absent = keys.swap("s", &key, 0, value.clone()).await;
        assert!(matches!(absent, Err(KeyValueError::TooLarge(_))), "swap {}", key.len());
        let put = keys.put_many("s", vec![(key.clone(), Some(value))]).await;
        assert!(matches!(put, Err(KeyValueError::TooLarge(_))), "put {}", key.len());
    }
    let counted = keys.increment("s", &"k".repeat(MAX_KEY_BYTES + 1), 1).await;
    assert!(matches!(counted, Err(KeyValueError::TooLarge(_))));
}

/// The rules of the stores under test that know an age.
#[must_use]
pub fn ageing() -> Expiries {
    vec![Expiry { store: "s".into(), prefix: "aged/".into(), after: Duration::from_secs(1) }].into()
}

/// What was not written for long goes; what was written again, or is under no rule, stays. What went is absent for
/// whoever has read it before, too.
pub async fn lets_values_go_by_age(keys: Keys) {
    put(&keys, "aged/a", "1").await;
    let seen = revision(&keys, "aged/a").await;
    keys.put_many("other", vec![("aged/a".to_owned(), Some("1".into()))]).await.unwrap();
    put(&keys, "stays", "1").await;
    let late = Instant::now() + Duration::from_secs(20);
    while value(&keys, "s", "aged/a").await.is_some() {
        assert!(Instant::now() < late, "it did not go");
        put(&keys, "aged/b", "1").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let listed = keys.list_keys("s", None, 10).await.unwrap().keys;
    assert_eq!(listed, ["aged/b", "stays"]);
    assert_eq!(value(&keys, "other", "aged/a").await, Some("1".into()));
    assert_eq!(swap(&keys, "aged/a", seen, "2").await.unwrap_err().value, None);
    let absent = revision(&keys, "aged/a").await;
    assert!(swap(&keys, "aged/a", absent, "2").await.unwrap() > seen);
    while value(&keys, "s", "aged/b").await.is_some() {
        assert!(Instant::now() < late, "it did not go once it was left alone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A key of one store is none of another.
pub async fn keeps_stores_apart(keys: Keys) {
    put(&keys, "a", "1").await;
    assert_eq!(value(&keys, "other", "a").await, None);
    assert_eq!(keys.list_keys("other", None, 10).await.unwrap().keys, Vec::<String>::new());
    keys.increment("other", "a", 7).await.unwrap();
    keys.put_many("third", vec![("a".to_owned(), None)]).await.unwrap();
    assert_eq!(value(&keys, "s", "a").await, Some("1".into()));
    assert_eq!(value(&keys, "other", "a").await, Some("7".into()));
}

#[cfg(test)]
mod tests {
    use super::super::embedded::EmbeddedKeyValue;
    use super::super::nats::tests::{in_nats, in_nats_asking_the_leader};
    use super::super::simulated::SimulatedKeyValue;
    use super::*;
    use crate::bus::simulated::Faults;
    use crate::clock::SystemClock;
    use crate::store::{Store, StoreOptions};

    macro_rules! suite {
        ($open:ident: $($name:ident),+ $(,)?) => {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (keys, _kept) = super::$open();
                super::super::$name(keys).await;
            }
        )+};
    }

    macro_rules! adapter {
        ($module:ident, $open:ident) => {
            mod $module {
                suite!($open: reads_what_was_written, writes_and_deletes_in_one_step, refuses_a_step_as_a_whole,
                    swaps_on_the_revision_read, creates_once_under_a_race, loses_no_swap_under_a_race,
                    never_repeats_a_revision, increments_decimal_integers, lists_keys_page_by_page,
                    refuses_what_is_too_large, keeps_stores_apart);
            }
        };
    }

    // The simulated store keeps everything, as a store may that knows no age.
    mod embedded_ageing {
        suite!(in_a_file: lets_values_go_by_age);
    }
    mod embedded_without_cache_ageing {
        suite!(in_a_file_without_cache: lets_values_go_by_age);
    }
    mod nats_ageing {
        suite!(in_nats: lets_values_go_by_age);
    }

    adapter!(embedded, in_a_file);
    adapter!(embedded_without_cache, in_a_file_without_cache);
    adapter!(simulated, in_memory);
    adapter!(nats, in_nats);
    adapter!(nats_asking_the_leader, in_nats_asking_the_leader);

    fn open(cache: usize) -> (Keys, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions::new(Arc::<SystemClock>::default(), vec![]);
        let options = StoreOptions { value_cache_bytes: cache, expiries: ageing(), ..options };
        let store = Store::open(directory.path(), options).unwrap();
        (Arc::new(EmbeddedKeyValue::new(store)), directory)
    }

    fn in_a_file() -> (Keys, tempfile::TempDir) {
        open(1 << 20)
    }

    fn in_a_file_without_cache() -> (Keys, tempfile::TempDir) {
        open(0)
    }

    fn in_memory() -> (Keys, ()) {
        (Arc::new(SimulatedKeyValue::new(Faults::default())), ())
    }
}
