//! An instant.

use std::time::Duration;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// This instant moved later by `duration`, whole milliseconds, saturating.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// RFC 3339 in UTC with milliseconds, as every timestamp on the wire: `2026-01-15T10:30:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let instant = i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        format!("{:.3}", instant.unwrap_or(jiff::Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_counted_from_and_never_before_the_epoch() {
        let (one, two) = (Millis(1_000), Millis(2_500));
        assert_eq!((two.since(one), one.since(two)), (Duration::from_millis(1_500), Duration::ZERO));
        assert_eq!(one.after(Duration::from_micros(1_500_999)), two);
        assert_eq!(one.after(Duration::MAX), Millis(u64::MAX));
    }

    #[test]
    fn on_the_wire_they_have_milliseconds_in_utc() {
        assert_eq!(Millis(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Millis(1_768_473_000_007).rfc3339(), "2026-01-15T10:30:00.007Z");
        assert!(Millis(u64::MAX).rfc3339().starts_with("9999-12-30"), "the last there is");
    }
}
