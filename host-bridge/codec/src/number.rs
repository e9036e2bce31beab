//! Integers of a given width, out of whatever number the JSON has.

use wasmtime::component::Val;

/// Largest integer of which every smaller one is a double too.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The integer types of WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named as in WIT")]
pub enum Integer {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
}

impl Integer {
    /// The value, where it is in range.
    pub(super) fn value(self, number: i128) -> Option<Val> {
        match self {
            Self::U8 => number.try_into().ok().map(Val::U8),
            Self::U16 => number.try_into().ok().map(Val::U16),
            Self::U32 => number.try_into().ok().map(Val::U32),
            Self::U64 => number.try_into().ok().map(Val::U64),
            Self::S8 => number.try_into().ok().map(Val::S8),
            Self::S16 => number.try_into().ok().map(Val::S16),
            Self::S32 => number.try_into().ok().map(Val::S32),
            Self::S64 => number.try_into().ok().map(Val::S64),
        }
    }

    /// What an error says of something that is no such integer.
    pub(super) fn expectation(self) -> &'static str {
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => "an integer ≥ 0",
            Self::S8 | Self::S16 | Self::S32 | Self::S64 => "an integer",
        }
    }

    /// What an error says of an integer that does not fit.
    pub(super) fn range(self) -> &'static str {
        match self {
            Self::U8 => "an integer from 0 to 255",
            Self::U16 => "an integer from 0 to 65535",
            Self::U32 => "an integer from 0 to 4294967295",
            Self::U64 => "an integer from 0 to 18446744073709551615",
            Self::S8 => "an integer from -128 to 127",
            Self::S16 => "an integer from -32768 to 32767",
            Self::S32 => "an integer from -2147483648 to 2147483647",
            Self::S64 => "an integer from -9223372036854775808 to 9223372036854775807",
        }
    }
}

/// The integer that a number written with a fraction or an exponent is, such as 2 for `2.0`; `None` where it is none,
/// or one that a double does not hold exactly.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
pub(super) fn whole(number: f64) -> Option<i64> {
    (number.trunc() == number && number.abs() <= EXACT).then_some(number as i64)
}
