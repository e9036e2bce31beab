//! Whether the write-ahead log is all that was promised. After a crash SQLite takes of it what is whole and is silent
//! about the rest, be that a write which never ended or a promise that rotted; this tells the two apart, before SQLite
//! opens the file.
//!
//! The next transaction is written only once the one before is synced. So a whole transaction that goes on from another
//! whole one, past a frame that is not, says that the broken one was promised. And the log's index (`-shm`), which the
//! writer keeps after each sync, says how far it had come; it outlives the process, not a failure of the machine. What
//! neither shows: the last transaction, broken or cut off while the machine was down.
//!
//! A log that is whole is then written anew, so that what is seen of it is on the disk too.

use super::error::StoreError;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Bytes read and written at once: a log may be as large as a backup took long.
const PART: usize = 1 << 20;
/// The magic number of a log whose sums are of little-endian words; the next number is that of big-endian ones.
const LITTLE: u32 = 0x377f_0682;
/// One copy of the index's header, and what of it is summed.
const INDEX_HEADER: usize = 48;
const INDEX_SUMMED: usize = 40;

/// A running sum of SQLite's.
type Sum = (u32, u32);

/// Fails where the log of `database` lacks something that was promised. To be asked before SQLite opens it.
///
/// # Errors
/// What is damaged, or that a file cannot be read.
pub(super) fn check(database: &Path) -> Result<(), StoreError> {
    let (log, index) = (database.with_extension("db-wal"), database.with_extension("db-shm"));
    let index = Index::read(&index).map_err(|source| StoreError::file(&index, source))?;
    let found = scan(&log).map_err(|source| StoreError::file(&log, source))?;
    match found.and_then(|found| found.compare(index)) {
        Ok(()) => Ok(()),
        Err(detail) => Err(StoreError::Corrupt { file: log, detail }),
    }
}

/// Writes the log of `database` anew, byte for byte, and syncs it. After a sync that failed the system takes for written
/// what never reached the disk, and no later sync writes it: only what is written again is there when the power fails,
/// amid the move into the database for one.
///
/// # Errors
/// Where the log cannot be read, written or synced.
pub(super) fn write_anew(database: &Path) -> Result<(), StoreError> {
    let log = database.with_extension("db-wal");
    rewrite(&log).map_err(|source| StoreError::file(&log, source))
}

fn rewrite(log: &Path) -> io::Result<()> {
    let file = match File::options().read(true).write(true).open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let (mut part, mut place) = (vec![0; PART], 0);
    loop {
        let length = file.read_at(&mut part, place)?;
        if length == 0 {
            break;
        }
        file.write_all_at(part.get(..length).unwrap_or_default(), place)?;
        place += length as u64;
    }
    if place == 0 { Ok(()) } else { file.sync_all() }
}

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// So many frames to the end of the last whole transaction, under these salts.
    Frames {
        salts: [u8; 8],
        committed: u32,
    },
}

impl Found {
    fn compare(self, index: Option<Index>) -> Result<(), String> {
        let Some(Index { salts, committed: promised, moved }) = index else { return Ok(()) };
        let (kept, same) = match self {
            Self::Nothing => (0, true),
            Self::Frames { salts: own, committed } => (committed, own == salts),
        };
        // What was moved into the database may be gone from the log.
        if same && kept < promised && !(kept == 0 && moved >= promised) {
            return Err(format!("of {promised} pages that were promised it has {kept}"));
        }
        Ok(())
    }
}

/// Reads a log to its end; the error within is what is damaged.
fn scan(path: &Path) -> io::Result<Result<Found, String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Found::Nothing)),
        file => file?,
    };
    if file.metadata()?.len() <= HEADER as u64 {
        return Ok(Ok(Found::Nothing));
    }
    // It is synced before the first frame is written.
    let Some(mut frames) = Frames::open(file)? else { return Ok(Err("its header is not what was written".into())) };
    let (mut committed, mut number, mut broken, mut ended) = (0, 0, None, false);
    while let Some(frame) = frames.next()? {
        number += 1;
        if let Some(broken) = broken.filter(|_| ended && frame.sound) {
            return Ok(Err(format!("page {broken} of it is not what was written, and later ones were promised")));
        }
        ended = frame.sound && frame.ends;
        broken = broken.or((!frame.sound).then_some(number));
        committed = if ended && broken.is_none() { number } else { committed };
    }
    Ok(Ok(Found::Frames { salts: frames.salts, committed }))
}

