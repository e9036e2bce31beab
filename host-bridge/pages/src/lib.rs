//! SQLite databases whose every page carries a checksum, made when it is written and compared when it is read: a bit that
//! flips on the disk is an error, never an answer.
//!
//! SQLite leaves [`RESERVED`] bytes at the end of each page to us. A virtual file system, [`NAME`], stands before the
//! system's own and fills them. What it does not see: the write-ahead log, whose frames SQLite sums itself and compares
//! after a crash, not at each read; and pages that nobody reads.

mod page;
mod vfs;

pub use vfs::{NAME, register};

use rusqlite::{Connection, OpenFlags, ffi};
use std::ffi::c_int;
use std::path::Path;

/// Bytes at the end of each page that are the checksum's.
pub const RESERVED: u8 = 4;

/// Opens a database whose pages are checked. With leave to create it in `flags` it may be in the making: then a page past
/// the end of the file is an empty one, else it is damage.
///
/// # Errors
/// What SQLite says.
pub fn open(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    register()?;
    Connection::open_with_flags_and_vfs(file, flags, NAME)
}

/// Makes whatever is created on this connection leave room for checksums: a new database before its first table, or the
/// copy that `VACUUM INTO` makes of one that has none.
///
/// # Errors
/// What SQLite says.
#[expect(unsafe_code, reason = "the setting has no SQL")]
pub fn reserve(connection: &Connection) -> rusqlite::Result<()> {
    let mut reserved = c_int::from(RESERVED);
    let told = (&raw mut reserved).cast();
    // SAFETY: the handle is an open connection's, the name ends in a zero, and the operation takes a pointer to an `int`.
    let code = unsafe {
        ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), ffi::SQLITE_FCNTL_RESERVE_BYTES, told)
    };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// Whether a page, the first of which has the number 0, is what was written there.
#[must_use]
pub fn is_sound(number: u64, bytes: &[u8]) -> bool {
    page::Page::numbered(number).is_sound(bytes)
}

/// Whether an error says that a page is not what was written.
#[must_use]
pub fn is_damage(error: &rusqlite::Error) -> bool {
    let damage = [ffi::SQLITE_IOERR_DATA, ffi::SQLITE_IOERR_CORRUPTFS];
    error.sqlite_error().is_some_and(|error| damage.contains(&error.extended_code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const PAGE: usize = 4_096;

    struct Bench {
        folder: tempfile::TempDir,
    }

    impl Bench {
        /// A database with all kinds of pages: trees of two levels, an index, long values.
        fn new() -> Self {
            let bench = Self { folder: tempfile::tempdir().unwrap() };
            let connection = bench.open();
            reserve(&connection).unwrap();
            connection
                .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
                .unwrap();
            connection.execute_batch("CREATE INDEX i ON t (v)").unwrap();
            for number in 0..400_i32 {
                let value = format!("{number}-{}", "x".repeat(if number % 50 == 0 { 20_000 } else { 90 }));
                connection.execute("INSERT INTO t VALUES (?1, ?2)", (number, value)).unwrap();
            }
            bench
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("t.db")
        }

        fn open(&self) -> Connection {
            open(&self.file(), OpenFlags::default()).unwrap()
        }

        /// What SQLite finds where it reads every page in use.
        fn check(&self) -> String {
            let found = open(&self.file(), OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
                connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
            });
            found.unwrap_or_else(|error| error.to_string())
        }

        fn sum(&self) -> rusqlite::Result<i64> {
            let connection = open(&self.file(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let all = "SELECT sum(length(v || '')) + (SELECT count(*) FROM t INDEXED BY i WHERE v > '') FROM t";
            connection.query_row(all, [], |row| row.get(0))
        }
    }

    #[test]
    fn a_flipped_bit_in_any_page_is_found_and_never_an_answer() {
        let bench = Bench::new();
        let (whole, sum) = (std::fs::read(bench.file()).unwrap(), bench.sum().unwrap());
        assert!(whole.len() > 30 * PAGE, "{}", whole.len());
        let mut met = 0;
        for page in 0..whole.len() / PAGE {
            let mut bytes = whole.clone();
            bytes[page * PAGE + (page * 997) % PAGE] ^= 1 << (page % 8);
            std::fs::write(bench.file(), &bytes).unwrap();
            match bench.sum() {
                Err(_) => met += 1,
                Ok(found) => assert_eq!(found, sum, "page {page} was believed"),
            }
            assert_ne!(bench.check(), "ok", "page {page}");
        }
        assert!(met > 20, "{met} damaged pages were read");
        std::fs::write(bench.file(), &whole).unwrap();
        assert_eq!((bench.sum().unwrap(), bench.check()), (sum, "ok".to_owned()));
    }

    #[test]
    fn a_page_in_the_place_of_another_is_an_error() {
        let bench = Bench::new();
        let mut bytes = std::fs::read(bench.file()).unwrap();
        let (from, to) = (10 * PAGE, 11 * PAGE);
        bytes.copy_within(from..from + PAGE, to);
        std::fs::write(bench.file(), &bytes).unwrap();
        assert!(is_damage(&bench.sum().unwrap_err()));
    }

    #[test]
    fn a_file_cut_short_is_an_error() {
        let bench = Bench::new();
        let length = std::fs::metadata(bench.file()).unwrap().len();
        std::fs::File::options().write(true).open(bench.file()).unwrap().set_len(length / 2).unwrap();
        assert!(bench.sum().is_err());
        let connection = open(&bench.file(), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        assert!(connection.execute("DELETE FROM t", []).is_err());
    }

    #[test]
    fn what_is_deleted_and_written_again_is_read() {
        let bench = Bench::new();
        let connection = bench.open();
        for round in 0..20 {
            connection.execute("DELETE FROM t WHERE id % 20 = ?1", [round]).unwrap();
            connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            let long = "y".repeat(9_000);
            connection.execute("INSERT INTO t VALUES (?1, ?2)", (1_000 + round, long)).unwrap();
        }
        drop(connection);
        assert_eq!(bench.check(), "ok");
        bench.sum().unwrap();
    }

    #[test]
    fn a_copy_is_checked_too() {
        let bench = Bench::new();
        let (sum, copy) = (bench.sum().unwrap(), bench.folder.path().join("copy.db"));
        bench.open().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        std::fs::rename(&copy, bench.file()).unwrap();
        assert_eq!(bench.sum().unwrap(), sum);
    }
}
