//! Copies of the database: taken while the store runs, put back while it does not.

use super::lock::DirectoryLock;
use super::{DATABASE, Store, StoreError, schema};
use crate::durability::Durability as _;
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
        self.durable(self.latest()).await;
        let (file, to) = (self.inner.file.clone(), destination.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy(&file, &to)).await;
        copied.map_err(|_| StoreError::Closed)?
    }
}

/// One read transaction sees one instant; the copy is compact and marked as cleanly ended.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let wrap = |source| StoreError::database(to, source);
    let path = to.to_str().ok_or_else(|| {
        StoreError::file(to, std::io::Error::new(std::io::ErrorKind::InvalidFilename, "the path is not UTF-8"))
    })?;
    let source = schema::open_reader(from).map_err(|source| StoreError::database(from, source))?;
    source.execute_batch("PRAGMA query_only=0").map_err(wrap)?;
    source.execute("VACUUM INTO ?1", [path]).map_err(wrap)?;
    let copied = Connection::open(to).map_err(wrap)?;
    schema::set_meta(&copied, "clean", 1).map_err(wrap)?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(|source| StoreError::file(to, source))
}

/// Puts a copy into a state directory that has no database and no running process.
///
/// # Errors
/// Where the copy is damaged or of another format, the directory is in use, or has a database already.
pub fn restore(backup: &Path, directory: &Path) -> Result<(), StoreError> {
    let checked = Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let checked = checked.map_err(|source| StoreError::database(backup, source))?;
    schema::check_format(&checked, backup)?;
    schema::check_whole(&checked, backup)?;
    drop(checked);
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
    let partial = directory.join("a4co.db.partial");
    std::fs::copy(backup, &partial).map_err(|source| StoreError::file(&partial, source))?;
    let synced = std::fs::File::open(&partial).and_then(|copied| copied.sync_all());
    synced.map_err(|source| StoreError::file(&partial, source))?;
    std::fs::rename(&partial, &file).map_err(|source| StoreError::file(&file, source))?;
    let synced = std::fs::File::open(directory).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::file(directory, source))
}
