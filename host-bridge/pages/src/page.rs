//! One page and its checksum: CRC-32 over its bytes and its place, so that a page in the place of another is found too.

use crate::RESERVED;

/// The smallest page SQLite knows, in bytes.
const SMALLEST: usize = 512;

/// What a read or a write of some bytes at some place is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    /// Counted from 0.
    number: u64,
}

impl Page {
    /// `None` where it is not of one whole page: SQLite looks at parts of the first one.
    pub(crate) fn at(offset: i64, length: usize) -> Option<Self> {
        let (offset, size) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
        let whole = length >= SMALLEST && length.is_power_of_two() && offset.is_multiple_of(size);
        whole.then(|| Self { number: offset / size })
    }

    /// The page of that number, from 0.
    pub(crate) fn numbered(number: u64) -> Self {
        Self { number }
    }

    /// Writes the checksum to the end of the page.
    pub(crate) fn seal(self, bytes: &mut [u8]) {
        let sum = self.sum(bytes);
        if let Some(place) = bytes.last_chunk_mut() {
            *place = sum;
        }
    }

    /// Whether the checksum at the end is that of the page.
    pub(crate) fn is_sound(self, bytes: &[u8]) -> bool {
        bytes.last_chunk() == Some(&self.sum(bytes))
    }

    fn sum(self, bytes: &[u8]) -> [u8; RESERVED as usize] {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.number.to_le_bytes());
        hasher.update(bytes.get(..bytes.len().saturating_sub(usize::from(RESERVED))).unwrap_or_default());
        hasher.finalize().to_le_bytes()
    }
}
