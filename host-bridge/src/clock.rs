//! Time as a port: the only place of the host that reads a clock.

pub use delivery::Millis;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

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
