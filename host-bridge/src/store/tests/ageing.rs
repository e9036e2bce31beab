//! Values that go by age: over crashes, and beside those who use them.

use super::*;
use crate::keyvalue::{Entry, Expiry, Swap};

const AGE: Duration = Duration::from_secs(60);

fn open(bench: &Bench, value_cache_bytes: usize) -> Arc<Store> {
    let expiries = vec![Expiry { store: "s".into(), prefix: "aged/".into(), after: AGE }].into();
    Store::open(bench.path(), StoreOptions { expiries, value_cache_bytes, ..bench.options() }).unwrap()
}

async fn put(store: &Arc<Store>, key: &str) {
    let writes = vec![(key.to_owned(), Some("v".into()))];
    EmbeddedKeyValue::new(store.clone()).put_many("s", writes).await.unwrap();
}

async fn get(store: &Arc<Store>, key: &str) -> Entry {
    EmbeddedKeyValue::new(store.clone()).get("s", key).await.unwrap()
}

fn rows(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store.read(|connection| connection.query_row(&sql, [], |row| row.get(0))).unwrap()
}

/// Makes the writer look again until `is_there` holds.
async fn until(bench: &Bench, store: &Store, what: &str, is_there: impl Fn() -> bool) {
    let late = tokio::time::Instant::now() + DEADLINE;
    while !is_there() {
        assert!(tokio::time::Instant::now() < late, "{what} did not come");
        bench.clock.advance(Duration::from_millis(1_000));
        store.change(|state| state.advance());
        flush(store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_before_a_crash_goes_after_it() {
    let bench = Bench::new();
    let store = open(&bench, 1 << 20);
    for number in 0..1_200 {
        put(&store, &format!("aged/{number}")).await;
    }
    put(&store, "kept").await;
    flush(&store).await;
    store.crash();
    bench.clock.advance(AGE);
    // What went in a batch that no disk saw is there again, with its notes.
    let store = open(&bench, 1 << 20);
    until(&bench, &store, "the end of some", || rows(&store, "kv") < 1_201).await;
    store.crash();
    let store = open(&bench, 1 << 20);
    until(&bench, &store, "the end of all", || rows(&store, "kv") == 1).await;
    until(&bench, &store, "the end of the notes", || rows(&store, "expiries") == 0).await;
    assert_eq!(get(&store, "aged/7").await, Entry::absent());
    assert!(get(&store, "kept").await.value.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_write_prolongs_and_its_reader_is_not_cheated() {
    let bench = Bench::new();
    // Without a cache, what is on disk is forgotten at once: the writer must take its row from there.
    for cache in [1 << 20, 0] {
        let store = open(&bench, cache);
        let keys = EmbeddedKeyValue::new(store.clone());
        put(&store, "aged/a").await;
        put(&store, "aged/b").await;
        flush(&store).await;
        bench.clock.advance(AGE / 2);
        put(&store, "aged/b").await;
        flush(&store).await;
        let seen = get(&store, "aged/b").await.revision;
        bench.clock.advance(AGE / 2);
        until(&bench, &store, "the end of the first", || rows(&store, "kv") == 1).await;
        let gone = get(&store, "aged/a").await;
        assert_eq!((gone.value, gone.revision), (None, 0));
        let swapped = keys.swap("s", "aged/b", seen, "w".into()).await.unwrap();
        assert!(matches!(swapped, Swap::Done { .. }), "{swapped:?}");
        bench.clock.advance(AGE);
        until(&bench, &store, "the end of all", || rows(&store, "kv") == 0 && rows(&store, "expiries") == 0).await;
        store.close();
    }
}
