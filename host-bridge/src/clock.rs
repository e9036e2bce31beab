//! Time as a port: the only place of the host that reads a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
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

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Millis;

    /// Microseconds on a scale of its own that never runs backwards: for how long things take, not for when they are.
    fn micros(&self) -> u64 {
        self.now().0.saturating_mul(1_000)
    }
}

/// The machine's clock, kept from running backwards within the process: set forward it is followed, set back it goes on
/// at its own pace. Were it to stand still instead, no timer would fire until the machine's clock had caught up.
#[derive(Debug, Default)]
pub struct SystemClock {
    /// Microseconds from the origin of [`Clock::micros`] back to the epoch, the most there were so far.
    origin: AtomicU64,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the clock")]
    fn now(&self) -> Millis {
        let read = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let read = u64::try_from(read.as_micros()).unwrap_or(u64::MAX);
        // Read in this order, so that a process which is stopped in between takes its clock for late, and not for early.
        let passed = self.micros();
        let origin = read.saturating_sub(passed);
        let origin = self.origin.fetch_max(origin, Ordering::Relaxed).max(origin);
        Millis(origin.saturating_add(passed) / 1_000)
    }

    fn micros(&self) -> u64 {
        static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
        let passed = ORIGIN.get_or_init(std::time::Instant::now).elapsed();
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
    }
}

/// A clock that a test moves by hand.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self(Arc::new(AtomicU64::new(now.0)))
    }

    /// Moves it later.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
}
