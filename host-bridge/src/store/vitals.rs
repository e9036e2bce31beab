//! What a store notes of itself for whoever looks at it after its death: a test of crashes, or a diagnosis.
//!
//! Written into the system's page cache with every change, without a flush: it outlives `kill -9`, and no power failure.
//! Off unless it is asked for; each note costs a system call under the store's lock.

use super::StoreError;
use super::state::State;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Hand-outs to handlers in this life, and how many of them came back with a verdict.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct HandOuts {
    pub out: u64,
    pub back: u64,
}

/// The file: four little-endian `u64`, namely the latest change, the latest change on disk, hand-outs, hand-outs with a
/// verdict. The store's lock keeps its notes in order.
#[derive(Debug)]
pub(super) struct Vitals {
    file: File,
}

impl Vitals {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        File::create(path).map(|file| Self { file }).map_err(|source| StoreError::file(path, source))
    }

    /// Notes how the store is now.
    pub(super) fn note(&self, state: &State) {
        let signs = [state.tick, state.durable, state.hand_outs.out, state.hand_outs.back];
        let mut bytes = [0; 32];
        for (place, sign) in bytes.chunks_exact_mut(8).zip(signs) {
            place.copy_from_slice(&sign.to_le_bytes());
        }
        // Who reads it sees that nothing moves; the store's own work does not depend on it.
        let _unseen = self.file.write_all_at(&bytes, 0);
    }
}
