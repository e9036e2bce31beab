//! A power failure after a kill: what the host has written and not synced is taken back, in whole or in part.
//!
//! The library `unsynced`, preloaded into the host, notes what each write of `a4co.db` and `a4co.db-wal` overwrote, and
//! each sync that has returned. What it shows: nothing that was promised lies only in the system's cache. What it does not:
//! a disk that lies about its syncs, and the loss of a file's name, since the files exist before the first kill.

use anyhow::{Context as _, Result};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _};
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

/// What a note is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// A write.
    Write,
    /// A file was cut or grown.
    Truncate,
    /// A sync has returned.
    Synced,
    /// A sync is held back.
    Held,
    /// A write found no room.
    Full,
    /// A sync failed: what was written before is on no disk, and the system takes it for written.
    FailedSync,
    /// The process was ended amid a commit.
    Killed,
    /// A file could not be opened to be written.
    ReadOnly,
    /// The process found its clock set.
    Clock,
}

/// One note of the preloaded library.
#[derive(Debug, Clone)]
struct Record {
    kind: Noted,
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

    /// How many notes of a kind there are so far.
    ///
    /// # Errors
    /// Where the notes cannot be read.
    pub fn count(&self, kind: Noted) -> Result<usize> {
        let mut notes = BufReader::new(self.open()?);
        let (mut head, mut count) = ([0; HEAD], 0);
        while notes.read_exact(&mut head).is_ok() {
            let (found, [.., before, after]) = Record::head(&head);
            count += usize::from(found == Some(kind));
            notes.seek_relative(i64::try_from(before + after)?)?;
        }
        Ok(count)
    }

    /// Forgets all notes: of a life after which no power fails.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn forget(&self) -> Result<()> {
        // Emptied, not removed: a life may end before it has anything to note.
        File::create(&self.path)?;
        Ok(())
    }

    /// Takes back what was not synced when the host died, and forgets the notes; how many writes that were.
    ///
    /// # Errors
    /// Where the files cannot be changed.
    pub fn lose(&self, state: &Path, power: Power, choices: &mut fastrand::Rng) -> Result<usize> {
        let records = self.read()?;
        let mut lost = 0;
        for (number, name) in [(1, "a4co.db"), (2, "a4co.db-wal")] {
            let unsynced = unsynced(records.iter().filter(|record| record.file == number));
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
        self.forget()?;
        Ok(lost)
    }

    fn open(&self) -> Result<File> {
        File::open(&self.path).with_context(|| format!("{}: was the library preloaded?", self.path.display()))
    }

    fn read(&self) -> Result<Vec<Record>> {
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes)?;
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        // The kill may have cut the last note short: the write it announces had not begun.
        while let Some(record) = Record::take(&mut rest) {
            records.push(record);
        }
        Ok(records)
    }
}

/// What of these writes to one file is on no disk, in order.
fn unsynced<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<&'a Record> {
    let (mut given_up, mut pending) = (Vec::new(), Vec::<&Record>::new());
    for record in records {
        match record.kind {
            Noted::Write | Noted::Truncate => pending.push(record),
            // No later sync writes it: the system takes it for written.
            Noted::FailedSync => given_up.append(&mut pending),
            Noted::Synced => {
                given_up.retain(|lost| !pending.iter().any(|later| later.replaces(lost)));
                pending.clear();
            }
            _ => {}
        }
    }
    given_up.append(&mut pending);
    given_up
}

impl Record {
    /// A note's kind, and its other numbers.
    fn head(head: &[u8]) -> (Option<Noted>, [u64; 5]) {
        let mut numbers = [0; 6];
        for (number, part) in numbers.iter_mut().zip(head.as_chunks::<8>().0) {
            *number = u64::from_le_bytes(*part);
        }
        let [kind, rest @ ..] = numbers;
        let kind = match kind {
            1 => Some(Noted::Write),
            2 => Some(Noted::Truncate),
            3 => Some(Noted::Synced),
            4 => Some(Noted::Held),
            5 => Some(Noted::Full),
            6 => Some(Noted::FailedSync),
            7 => Some(Noted::Killed),
            8 => Some(Noted::ReadOnly),
            9 => Some(Noted::Clock),
            _ => None,
        };
        (kind, rest)
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let (kind, [file, offset, length, before, after]) = Self::head(rest.split_off(..HEAD)?);
        let (before, after) = (usize::try_from(before).ok()?, usize::try_from(after).ok()?);
        let (before, after) = (rest.split_off(..before)?.to_vec(), rest.split_off(..after)?.to_vec());
        Some(Self { kind: kind?, file, offset, length, before, after })
    }

    /// Whether nothing of `lost` is left to be lost once this one is on disk.
    fn replaces(&self, lost: &Self) -> bool {
        let end = |record: &Self| record.offset + record.after.len() as u64;
        match self.kind {
            Noted::Truncate => self.offset <= lost.offset,
            _ => self.offset < end(lost) && lost.offset < end(self),
        }
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
