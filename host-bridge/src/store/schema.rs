//! The database file: its tables, its format number, how connections are set up.

use super::error::StoreError;
use super::{header, upcast, wal};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};

/// `PRAGMA user_version`: changes with every change of the file that this program, or the one before, could not read. 2 is
/// the tables of 1 in pages with checksums.
pub(super) const FORMAT: u32 = 2;
/// `PRAGMA application_id`: the letters `A4CO`.
pub(super) const APPLICATION: u32 = 0x4134_434f;
/// At a start the whole file is checked up to this size, in bytes; above it a check would delay the start, and a page is
/// checked when it is read.
const CHECKED_BYTES: u64 = 256 << 20;
/// Pages in the write-ahead log before they are moved into the database: more coalesces rewrites of hot pages.
const CHECKPOINT_PAGES: u32 = 4000;

// An event table per stream keeps appending at one edge of one tree. A key-value row is found by its row id, which
// memory knows, so that rewriting a value touches neither the index nor distant pages.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, incarnation INTEGER NOT NULL,
  settings TEXT NOT NULL, last INTEGER NOT NULL);
CREATE TABLE consumers (id INTEGER PRIMARY KEY, component TEXT NOT NULL, stream INTEGER NOT NULL, filters TEXT NOT NULL,
  paused INTEGER NOT NULL, cursor INTEGER NOT NULL, pending BLOB NOT NULL);
CREATE TABLE stores (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE kv (id INTEGER PRIMARY KEY, store INTEGER NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL,
  value BLOB NOT NULL);
CREATE UNIQUE INDEX kv_keys ON kv (store, key);
CREATE TABLE timers (id INTEGER PRIMARY KEY, key BLOB NOT NULL, cause INTEGER NOT NULL, fire_at INTEGER NOT NULL,
  set_at INTEGER NOT NULL);
CREATE TABLE timer_events (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, aggregate_version INTEGER, traceparent TEXT,
  body BLOB NOT NULL);
CREATE TABLE tombstones (minute INTEGER NOT NULL, part INTEGER NOT NULL, hashes BLOB NOT NULL,
  PRIMARY KEY (minute, part)) WITHOUT ROWID;
CREATE TABLE dead_letters (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, component TEXT NOT NULL,
  stream TEXT NOT NULL, sequence INTEGER NOT NULL, replay INTEGER NOT NULL, died_at INTEGER NOT NULL,
  cause TEXT NOT NULL, subject TEXT NOT NULL, aggregate_version INTEGER, traceparent TEXT, body BLOB NOT NULL);
CREATE TABLE replays (sequence INTEGER PRIMARY KEY, consumer INTEGER NOT NULL, origin INTEGER NOT NULL,
  replay INTEGER NOT NULL, subject TEXT NOT NULL, aggregate_version INTEGER, traceparent TEXT, body BLOB NOT NULL);
";

// Added later than the format's number: an older program does not know it and leaves its values be.
const ADDED: &str = "CREATE TABLE IF NOT EXISTS expiries (at INTEGER NOT NULL, id INTEGER NOT NULL,
  revision INTEGER NOT NULL, PRIMARY KEY (at, id, revision)) WITHOUT ROWID";

/// The tables of one stream. The index leads with a block number, so that new entries fall into few pages; a search
/// probes every block.
pub(crate) fn stream_tables(id: u32) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS events_{id} (sequence INTEGER PRIMARY KEY, position INTEGER NOT NULL,
           published_at INTEGER NOT NULL, event_id BLOB, correlation INTEGER NOT NULL, subject TEXT NOT NULL,
           aggregate_version INTEGER, traceparent TEXT, body BLOB NOT NULL);
         CREATE INDEX IF NOT EXISTS events_{id}_correlations ON events_{id} (sequence >> 10, correlation);"
    )
}