/// The frames of a log, one after the other.
struct Frames {
    from: BufReader<File>,
    salts: [u8; 8],
    /// The order of bytes in the words that are summed.
    little: bool,
    /// What the frame before says the sum is up to its end.
    sum: Sum,
    page: Vec<u8>,
}

/// A page in the log.
struct Frame {
    /// It belongs to this log, and is what was written after the frame before.
    sound: bool,
    /// It ends a transaction.
    ends: bool,
}

impl Frames {
    /// `None` where the header is damaged.
    fn open(file: File) -> io::Result<Option<Self>> {
        let mut from = BufReader::with_capacity(1 << 20, file);
        let mut head = [0; HEADER];
        from.read_exact(&mut head)?;
        let (summed, sum) = head.split_at(HEADER - 8);
        let little = word(summed, 0) == LITTLE;
        let known = little || word(summed, 0) == LITTLE + 1;
        let found = (word(sum, 0), word(sum, 1));
        let size = usize::try_from(word(summed, 2)).unwrap_or_default();
        let usual = (512..=65_536).contains(&size) && size.is_power_of_two();
        let mut salts = [0; 8];
        salts.copy_from_slice(summed.get(16..24).unwrap_or(&[0; 8]));
        let sound = known && usual && add((0, 0), summed, little) == found;
        Ok(sound.then(|| Self { from, salts, little, sum: found, page: vec![0; size] }))
    }

    fn next(&mut self) -> io::Result<Option<Frame>> {
        let mut head = [0; FRAME_HEADER];
        if !filled(&mut self.from, &mut head)? || !filled(&mut self.from, &mut self.page)? {
            return Ok(None);
        }
        let (page, ends) = (word(&head, 0), word(&head, 1) != 0);
        let (summed, rest) = head.split_at(8);
        let (salts, stored) = rest.split_at(8);
        let sum = add(add(self.sum, summed, self.little), &self.page, self.little);
        self.sum = (word(stored, 0), word(stored, 1));
        Ok(Some(Frame { sound: page != 0 && *salts == self.salts && sum == self.sum, ends }))
    }
}

/// How far the writer had come, as it noted in the index after its last sync.
#[derive(Debug, Clone, Copy)]
struct Index {
    salts: [u8; 8],
    /// Frames up to the end of the last transaction.
    committed: u32,
    /// Of them, how many were moved into the database.
    moved: u32,
}

impl Index {
    /// `None` where there is no index, or none that is whole.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut bytes = [0; 2 * INDEX_HEADER + 4];
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if !filled(&mut file, &mut bytes)? {
            return Ok(None);
        }
        let (copies, moved) = bytes.split_at(2 * INDEX_HEADER);
        // The second copy is written first: a death between the two leaves one of them whole.
        Ok(copies.chunks_exact(INDEX_HEADER).find_map(|copy| Self::of(copy, native(moved, 0))))
    }

    fn of(copy: &[u8], moved: u32) -> Option<Self> {
        let (summed, sum) = copy.split_at_checked(INDEX_SUMMED)?;
        let initialized = summed.get(12) == Some(&1);
        let whole = add((0, 0), summed, cfg!(target_endian = "little")) == (native(sum, 0), native(sum, 1));
        let salts = summed.get(32..40)?.try_into().ok()?;
        (initialized && whole).then(|| Self { salts, committed: native(summed, 4), moved })
    }
}

/// SQLite's sum over more words, two at a time.
fn add(sum: Sum, bytes: &[u8], little: bool) -> Sum {
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().fold(sum, |(first, second), [a, b, c, d, e, f, g, h]| {
        let of = if little { u32::from_le_bytes } else { u32::from_be_bytes };
        let first = first.wrapping_add(of([*a, *b, *c, *d])).wrapping_add(second);
        (first, second.wrapping_add(of([*e, *f, *g, *h])).wrapping_add(first))
    })
}

/// The big-endian word of that number.
fn word(bytes: &[u8], number: usize) -> u32 {
    bytes.as_chunks::<4>().0.get(number).map_or(0, |word| u32::from_be_bytes(*word))
}

/// The same in this machine's order.
fn native(bytes: &[u8], number: usize) -> u32 {
    bytes.as_chunks::<4>().0.get(number).map_or(0, |word| u32::from_ne_bytes(*word))
}

/// Fills a buffer; false where the file ends before.
fn filled(from: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
