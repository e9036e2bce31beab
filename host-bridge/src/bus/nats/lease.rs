//! Leases, pure: when a process may take a position, by what it has seen of it on its own monotonic clock. No two clocks
//! are ever compared: a holder that lives writes at least every second, and whoever waits takes over where nothing was
//! written for three.

use super::record::Record;
use std::time::Duration;
use tokio::time::Instant;

/// Longest time between two writes of a holder.
pub(super) const BEAT: Duration = Duration::from_millis(700);
/// A holder that could not write for this long hands nothing more out.
pub(super) const FRESH: Duration = Duration::from_secs(2);
/// A position that nobody wrote for this long is taken over.
pub(super) const STALE: Duration = Duration::from_secs(3);
/// How much longer a process waits that is not the preferred one.
pub(super) const DEFERENCE: Duration = Duration::from_secs(2);

/// A position as it was seen last, and since when it has not changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    revision: u64,
    since: Instant,
}

impl Sighting {
    /// What is known after `revision` was seen at `now`.
    pub(super) fn next(before: Option<Self>, revision: u64, now: Instant) -> Self {
        match before {
            Some(same) if same.revision == revision => same,
            _ => Self { revision, since: now },
        }
    }

    /// Whether `node` may take over what `record` says; `preferred` where no other live process should have it.
    pub(super) fn may_take(self, record: Option<&Record>, node: &str, preferred: bool, now: Instant) -> bool {
        let unchanged = now.saturating_duration_since(self.since);
        match record.and_then(|record| record.holder.as_deref()) {
            // The same name: it is its predecessor, which is dead.
            Some(holder) if holder == node => true,
            Some(_) => unchanged >= if preferred { STALE } else { STALE + DEFERENCE },
            None => preferred || unchanged >= DEFERENCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(by: &str) -> Record {
        Record { holder: Some(by.to_owned()), ..Record::default() }
    }

    #[test]
    fn a_position_is_taken_over_once_nobody_wrote_it_for_long_enough() {
        let began = Instant::now();
        let seen = Sighting::next(None, 7, began);
        let record = held("other");
        assert!(!seen.may_take(Some(&record), "me", true, began + STALE - Duration::from_millis(1)));
        assert!(seen.may_take(Some(&record), "me", true, began + STALE));
        assert!(!seen.may_take(Some(&record), "me", false, began + STALE));
        assert!(seen.may_take(Some(&record), "me", false, began + STALE + DEFERENCE));
        let later = began + Duration::from_secs(2);
        let written = Sighting::next(Some(seen), 8, later);
        assert!(!written.may_take(Some(&record), "me", true, began + STALE));
        assert!(Sighting::next(Some(written), 8, later + STALE).may_take(Some(&record), "me", true, later + STALE));
    }

    #[test]
    fn what_is_free_goes_to_the_preferred_at_once_and_to_others_after_a_while() {
        let now = Instant::now();
        let seen = Sighting::next(None, 0, now);
        for record in [None, Some(Record::default())] {
            assert!(seen.may_take(record.as_ref(), "me", true, now));
            assert!(!seen.may_take(record.as_ref(), "me", false, now));
            assert!(seen.may_take(record.as_ref(), "me", false, now + DEFERENCE));
        }
    }

    #[test]
    fn a_predecessor_of_the_same_name_is_dead() {
        let now = Instant::now();
        assert!(Sighting::next(None, 3, now).may_take(Some(&held("me")), "me", false, now));
    }

    #[test]
    fn a_holder_stops_before_anyone_may_take_over() {
        assert!(BEAT < FRESH && FRESH < STALE);
    }
}
