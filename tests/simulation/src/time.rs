//! Virtual time: it stands still while anybody has something to do, then jumps to the next thing that is due.
//!
//! Tokio's paused clock drives it. On top of it lies the wall clock, which may be set forward and back; what a process
//! sees of it never runs backwards within its life, as with the host's own clock.

use a4co_host::clock::{Clock, Millis};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// When every run begins: 2026-01-15T10:30:00Z.
const START: i64 = 1_768_473_000_000;

/// The wall clock of the world.
#[derive(Debug, Clone)]
pub struct Wall {
    began: Instant,
    offset: Arc<AtomicI64>,
}

impl Wall {
    /// A clock that begins now. Within a runtime whose time is paused.
    #[must_use]
    pub fn new() -> Self {
        Self { began: Instant::now(), offset: Arc::default() }
    }

    /// How long the run has lasted.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Sets the clock forward, or back.
    pub fn jump(&self, milliseconds: i64) {
        self.offset.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Default for Wall {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Wall {
    fn now(&self) -> Millis {
        let passed = i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX);
        let now = START.saturating_add(passed).saturating_add(self.offset.load(Ordering::Relaxed));
        Millis(u64::try_from(now).unwrap_or(0))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// The wall clock as one life of a process sees it.
#[derive(Debug)]
pub struct Watch {
    wall: Wall,
    latest: AtomicU64,
}

impl Watch {
    /// A look at the wall clock, for one life.
    #[must_use]
    pub fn new(wall: Wall) -> Self {
        Self { wall, latest: AtomicU64::new(0) }
    }
}

impl Clock for Watch {
    fn now(&self) -> Millis {
        let read = self.wall.now().0;
        Millis(self.latest.fetch_max(read, Ordering::Relaxed).max(read))
    }

    fn micros(&self) -> u64 {
        self.wall.micros()
    }
}
