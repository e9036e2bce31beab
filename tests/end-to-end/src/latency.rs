//! Durations, and percentiles by nearest rank: each is one of the values themselves.

use std::time::Duration;

/// The smallest of `sorted` that is not below `percent` of all: of few ones the p99 is the largest. `None` of none.
#[must_use]
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Durations in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The percentile in milliseconds; NaN where there is none.
    #[expect(clippy::cast_precision_loss, reason = "what is measured is far shorter than what a float still counts")]
    pub fn percentile(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        percentile(&self.0, percent).map_or(f64::NAN, |micros| micros as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut latencies = Latencies::default();
        (1..=200).rev().for_each(|ms| latencies.add(Duration::from_millis(ms)));
        assert_eq!(latencies.percentile(50), 100.0);
        assert_eq!(latencies.percentile(99), 198.0);
        assert_eq!(latencies.percentile(100), 200.0);
        assert!(Latencies::default().percentile(50).is_nan());
    }

    #[test]
    fn of_few_times_the_longest_is_the_p99() {
        let times: Vec<_> = (1..=10).map(Duration::from_secs).collect();
        assert_eq!(percentile(&times, 50), Some(Duration::from_secs(5)));
        assert_eq!(percentile(&times, 99), Some(Duration::from_secs(10)));
        assert_eq!(percentile::<Duration>(&[], 99), None);
        let many: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&many, 99), Some(Duration::from_millis(198)));
    }
}
