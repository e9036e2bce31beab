//! The circuit breaker: a target that keeps failing is left alone for a while.

use crate::observe::BreakerState;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Consecutive failures that open a breaker.
const THRESHOLD: u32 = 5;
/// How long it stays open at first before one call may try. A few slow answers on end are no outage.
const FIRST: Duration = Duration::from_millis(250);
/// The same after ever more failures: so long, at most, an outage seems to last that is over, for each call on the way.
const LONGEST: Duration = Duration::from_secs(2);
/// How long the one call may try: longer than calls may take.
const TRYING: Duration = Duration::from_secs(6);
/// Targets one caller is watched on: a guest that makes up hosts must not grow the host's memory.
const MAX_TARGETS: usize = 1_024;

/// One caller's breakers, by target.
#[derive(Debug, Default)]
pub(super) struct Breakers(Mutex<FxHashMap<String, Breaker>>);

#[derive(Debug, Clone, Copy)]
enum Breaker {
    Failing(u32),
    /// Shut for so long, until then.
    Open {
        shut: Duration,
        until: Instant,
    },
    /// It was shut for so long before.
    Probing {
        shut: Duration,
        since: Instant,
    },
}

/// What to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Make it, and tell how it ended.
    Pass,
    /// Make it: it decides for all others.
    Probe,
    /// Fail it at once.
    Refuse,
}

impl Breakers {
    /// Asks before a call to `target`.
    pub(super) fn admit(&self, target: &str, now: Instant) -> Admission {
        let mut breakers = self.0.lock();
        let Some(breaker) = breakers.get_mut(target) else { return Admission::Pass };
        match *breaker {
            Breaker::Failing(_) => Admission::Pass,
            Breaker::Open { until, .. } if now < until => Admission::Refuse,
            // A probe whose caller died without telling must not keep the target shut for ever.
            Breaker::Probing { since, .. } if now < since + TRYING => Admission::Refuse,
            Breaker::Open { shut, .. } | Breaker::Probing { shut, .. } => {
                *breaker = Breaker::Probing { shut, since: now };
                Admission::Probe
            }
        }
    }

    /// Tells how a call ended; the state it changed to, if it did.
    pub(super) fn report(&self, target: &str, ok: bool, now: Instant) -> Option<BreakerState> {
        let mut breakers = self.0.lock();
        if ok {
            let before = breakers.remove(target)?;
            return matches!(before, Breaker::Probing { .. } | Breaker::Open { .. }).then_some(BreakerState::Closed);
        }
        if breakers.len() >= MAX_TARGETS && !breakers.contains_key(target) {
            breakers.retain(|_, breaker| !matches!(breaker, Breaker::Failing(_)));
        }
        let shut = match breakers.get(target) {
            Some(Breaker::Failing(failures)) if failures + 1 >= THRESHOLD => FIRST,
            Some(Breaker::Probing { shut, .. }) => shut.saturating_mul(2).min(LONGEST),
            Some(Breaker::Open { .. }) => return None,
            known => {
                let failures = if let Some(Breaker::Failing(failures)) = known { failures + 1 } else { 1 };
                breakers.insert(target.to_owned(), Breaker::Failing(failures));
                return None;
            }
        };
        breakers.insert(target.to_owned(), Breaker::Open { shut, until: now + shut });
        Some(BreakerState::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breakers {
        let breakers = Breakers::default();
        for failure in 1..=THRESHOLD {
            let expected = (failure == THRESHOLD).then_some(BreakerState::Open);
            assert_eq!(breakers.report("t", false, now), expected);
        }
        breakers
    }

    #[tokio::test]
    async fn it_opens_after_five_failures_in_a_row() {
        let now = Instant::now();
        let breakers = opened(now);
        assert_eq!(breakers.admit("t", now), Admission::Refuse);
        assert_eq!(breakers.admit("other", now), Admission::Pass);
    }

    #[tokio::test]
    async fn a_success_between_starts_the_count_again() {
        let (breakers, now) = (Breakers::default(), Instant::now());
        for _ in 0..3 * THRESHOLD {
            breakers.report("t", false, now);
            breakers.report("t", true, now);
        }
        assert_eq!(breakers.admit("t", now), Admission::Pass);
    }

    #[tokio::test]
    async fn one_probe_decides_for_all() {
        let now = Instant::now();
        let (breakers, later) = (opened(now), now + FIRST);
        assert_eq!(breakers.admit("t", later), Admission::Probe);
        assert_eq!(breakers.admit("t", later), Admission::Refuse, "only one at a time");
        assert_eq!(breakers.report("t", true, later), Some(BreakerState::Closed));
        assert_eq!(breakers.admit("t", later), Admission::Pass);
    }

    #[tokio::test]
    async fn a_failed_probe_shuts_it_again() {
        let now = Instant::now();
        let (breakers, later) = (opened(now), now + FIRST);
        assert_eq!(breakers.admit("t", later), Admission::Probe);
        assert_eq!(breakers.report("t", false, later), Some(BreakerState::Open));
        assert_eq!(breakers.admit("t", later + FIRST), Admission::Refuse, "for longer than before");
        assert_eq!(breakers.admit("t", later + FIRST * 2), Admission::Probe);
    }

    #[tokio::test]
    async fn a_target_that_comes_back_is_found_soon_however_long_it_was_away() {
        let mut now = Instant::now();
        let breakers = opened(now);
        for _ in 0..20 {
            now += LONGEST;
            assert_eq!(breakers.admit("t", now), Admission::Probe);
            assert_eq!(breakers.report("t", false, now), Some(BreakerState::Open));
        }
        assert_eq!(breakers.admit("t", now + LONGEST), Admission::Probe);
    }

    #[tokio::test]
    async fn a_probe_that_never_tells_how_it_ended_keeps_nothing_shut_for_ever() {
        let now = Instant::now();
        let (breakers, later) = (opened(now), now + FIRST);
        assert_eq!(breakers.admit("t", later), Admission::Probe);
        assert_eq!(breakers.admit("t", later + TRYING), Admission::Probe);
    }
}
