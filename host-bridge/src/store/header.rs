//! What a database file says of itself in its first bytes, read before SQLite opens it: SQLite makes an empty file a new
//! database, and one that was cut to nothing as well.

use super::error::StoreError;
use super::schema::{APPLICATION, FORMAT};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The format before pages had checksums.
pub(super) const UNCHECKED: u32 = 1;
/// What a database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Bytes of a page.
const PAGE: usize = 4_096;

/// Which format a file is of: [`FORMAT`] or [`UNCHECKED`].
///
/// # Errors
/// Where it cannot be read, is no database, or is another program's or another version's.
pub(super) fn format_of(file: &Path) -> Result<u32, StoreError> {
    let mut page = Vec::with_capacity(PAGE);
    let read = File::open(file).and_then(|open| open.take(PAGE as u64).read_to_end(&mut page));
    read.map_err(|source| StoreError::file(file, source))?;
    let corrupt = |detail: &str| Err(StoreError::Corrupt { file: file.to_owned(), detail: detail.to_owned() });
    if page.len() < PAGE {
        return corrupt("it is cut short");
    }
    if !page.starts_with(MAGIC) {
        return corrupt("it does not begin as a database does");
    }
    let number = |at: usize| {
        let bytes = page.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    };
    let (format, application, checked) = (number(60), number(68), page.get(20) != Some(&0));
    match (application == APPLICATION, format, checked) {
        (true, FORMAT, true) => return Ok(FORMAT),
        (true, UNCHECKED, false) => return Ok(UNCHECKED),
        _ => {}
    }
    // What it says may be what rotted.
    if checked && !checked_pages::is_sound(0, &page) {
        return corrupt("its first page is not what was written");
    }
    let found = if application == APPLICATION { format.to_string() } else { "of another program".to_owned() };
    Err(StoreError::Format { file: file.to_owned(), found, expected: FORMAT.to_string() })
}
