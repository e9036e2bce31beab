//! Outage mode: while something the handler needs is away, one event at a growing interval asks whether it is back.

use crate::millis::Millis;
use std::time::Duration;

/// Wait before the first probe.
const FIRST: Duration = Duration::from_millis(100);
/// Longest wait between two probes: so long, at most, an outage seems to last that is over.
const CAP: Duration = Duration::from_secs(1);

/// One outage of one source. Only an event handed out since it began can end it: those handed out earlier say nothing.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    since: Millis,
    interval: Duration,
    next_probe: Millis,
    probing: bool,
}

impl Outage {
    /// An outage that shows itself at `now`.
    pub fn begin(now: Millis) -> Self {
        Self { since: now, interval: FIRST, next_probe: now.after(FIRST), probing: false }
    }

    /// Whether a probe may go out.
    pub fn may_probe(&self, now: Millis) -> bool {
        !self.probing && now >= self.next_probe
    }

    /// When the next probe may go out; `None` while one is under way.
    pub fn next_probe(&self) -> Option<Millis> {
        (!self.probing).then_some(self.next_probe)
    }

    /// A probe goes out.
    pub fn probe(&mut self) {
        self.probing = true;
    }

    /// The probe found everything still away.
    pub fn goes_on(&mut self, now: Millis) {
        self.interval = self.interval.saturating_mul(2).min(CAP);
        self.next_probe = now.after(self.interval);
        self.probing = false;
    }

    /// How long it has lasted.
    pub fn lasted(&self, now: Millis) -> Duration {
        now.since(self.since)
    }
}
