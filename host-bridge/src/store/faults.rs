//! Faults that tests put into a store: held commits, failed commits, a full disk.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

/// What is told when a commit fails, instead of ending the process.
pub type CommitFailed = Arc<dyn Fn(&str) + Send + Sync>;

/// Shared between a test and the store it opened. The default injects nothing.
#[derive(Default)]
pub struct Faults {
    held: Mutex<bool>,
    released: Condvar,
    failing: Mutex<bool>,
    full: Mutex<bool>,
    commit_failed: Mutex<Option<CommitFailed>>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("held", &*self.held.lock()).finish_non_exhaustive()
    }
}

impl Faults {
    /// Holds every commit from the next on, with its rows written and not committed.
    pub fn hold_commits(&self) {
        *self.held.lock() = true;
    }

    /// Lets commits go on.
    pub fn release_commits(&self) {
        *self.held.lock() = false;
        self.released.notify_all();
    }

    /// Makes the next commit fail, and calls `told` with the message instead of ending the process.
    pub fn fail_commits(&self, told: CommitFailed) {
        *self.failing.lock() = true;
        *self.commit_failed.lock() = Some(told);
    }

    /// Lets the disk be full from here on, or not any more.
    pub fn fill_disk(&self, full: bool) {
        *self.full.lock() = full;
    }

    pub(super) fn before_commit(&self) -> rusqlite::Result<()> {
        let mut held = self.held.lock();
        while *held {
            self.released.wait(&mut held);
        }
        let code = match (*self.full.lock(), *self.failing.lock()) {
            (true, _) => rusqlite::ffi::SQLITE_FULL,
            (_, true) => rusqlite::ffi::SQLITE_IOERR,
            _ => return Ok(()),
        };
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some("injected".to_owned())))
    }

    /// Ends the process, or tells the test that asked to be told.
    pub(super) fn commit_failed(&self, message: &str) {
        let hook = self.commit_failed.lock().clone();
        match hook {
            Some(told) => told(message),
            None => {
                tracing::error!("{message}");
                eprintln!("{message}");
                std::process::abort();
            }
        }
    }
}
