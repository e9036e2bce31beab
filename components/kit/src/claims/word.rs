//! A claim word: how many claims there were and, once it is sealed, which cell won.

use crate::ports::StoreError;

/// Bits of the count; the sealed cell's number is above them.
const COUNT_BITS: u32 = 32;
const COUNT: i64 = (1 << COUNT_BITS) - 1;

/// A claim word as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    number: i64,
    form: Form,
}

/// How the store writes a number. What is swapped in must be of the same form, or its next increment fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Eight bytes, the lowest first: Spin's own store.
    Bytes,
    /// Decimal digits: all others.
    Digits,
}

impl Word {
    /// Reads a word of `key`. Eight bytes are a number in bytes: in digits a count is shorter and a seal longer.
    pub(super) fn read(key: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
            return Ok(Self { number: i64::from_le_bytes(bytes), form: Form::Bytes });
        }
        let digits = std::str::from_utf8(bytes).ok().and_then(|digits| digits.parse().ok());
        let number = digits.ok_or_else(|| StoreError(format!("the claim word of {key} is no number")))?;
        Ok(Self { number, form: Form::Digits })
    }

    /// The claims counted in what an increment answered.
    pub(super) fn claims(number: i64) -> i64 {
        number & COUNT
    }

    /// The sealed cell's number.
    pub(super) fn sealed(self) -> Option<i64> {
        let cell = self.number >> COUNT_BITS;
        (cell > 0).then_some(cell)
    }

    /// The word once it is sealed for a cell.
    pub(super) fn seal(self, cell: i64) -> Vec<u8> {
        let number = (cell << COUNT_BITS) | Self::claims(self.number);
        match self.form {
            Form::Bytes => number.to_le_bytes().to_vec(),
            Form::Digits => number.to_string().into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_keeps_the_form_and_survives_a_late_claim() {
        for open in [3_i64.to_le_bytes().to_vec(), b"3".to_vec()] {
            let word = Word::read("k", &open).unwrap();
            assert_eq!(word.sealed(), None);
            let sealed = Word::read("k", &word.seal(2)).unwrap();
            assert_eq!((sealed.sealed(), sealed.form), (Some(2), word.form));
            let late = Word { number: sealed.number + 1, ..sealed };
            assert_eq!((late.sealed(), Word::claims(late.number)), (Some(2), 4));
        }
        assert!(Word::read("k", b"{}").is_err());
    }
}
