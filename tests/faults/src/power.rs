//! A power failure after a kill: what the host has written and not synced is taken back, in whole or in part.
//!
//! The library `unsynced`, preloaded into the host, notes what each write of `a4co.db` and `a4co.db-wal` overwrote, and
//! each sync that has returned. What it shows: nothing that was promised lies only in the system's cache. What it does not:
//! a disk that lies about its syncs, and the loss of a file's name, since the files exist before the first kill.

use anyhow::{Context as _, Result};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A disk writes whole sectors, of this many bytes.
const SECTOR: usize = 512;
/// Bytes of a note's six numbers.
const HEAD: usize = 48;

/// How much of what was not synced the failure takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// All of it.
    LosesAll,
    /// Each sector by a toss of a coin: a disk writes in any order.
    LosesSectors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Write,
    Truncate,
    Synced,
    Held,
}

/// One note of the preloaded library.
#[derive(Debug, Clone)]
struct Record {
    kind: Kind,
    file: u64,
    offset: u64,
    length: u64,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// The notes of one life of the host.
#[derive(Debug, Clone)]
pub struct Unsynced {
    path: PathBuf,
}

impl Unsynced {
    /// Notes that are kept in this file.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The environment that makes a process keep them.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let library = artifacts::preloaded("unsynced");
        let text = |path: &Path| path.display().to_string();
        vec![("LD_PRELOAD".to_owned(), text(&library)), ("A4CO_UNSYNCED".to_owned(), text(&self.path))]
    }

    /// How many syncs were held back so far.
    ///
    /// # Errors
    /// Where the notes cannot be read.
    pub fn held(&self) -> Result<usize> {
        Ok(self.read()?.iter().filter(|record| record.kind == Kind::Held).count())
    }

    /// Takes back what was not synced when the host died, and forgets the notes; how many writes that were.
    ///
    /// # Errors
    /// Where the files cannot be changed.
    pub fn lose(&self, state: &Path, power: Power, choices: &mut fastrand::Rng) -> Result<usize> {
        let records = self.read()?;
        let mut lost = 0;
        for (number, name) in [(1, "a4co.db"), (2, "a4co.db-wal")] {
            let of_file: Vec<_> = records.iter().filter(|record| record.file == number).collect();
            let synced = of_file.iter().rposition(|record| record.kind == Kind::Synced).map_or(0, |place| place + 1);
            let unsynced: Vec<_> = of_file[synced..].iter().filter(|record| record.kind != Kind::Held).collect();
            if unsynced.is_empty() {
                continue;
            }
            let path = state.join(name);
            let file = OpenOptions::new().write(true).open(&path).with_context(|| path.display().to_string())?;
            for record in unsynced.iter().rev() {
                record.undo(&file)?;
            }
            for record in unsynced.iter().filter(|_| power == Power::LosesSectors) {
                record.redo_some(&file, choices)?;
            }
            lost += unsynced.len();
        }
        // The shared memory is never synced, and made anew.
        let _may_be_absent = std::fs::remove_file(state.join("a4co.db-shm"));
        // Emptied, not removed: a life may end before it has anything to note.
        File::create(&self.path)?;
        Ok(lost)
    }

    fn read(&self) -> Result<Vec<Record>> {
        let bytes = std::fs::read(&self.path)
            .with_context(|| format!("{}: was the library preloaded?", self.path.display()))?;
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        // The kill may have cut the last note short: the write it announces had not begun.
        while let Some(record) = Record::take(&mut rest) {
            records.push(record);
        }
        Ok(records)
    }
}

impl Record {
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let head = rest.split_off(..HEAD)?;
        let mut numbers = head.chunks_exact(8).filter_map(|part| Some(u64::from_le_bytes(part.try_into().ok()?)));
        let kind = match numbers.next()? {
            1 => Kind::Write,
            2 => Kind::Truncate,
            3 => Kind::Synced,
            4 => Kind::Held,
            _ => return None,
        };
        let (file, offset, length) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let (before, after) = (usize::try_from(numbers.next()?).ok()?, usize::try_from(numbers.next()?).ok()?);
        let (before, after) = (rest.split_off(..before)?.to_vec(), rest.split_off(..after)?.to_vec());
        Some(Self { kind, file, offset, length, before, after })
    }

    fn undo(&self, file: &File) -> Result<()> {
        file.write_all_at(&self.before, self.offset)?;
        Ok(file.set_len(self.length)?)
    }

    fn redo_some(&self, file: &File, choices: &mut fastrand::Rng) -> Result<()> {
        let mut at = self.offset;
        let mut rest = self.after.as_slice();
        while !rest.is_empty() {
            let to_boundary = SECTOR - usize::try_from(at)? % SECTOR;
            let (sector, after) = rest.split_at(to_boundary.min(rest.len()));
            if choices.bool() {
                file.write_all_at(sector, at)?;
            }
            at += u64::try_from(sector.len())?;
            rest = after;
        }
        Ok(())
    }
}
