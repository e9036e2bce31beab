//! How long an answer of the server is waited for: as TCP does it (RFC 6298), by how long the last ones took. Whoever waits
//! too long stands still for an answer that was lost; whoever waits too short asks twice what was only slow.

use std::time::Duration;

/// The least: a server that syncs, or elects a leader for a moment, is not asked again.
const LEAST: Duration = Duration::from_millis(500);
/// Of a new estimate the last answer is an eighth, of the deviation a quarter.
const SMOOTHING: (u32, u32) = (8, 4);
/// Deviations that are waited for beyond what an answer takes.
const DEVIATIONS: u32 = 4;

/// What is known of the answers so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patience {
    /// How long one takes, and how far that is off; `None` before the first.
    known: Option<(Duration, Duration)>,
}

impl Patience {
    /// How long to wait for the next answer: at most `most`, and that long as long as nothing is known.
    pub(super) fn wait(self, most: Duration) -> Duration {
        let Some((usual, deviation)) = self.known else { return most };
        (usual + deviation * DEVIATIONS).clamp(LEAST.min(most), most)
    }

    /// An answer took this long; one that did not come took twice what it was waited for.
    pub(super) fn learn(&mut self, took: Duration) {
        let Some((usual, deviation)) = &mut self.known else {
            self.known = Some((took, took / 2));
            return;
        };
        *deviation = (*deviation * (SMOOTHING.1 - 1) + usual.abs_diff(took)) / SMOOTHING.1;
        *usual = (*usual * (SMOOTHING.0 - 1) + took) / SMOOTHING.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(3);

    fn taught(answers: &[u64]) -> Patience {
        let mut patience = Patience::default();
        answers.iter().for_each(|took| patience.learn(Duration::from_millis(*took)));
        patience
    }

    #[test]
    fn nothing_known_waits_longest_and_a_quick_server_is_waited_for_shortly() {
        assert_eq!(Patience::default().wait(MOST), MOST);
        assert_eq!(taught(&[2; 20]).wait(MOST), LEAST);
    }

    #[test]
    fn a_slow_server_is_waited_for_longer_than_it_takes() {
        let slow = taught(&[1_200; 40]).wait(MOST);
        assert!(slow > Duration::from_millis(1_200) && slow < MOST, "{slow:?}");
        let uneven = taught(&[100, 900, 100, 900, 100, 900, 100, 900]).wait(MOST);
        assert!(uneven > Duration::from_millis(900), "{uneven:?}");
    }

    #[test]
    fn a_server_that_grows_slow_is_found_out_by_what_it_did_not_answer_in_time() {
        let mut patience = taught(&[2; 100]);
        for _ in 0..4 {
            let waited = patience.wait(MOST);
            patience.learn(waited * 2);
        }
        assert_eq!(patience.wait(MOST), MOST);
    }

    #[test]
    fn a_lost_answer_among_many_that_come_is_soon_forgotten() {
        let mut patience = taught(&[2; 100]);
        patience.learn(LEAST * 2);
        assert!(patience.wait(MOST) > LEAST);
        (0..20).for_each(|_| patience.learn(Duration::from_millis(2)));
        assert_eq!(patience.wait(MOST), LEAST);
    }
}
