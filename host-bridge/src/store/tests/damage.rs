//! Damage at rest: of what was promised nothing may be missing or changed without a word, in the database as in its log.

use super::*;

const FILES: [&str; 3] = [DATABASE, "a4co.db-wal", "a4co.db-shm"];
const EVENTS: u64 = 60;

/// The files as a killed process leaves them: part of what was promised in the database, part in the log.
struct Killed {
    bench: Bench,
    files: Vec<Vec<u8>>,
}

impl Killed {
    async fn after_work() -> Self {
        let bench = Bench::new();
        let store = bench.open();
        for number in 0..EVENTS / 2 {
            bus(&store).publish(event(&number.to_string())).await.unwrap();
        }
        store.close();
        let store = bench.open();
        for number in EVENTS / 2..EVENTS {
            bus(&store).publish(event(&number.to_string())).await.unwrap();
            // One transaction each.
            flush(&store).await;
        }
        let files = FILES.map(|name| std::fs::read(bench.path().join(name)).unwrap()).to_vec();
        drop(store);
        Self { bench, files }
    }

    fn lay(&self, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<Vec<u8>> {
        let mut files = self.files.clone();
        change(&mut files);
        for (name, bytes) in FILES.iter().zip(&files) {
            std::fs::write(self.bench.path().join(name), bytes).unwrap();
        }
        files
    }

    /// Opens what was laid: refused with all files as they were, or whole.
    async fn refused_or_whole(&self, files: &[Vec<u8>], what: &str) -> bool {
        match Store::open(self.bench.path(), self.bench.options()) {
            Err(StoreError::Corrupt { .. }) => {
                for (name, bytes) in FILES.iter().zip(files).take(2) {
                    let now = std::fs::read(self.bench.path().join(name)).unwrap();
                    assert!(now == *bytes, "{what}: {name} was changed, {} bytes are {}", bytes.len(), now.len());
                }
                true
            }
            Err(other) => panic!("{what}: {other}"),
            Ok(store) => {
                assert_eq!(store.look(|state| state.log.streams[0].last), EVENTS, "{what}");
                let events = take(&consumer(&store).await, EVENTS as usize).await;
                assert!(events.iter().zip(0..).all(|(one, id)| one.event.id() == Some(&id.to_string())), "{what}");
                false
            }
        }
    }
}

/// So many places spread over a file.
fn places(length: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |number| (number * length / count + number * 37) % length)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_leaves_is_whole() {
    let killed = Killed::after_work().await;
    assert!(killed.files[1].len() > 50 * 4_096, "{}", killed.files[1].len());
    let files = killed.lay(|_| {});
    assert!(!killed.refused_or_whole(&files, "untouched").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flipped_in_the_database_is_never_believed() {
    let killed = Killed::after_work().await;
    let mut refused = 0;
    for place in places(killed.files[0].len(), 150) {
        let files = killed.lay(|files| files[0][place] ^= 1 << (place % 8));
        refused += usize::from(killed.refused_or_whole(&files, &format!("database, byte {place}")).await);
    }
    // In a page that the log has anew it does no harm.
    assert!(refused > 50, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flipped_in_the_log_is_never_believed() {
    let killed = Killed::after_work().await;
    for place in places(killed.files[1].len(), 100) {
        let files = killed.lay(|files| files[1][place] ^= 1 << (place % 8));
        assert!(killed.refused_or_whole(&files, &format!("log, byte {place}")).await, "log, byte {place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_index_only_the_end_of_the_log_may_go_unnoticed() {
    let killed = Killed::after_work().await;
    let end = killed.files[1].len() * 3 / 4;
    for place in places(end, 40) {
        let files = killed.lay(|files| {
            files[1][place] ^= 1 << (place % 8);
            files[2].clear();
        });
        assert!(killed.refused_or_whole(&files, &format!("log, byte {place}")).await, "log, byte {place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_cut_is_refused() {
    let killed = Killed::after_work().await;
    for file in 0..2 {
        for length in places(killed.files[file].len(), 25) {
            let files = killed.lay(|files| files[file].truncate(length));
            let what = format!("{} cut to {length}", FILES[file]);
            let refused = killed.refused_or_whole(&files, &what).await;
            assert!(refused || file == 0, "{what}");
        }
    }
}

/// A database as the format before this one had it: the same tables, in pages without checksums.
fn of_the_old_format(from: &Path, to: &Path) {
    let old = rusqlite::Connection::open(to).unwrap();
    old.execute_batch("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL").unwrap();
    let source = format!("file:{}?vfs={}", from.display(), checked_pages::NAME.to_string_lossy());
    old.execute("ATTACH ?1 AS source", [source]).unwrap();
    let mut select = old.prepare("SELECT name, sql FROM source.sqlite_schema WHERE sql IS NOT NULL").unwrap();
    let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    for (name, sql) in rows.collect::<rusqlite::Result<Vec<_>>>().unwrap() {
        old.execute_batch(&sql).unwrap();
        if sql.starts_with("CREATE TABLE") {
            old.execute_batch(&format!("INSERT INTO main.{name} SELECT * FROM source.{name}")).unwrap();
        }
    }
    old.execute_batch(&format!("PRAGMA application_id={}; PRAGMA user_version=1", schema::APPLICATION)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_checksums_gets_them() {
    let (new, old) = (Bench::new(), Bench::new());
    let store = new.open();
    bus(&store).publish(event("kept")).await.unwrap();
    keys(&store).increment("s", "sum", 7).await.unwrap();
    store.close();
    of_the_old_format(&new.path().join(DATABASE), &old.path().join(DATABASE));
    assert_eq!(header::format_of(&old.path().join(DATABASE)).unwrap(), header::UNCHECKED);
    let copy = old.path().join("copy.db");
    std::fs::copy(old.path().join(DATABASE), &copy).unwrap();
    for again in 0..2 {
        let store = old.open();
        assert_eq!(header::format_of(&old.path().join(DATABASE)).unwrap(), schema::FORMAT, "{again}");
        assert_eq!(take(&consumer(&store).await, 1).await[0].event.id(), Some("kept"));
        assert_eq!(keys(&store).get("s", "sum").await.unwrap().value.unwrap(), "7");
        store.close();
    }
    // A backup from then can be put back now.
    let other = Bench::new();
    restore(&copy, other.path()).unwrap();
    assert_eq!(keys(&other.open()).get("s", "sum").await.unwrap().value.unwrap(), "7");
}
