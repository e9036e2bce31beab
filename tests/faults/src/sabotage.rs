//! What a preloaded host is to suffer, from now on or at its next start: files that the library looks for.

use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// Something that goes wrong while it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ill {
    /// The disk is full: writes to the database and its log fail, the first with a part of it written.
    Full,
    /// The next sync of the log fails.
    LogSync,
    /// The next sync of the database fails.
    DatabaseSync,
    /// Nothing in the state directory can be opened to be written.
    ReadOnly,
    /// The database and its log cannot be opened to be written.
    ReadOnlyDatabase,
    /// The process ends before the call of a commit that has this number.
    KillAt(u32),
    /// The clock is off by so many seconds.
    Clock(i64),
}

/// The folder of these files.
#[derive(Debug)]
pub struct Sabotage {
    folder: PathBuf,
}

impl Sabotage {
    /// In a folder of its own, which is made.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn in_folder(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// The environment that makes a preloaded process look.
    #[must_use]
    pub fn environment(&self) -> (String, String) {
        ("A4CO_FAULTS".to_owned(), self.folder.display().to_string())
    }

    /// It goes wrong from now on.
    ///
    /// # Errors
    /// Where that cannot be told.
    pub fn begin(&self, ill: Ill) -> Result<()> {
        // Renamed to, so that nobody reads half of it.
        let (file, partial) = (self.folder.join(ill.file()), self.folder.join("partial"));
        std::fs::write(&partial, ill.number().to_string())?;
        std::fs::rename(&partial, &file).with_context(|| file.display().to_string())
    }

    /// It does not go wrong any more.
    ///
    /// # Errors
    /// Where that cannot be told.
    pub fn end(&self, ill: Ill) -> Result<()> {
        match std::fs::remove_file(self.folder.join(ill.file())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Ill {
    fn file(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::LogSync => "fail-sync-wal",
            Self::DatabaseSync => "fail-sync-db",
            Self::ReadOnly => "read-only",
            Self::ReadOnlyDatabase => "read-only-db",
            Self::KillAt(_) => "kill-at",
            Self::Clock(_) => "clock",
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::KillAt(number) => number.into(),
            Self::Clock(seconds) => seconds,
            _ => 0,
        }
    }
}
