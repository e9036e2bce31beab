//! Durations and sizes as people write them: `"5s"`, `"64MiB"`.

use std::time::Duration;

/// Units of time, in milliseconds.
const TIME: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Units of size, in bytes.
const SIZE: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Reads `"250ms"`, `"5s"`, `"15m"`, `"2h"`, `"7d"`; `None` for anything else.
pub fn duration(text: &str) -> Option<Duration> {
    measure(text, &TIME).map(Duration::from_millis)
}

/// A duration as [`duration`] reads it, in the largest unit that is exact.
#[must_use]
pub fn spelled(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let unit = TIME.iter().rev().find(|(_, factor)| milliseconds >= *factor && milliseconds % factor == 0);
    let (name, factor) = unit.copied().unwrap_or(("ms", 1));
    format!("{}{name}", milliseconds / factor)
}

/// Reads `"512B"`, `"64KiB"`, `"1MB"`; `None` for anything else.
pub fn size(text: &str) -> Option<u64> {
    measure(text, &SIZE)
}

fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled_as_they_are_read() {
        for text in ["250ms", "0ms", "90s", "15m", "36h", "7d", "1001ms"] {
            assert_eq!(spelled(duration(text).unwrap()), text);
        }
        assert_eq!(spelled(Duration::from_secs(120)), "2m");
    }

    #[test]
    fn units_are_read_and_nothing_else() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("1 KB"), Some(1_000));
        for text in ["", "5", "s", "-5s", "5 parsecs", "1.5s", "99999999999999999999d", "18446744073709551615d"] {
            assert_eq!(duration(text), None, "{text}");
            assert_eq!(size(text), None, "{text}");
        }
    }
}
