//! How much to fetch: enough to keep the handlers busy past one hot key, and never more than a bounded amount.

/// Events held in all, beside those that can run: a hot key's events pile up behind it, and other keys must get past.
const HELD_EVENTS: usize = 1_024;
/// Bytes of event bodies held, past which nothing more is fetched: events may be a mebibyte each.
const HELD_BYTES: usize = 32 << 20;

/// What a source holds.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Handed out, or could be at once.
    pub runnable: usize,
    /// All, those behind busy keys and those waiting included.
    pub events: usize,
    /// Bytes of their bodies.
    pub bytes: usize,
}

/// How many events to fetch now. Nothing until half of the prefetch (2 × `concurrency`) is used up, so that a fetch is a
/// batch.
pub fn fetch(held: Held, concurrency: usize) -> usize {
    let prefetch = concurrency.saturating_mul(2);
    if held.runnable > concurrency || held.bytes >= HELD_BYTES {
        return 0;
    }
    let room = (HELD_EVENTS + prefetch).saturating_sub(held.events);
    prefetch.saturating_sub(held.runnable).min(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_fetch(runnable: usize, events: usize, bytes: usize, expected: usize) {
        assert_eq!(fetch(Held { runnable, events, bytes }, 16), expected);
    }

    #[test]
    fn prefetch_is_twice_the_concurrency_and_comes_in_batches() {
        check_fetch(0, 0, 0, 32);
        check_fetch(16, 16, 0, 16);
        check_fetch(17, 17, 0, 0);
    }

    #[test]
    fn a_hot_key_is_passed_until_too_much_is_held() {
        check_fetch(1, 1_000, 0, 31);
        check_fetch(1, 1_050, 0, 6);
        check_fetch(1, 1_056, 0, 0);
        check_fetch(0, 1, 32 << 20, 0);
    }

    #[test]
    fn one_at_a_time_still_fetches_ahead() {
        assert_eq!(fetch(Held { runnable: 1, events: 1, bytes: 0 }, 1), 1);
    }
}
