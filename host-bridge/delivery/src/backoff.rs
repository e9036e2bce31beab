//! How long a failed event waits: exponential, with jitter that depends on the event and the attempt alone.

use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// Wait after the first failure.
const BASE: Duration = Duration::from_millis(100);
/// Longest wait the backoff chooses.
const CAP: Duration = Duration::from_secs(30);
/// Longest wait a handler may ask for: the event holds its key meanwhile, and a handler that needs longer sets a timer.
pub const LONGEST_ASKED: Duration = Duration::from_secs(15 * 60);

/// The wait after the `failures`th failure (from 1) of the event `id`; `asked` is the least the handler asked for.
///
/// Between half of the exponential step and the whole of it, so that events that failed together do not return together.
pub fn wait(id: &str, failures: u32, asked: Option<Duration>) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let step = BASE.saturating_mul(1 << doublings).min(CAP);
    let half = u64::try_from(step.as_millis() / 2).unwrap_or(u64::MAX);
    let chosen = Duration::from_millis(half + spread(id, failures) % (half + 1));
    chosen.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

fn spread(id: &str, failures: u32) -> u64 {
    let mut hasher = FxHasher::default();
    (id, failures).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[track_caller]
    fn check_wait(failures: u32, asked_ms: Option<u64>, at_least_ms: u64, at_most_ms: u64) {
        for id in ["a", "b", "0198-…", ""] {
            let waited = wait(id, failures, asked_ms.map(Duration::from_millis)).as_millis();
            assert!((u128::from(at_least_ms)..=u128::from(at_most_ms)).contains(&waited), "{id}: {waited} ms");
        }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        check_wait(1, None, 50, 100);
        check_wait(2, None, 100, 200);
        check_wait(4, None, 400, 800);
        check_wait(10, None, 15_000, 30_000);
        check_wait(u32::MAX, None, 15_000, 30_000);
    }

    #[test]
    fn what_the_handler_asks_for_is_the_least_but_bounded() {
        check_wait(1, Some(5_000), 5_000, 5_000);
        check_wait(10, Some(1), 15_000, 30_000);
        check_wait(1, Some(u64::MAX), 900_000, 900_000);
    }

    #[test]
    fn every_millisecond_of_the_upper_half_of_a_step_is_somebodys_wait() {
        let waits: BTreeSet<_> = (0..2_000).map(|n| wait(&format!("event-{n}"), 1, None).as_millis()).collect();
        assert_eq!(waits, (50..=100).collect());
    }

    #[test]
    fn events_that_failed_together_return_apart_and_each_repeatably() {
        let waits: BTreeSet<_> = (0..100).map(|n| wait(&format!("event-{n}"), 5, None)).collect();
        assert!(waits.len() > 80, "{} different waits", waits.len());
        assert_eq!(wait("event-1", 5, None), wait("event-1", 5, None));
    }
}