/// The writer's connection to an existing or new database, and whether the last end was clean. From here on the
/// database counts as in use. A file that is refused is left as it is.
///
/// # Errors
/// Where the file cannot be used, is damaged, or is of another format.
pub(crate) fn open(file: &Path) -> Result<(Connection, bool), StoreError> {
    let wrap = |source| StoreError::database(file, source);
    if !file.exists() {
        create(file)?;
    }
    let format = header::format_of(file)?;
    wal::check(file)?;
    wal::write_anew(file)?;
    if format == header::UNCHECKED {
        upcast::upcast(file)?;
    }
    let connection = open_checked(file).map_err(wrap)?;
    // Until it is known to be whole, the end of this connection may change nothing.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(wrap)?;
    check_format(&connection, file)?;
    if std::fs::metadata(file).is_ok_and(|data| data.len() <= CHECKED_BYTES) {
        check_whole(&connection, file)?;
    }
    let pragmas =
        format!("PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}; PRAGMA cache_size=-16000; PRAGMA temp_store=2");
    connection.execute_batch(&pragmas).map_err(wrap)?;
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").map_err(wrap)?;
    connection.set_prepared_statement_cache_capacity(128);
    let clean = meta(&connection, "clean").map_err(wrap)? == 1;
    // An empty log from here on: what is read comes from checked pages.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(wrap)?;
    connection.execute_batch(ADDED).map_err(wrap)?;
    set_meta(&connection, "clean", 0).map_err(wrap)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(wrap)?;
    Ok((connection, clean))
}

/// A connection that only reads.
pub(crate) fn open_reader(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = checked_pages::open(file, flags)?;
    connection.execute_batch("PRAGMA query_only=1; PRAGMA cache_size=-2000")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// A connection to a database that is there, whose pages are checked.
pub(super) fn open_checked(file: &Path) -> rusqlite::Result<Connection> {
    checked_pages::open(file, OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE)
}

/// Makes a new database beside its place and puts it there once it is whole: a file that is there and empty was cut.
fn create(file: &Path) -> Result<(), StoreError> {
    let partial = partial(file)?;
    let wrap = |source| StoreError::database(&partial, source);
    let connection = checked_pages::open(&partial, OpenFlags::default()).map_err(wrap)?;
    checked_pages::reserve(&connection).map_err(wrap)?;
    let tables = format!(
        "PRAGMA auto_vacuum=INCREMENTAL; BEGIN; PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; {TABLES}
         INSERT INTO meta VALUES ('clean', 1), ('tick', 0); COMMIT; {ADDED}; PRAGMA journal_mode=WAL"
    );
    connection.execute_batch(&tables).map_err(wrap)?;
    drop(connection);
    put_in_place(&partial, file)
}

/// Where a database is made until it is whole. What an earlier try left there goes.
pub(super) fn partial(file: &Path) -> Result<PathBuf, StoreError> {
    let partial = file.with_extension("db.partial");
    for leftover in ["db.partial", "db.partial-journal", "db.partial-wal", "db.partial-shm"] {
        let leftover = file.with_extension(leftover);
        if leftover.exists() {
            std::fs::remove_file(&leftover).map_err(|source| StoreError::file(&leftover, source))?;
        }
    }
    Ok(partial)
}

/// Renames a database that is whole, and on disk from then on.
pub(super) fn put_in_place(partial: &Path, file: &Path) -> Result<(), StoreError> {
    let synced = File::open(partial).and_then(|whole| whole.sync_all());
    synced.map_err(|source| StoreError::file(partial, source))?;
    std::fs::rename(partial, file).map_err(|source| StoreError::file(file, source))?;
    let folder = file.parent().unwrap_or(file);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::file(folder, source))
}

/// A path that SQLite cannot be told.
pub(super) fn not_utf8(path: &Path) -> StoreError {
    StoreError::file(path, std::io::Error::new(std::io::ErrorKind::InvalidFilename, "the path is not UTF-8"))
}

/// Fails on a file of another version or another program.
pub(crate) fn check_format(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let read = |pragma: &str| {
        let value = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
        value.map_err(|source| StoreError::database(file, source))
    };
    let (application, format) = (read("application_id")?, read("user_version")?);
    if (application, format) == (i64::from(APPLICATION), i64::from(FORMAT)) {
        return Ok(());
    }
    let found =
        if application == i64::from(APPLICATION) { format.to_string() } else { "of another program".to_owned() };
    Err(StoreError::Format { file: file.to_owned(), found, expected: FORMAT.to_string() })
}

/// Reads the whole file and fails on damage.
pub(crate) fn check_whole(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found.map_err(|source| StoreError::database(file, source))? {
        text if text == "ok" => Ok(()),
        detail => Err(StoreError::Corrupt { file: file.to_owned(), detail }),
    }
}

/// A number of the `meta` table; 0 where it is absent.
pub(crate) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    use rusqlite::OptionalExtension as _;
    let found = connection.query_row("SELECT value FROM meta WHERE name=?1", [name], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(0))
}

/// Sets a number of the `meta` table.
pub(crate) fn set_meta(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    statement.execute((name, value)).map(|_| ())
}
