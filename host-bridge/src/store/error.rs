//! Why a state directory could not be opened, backed up or restored: each message says what to do.

use crate::durability::Stalled;
use std::path::{Path, PathBuf};

/// Why the store did not open, copy or close.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process owns the directory.
    #[error(
        "the state directory {} is in use by {}: stop that process, or choose another directory with --state-dir",
        .directory.display(),
        .holder.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
    )]
    Locked {
        /// The state directory.
        directory: PathBuf,
        /// The process that holds it, where it said so.
        holder: Option<u32>,
    },
    /// The file belongs to another version of this program, or to another program.
    #[error(
        "{} has format {found}, this program reads format {expected}: \
         run the version that wrote it, or move the file away to start empty", .file.display()
    )]
    Format {
        /// The database.
        file: PathBuf,
        /// What it says it is.
        found: String,
        /// What this program writes.
        expected: String,
    },
    /// The file is damaged.
    #[error(
        "{} is damaged ({detail}): restore a backup with `a4co restore`, or move the file away to start empty",
        .file.display()
    )]
    Corrupt {
        /// The database.
        file: PathBuf,
        /// What was found.
        detail: String,
    },
    /// There is no room left.
    #[error("there is no room for {} ({source}): make room on its disk, then start again", .path.display())]
    Full {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operating system refuses access.
    #[error("no permission to use {} ({source}): give this user read and write access to it", .path.display())]
    Permission {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file operation failed for another reason.
    #[error("could not use {}: {source}", .path.display())]
    File {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something is where a copy should go.
    #[error("{} exists already: choose another place, or move it away", .0.display())]
    Exists(PathBuf),
    /// SQLite failed in a way that is none of the above.
    #[error("the database {} failed: {source}: check the health of its disk, then start again", .file.display())]
    Database {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Nothing can be written now.
    #[error(transparent)]
    Stalled(#[from] Stalled),
    /// The store was closed, or its writer has ended.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A file error, told apart by what the user can do about it.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { path, source }
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::File { path, source },
        }
    }

    /// A SQLite error, told apart by what the user can do about it.
    pub(crate) fn database(file: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let said = |kind| std::io::Error::new(kind, source.to_string());
        match source.sqlite_error_code() {
            _ if checked_pages::is_damage(&source) => {
                Self::Corrupt { file: file.to_owned(), detail: "a page of it is not what was written".to_owned() }
            }
            Some(Code::DiskFull) => Self::Full { path: file.to_owned(), source: said(std::io::ErrorKind::StorageFull) },
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Self::Corrupt { file: file.to_owned(), detail: source.to_string() }
            }
            Some(Code::PermissionDenied | Code::ReadOnly | Code::CannotOpen) => {
                Self::Permission { path: file.to_owned(), source: said(std::io::ErrorKind::PermissionDenied) }
            }
            _ => Self::Database { file: file.to_owned(), source },
        }
    }
}
