//! Durations, and their percentiles.

use std::time::Duration;

/// Durations in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The percentile in milliseconds; NaN where there is none.
    #[expect(clippy::cast_precision_loss, reason = "what is measured is far shorter than what a float still counts")]
    pub fn percentile(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        end_to_end::percentile(&self.0, percent).map_or(f64::NAN, |micros| micros as f64 / 1_000.0)
    }
}
