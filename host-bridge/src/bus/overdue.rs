//! What is overdue after an outage fires in steps, each after what follows from the one before: a retry before the deadline
//! for its outcome, as it would have been without the outage.

use crate::clock::Millis;
use std::collections::BTreeSet;
use std::time::Duration;

/// How far apart overdue timers may have been meant to fire so that they fire together: an answer takes longer than this
/// only where somebody waits for it anyway.
const STEP: Duration = Duration::from_millis(250);
/// How far what follows from a backlog is followed: an event that waited, the command it leads to, the answer to that. Under
/// load something is under way always, and deadlines cannot wait for all of it.
pub(crate) const FARTHEST: u32 = 3;

/// Of the timers by their instant, the earliest that is due at `now` and those within a step of it, at most `limit`; and
/// whether more are due.
pub(crate) fn first<K: Copy>(due: &BTreeSet<(u64, K)>, now: Millis, limit: usize) -> (Vec<K>, bool) {
    let overdue = || due.iter().take_while(|(fire_at, _)| *fire_at <= now.0);
    let until = overdue().next().map_or(now, |(fire_at, _)| Millis(*fire_at).after(STEP));
    let first = overdue().take_while(|(fire_at, _)| *fire_at <= until.0).take(limit);
    let first: Vec<_> = first.map(|(_, key)| *key).collect();
    let more = overdue().nth(first.len()).is_some();
    (first, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_come_together_and_the_later_are_known_to_be_there() {
        let due = BTreeSet::from([(100, 'a'), (300, 'b'), (351, 'c'), (5_000, 'd')]);
        assert_eq!(first(&due, Millis(1_000), 10), (vec!['a', 'b'], true));
        assert_eq!(first(&due, Millis(1_000), 1), (vec!['a'], true));
        assert_eq!(first(&due, Millis(300), 10), (vec!['a', 'b'], false));
        assert_eq!(first(&due, Millis(99), 10), (Vec::new(), false));
    }
}
