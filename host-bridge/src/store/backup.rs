//! Copies of the database: taken while the store runs, put back while it does not.

use super::lock::DirectoryLock;
use super::{DATABASE, Store, StoreError, header, schema};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

impl Store {
    /// Writes a consistent copy of everything that happened before the call to `destination`, while the store goes on.
    ///
    /// # Errors
    /// Where the destination exists or cannot be written.
    pub async fn backup(&self, destination: &Path) -> Result<(), StoreError> {
        if destination.exists() {
            return Err(StoreError::Exists(destination.to_owned()));
        }
        self.all_flushed().await?;
        let (file, to) = (self.inner.file.clone(), destination.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy(&file, &to)).await;
        copied.map_err(|_| StoreError::Closed)?
    }
}

/// One read transaction sees one instant; the copy is compact and marked as cleanly ended.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let wrap = |source| StoreError::database(to, source);
    let path = to.to_str().ok_or_else(|| schema::not_utf8(to))?;
    let source = schema::open_reader(from).map_err(|source| StoreError::database(from, source))?;
    source.execute_batch("PRAGMA query_only=0").map_err(wrap)?;
    source.execute("VACUUM INTO ?1", [path]).map_err(wrap)?;
    let copied = schema::open_checked(to).map_err(wrap)?;
    schema::set_meta(&copied, "clean", 1).map_err(wrap)?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(|source| StoreError::file(to, source))
}

/// Puts a copy into a state directory that has no database and no running process.
///
/// # Errors
/// Where the copy is damaged or of another format, the directory is in use, or has a database already.
pub fn restore(backup: &Path, directory: &Path) -> Result<(), StoreError> {
    check(backup)?;
    let _lock = DirectoryLock::take(directory)?;
    let file = directory.join(DATABASE);
    if file.exists() {
        return Err(StoreError::Exists(file));
    }
    for leftover in ["a4co.db-wal", "a4co.db-shm"].map(|name| directory.join(name)) {
        // Without its database a write-ahead log means nothing, beside another one it would be replayed into it.
        if leftover.exists() {
            std::fs::remove_file(&leftover).map_err(|source| StoreError::file(&leftover, source))?;
        }
    }
    // Copied beside and renamed, so that a torn copy never looks like a database.
    let partial = schema::partial(&file)?;
    std::fs::copy(backup, &partial).map_err(|source| StoreError::file(&partial, source))?;
    schema::put_in_place(&partial, &file)
}

/// Fails where a copy is damaged, or of a format that no start reads.
fn check(backup: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let opened = match header::format_of(backup)? {
        // From before pages had checksums: the next start adds them.
        header::UNCHECKED => Connection::open_with_flags(backup, flags),
        _ => checked_pages::open(backup, flags),
    };
    let opened = opened.map_err(|source| StoreError::database(backup, source))?;
    schema::check_whole(&opened, backup)
}
