//! A database of the format before this one becomes one of this: the same tables, in pages with checksums.

use super::error::StoreError;
use super::schema;
use rusqlite::Connection;
use std::path::Path;

/// Writes `file` anew beside itself and puts that in its place: a death at any moment leaves one of the two whole.
pub(super) fn upcast(file: &Path) -> Result<(), StoreError> {
    let wrap = |source| StoreError::database(file, source);
    tracing::info!("{} gets checksums: it is written anew, once", file.display());
    let old = Connection::open(file).map_err(wrap)?;
    schema::check_whole(&old, file)?;
    old.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(wrap)?;
    let partial = schema::partial(file)?;
    let path = partial.to_str().ok_or_else(|| schema::not_utf8(&partial))?;
    let target = format!("file:{}?vfs={}", encoded(path), checked_pages::NAME.to_string_lossy());
    checked_pages::register().and_then(|()| checked_pages::reserve(&old)).map_err(wrap)?;
    old.execute("VACUUM INTO ?1", [target]).map_err(wrap)?;
    let new = schema::open_checked(&partial).map_err(wrap)?;
    new.execute_batch(&format!("PRAGMA user_version={}; PRAGMA journal_mode=WAL", schema::FORMAT)).map_err(wrap)?;
    schema::check_whole(&new, &partial)?;
    // The last one to close a database takes its log away.
    drop((new, old));
    schema::put_in_place(&partial, file)
}

/// A path in a URI.
fn encoded(path: &str) -> String {
    percent_encoding::utf8_percent_encode(path, percent_encoding::NON_ALPHANUMERIC).to_string()
}
