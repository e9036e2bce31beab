//! Instants as values: milliseconds since the Unix epoch, and their RFC 3339 form. Nothing here reads a clock.

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

const RFC_3339: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Milliseconds of a day.
pub const DAY: u64 = 86_400_000;

impl Millis {
    /// This instant, later by `milliseconds`.
    #[must_use]
    pub fn plus(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds since `earlier`; 0 where it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `2026-01-15T10:30:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let instant = i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        RFC_3339.timestamp_to_string(&instant.unwrap_or(jiff::Timestamp::MAX))
    }

    /// Reads RFC 3339; `None` where it is none, or before 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(instant.as_millisecond()).ok().map(Self)
    }
}

/// Whether a text is an RFC 3339 instant: `2026-01-15T10:30:00.000Z`, or with an offset. Checks the calendar too.
#[must_use]
pub fn is_rfc3339(text: &str) -> bool {
    has_rfc3339_shape(text.as_bytes()) && text.parse::<jiff::Timestamp>().is_ok()
}

/// jiff reads more than RFC 3339 (blanks for `T`, zone names, no seconds); this is the shape alone.
fn has_rfc3339_shape(text: &[u8]) -> bool {
    let Some((date_time, rest)) = text.split_at_checked(19) else { return false };
    let shaped = date_time.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        exact => byte == exact,
    });
    shaped && is_offset(after_fraction(rest))
}

fn after_fraction(rest: &[u8]) -> &[u8] {
    let Some(fraction) = rest.strip_prefix(b".") else { return rest };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if (1..=9).contains(&digits) { fraction.get(digits..).unwrap_or_default() } else { b"" }
}

fn is_offset(offset: &[u8]) -> bool {
    match offset {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Reads a duration setting: `1500ms`, `30s`, `15m`, `24h`, `7d`, or bare milliseconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_round_trip_with_milliseconds() {
        let text = "2026-01-15T10:30:00.007Z";
        assert_eq!(Millis::parse(text).map(Millis::rfc3339).as_deref(), Some(text));
        assert_eq!(Millis::parse("yesterday"), None);
    }

    #[test]
    fn durations_have_units() {
        for (text, expected) in [("15m", Some(900_000)), ("250", Some(250)), ("2s", Some(2_000)), ("2 weeks", None)] {
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }
}
