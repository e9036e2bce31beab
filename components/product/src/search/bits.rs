//! A set of places of one block. Stored as a sorted list of 16-bit places while it is short, else as a bitmap.

use super::BLOCK;

const WORDS: usize = (BLOCK / 64) as usize;
/// Bytes of a bitmap; a list is always shorter, which tells them apart.
const BITMAP: usize = WORDS * 8;

/// The set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits([u64; WORDS]);

impl Default for Bits {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl Bits {
    /// All places.
    pub(super) fn full() -> Self {
        Self([u64::MAX; WORDS])
    }

    /// Reads a stored set; nothing is the empty one. The error names `key`.
    pub(super) fn read(key: &str, bytes: &[u8]) -> Result<Self, String> {
        let mut bits = Self::default();
        if bytes.len() == BITMAP {
            for (word, chunk) in bits.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*chunk);
            }
            return Ok(bits);
        }
        let (places, rest) = bytes.as_chunks::<2>();
        let places = places.iter().map(|pair| u32::from(u16::from_le_bytes(*pair)));
        if !rest.is_empty() || bytes.len() > BITMAP || places.clone().any(|place| place >= BLOCK) {
            return Err(format!("{key} is no set of the index: delete it and replay the listings"));
        }
        for place in places {
            bits.insert(place);
        }
        Ok(bits)
    }

    /// As it is stored.
    pub(super) fn write(&self) -> Vec<u8> {
        if self.len() * 2 < BITMAP {
            let places = self.iter().filter_map(|place| u16::try_from(place).ok());
            places.flat_map(u16::to_le_bytes).collect()
        } else {
            self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
        }
    }

    /// Adds a place; says whether it was not in.
    pub(super) fn insert(&mut self, place: u32) -> bool {
        let Some(word) = self.0.get_mut((place / 64) as usize) else { return false };
        let bit = 1 << (place % 64);
        let absent = *word & bit == 0;
        *word |= bit;
        absent
    }

    /// Keeps what is in the other too.
    pub(super) fn keep(&mut self, other: &Self) {
        for (word, theirs) in self.0.iter_mut().zip(other.0) {
            *word &= theirs;
        }
    }

    /// Drops what is in the other.
    pub(super) fn remove(&mut self, other: &Self) {
        for (word, theirs) in self.0.iter_mut().zip(other.0) {
            *word &= !theirs;
        }
    }

    /// How many are in.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is in.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The places, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + Clone {
        (0_u32..).zip(&self.0).flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(index * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_sets_come_back_as_they_were() {
        for step in [1, 2, 16, 17, 700] {
            let mut bits = Bits::default();
            let places: Vec<_> = (0..BLOCK).step_by(step).collect();
            assert!(places.iter().all(|place| bits.insert(*place)));
            let bytes = bits.write();
            assert!(bytes.len() <= BITMAP);
            let back = Bits::read("k", &bytes).unwrap();
            assert_eq!((back.len(), back.iter().collect::<Vec<_>>()), (places.len(), places));
        }
        assert_eq!(Bits::full().len(), BLOCK as usize);
    }

    #[test]
    fn a_place_is_added_once_and_nothing_else_is_a_set() {
        let mut bits = Bits::default();
        assert!(bits.insert(5) && !bits.insert(5) && !bits.insert(BLOCK));
        for broken in [vec![1], vec![0xFF, 0xFF], vec![0; BITMAP + 2]] {
            assert!(Bits::read("word/x/0", &broken).unwrap_err().contains("word/x/0"));
        }
    }
}
