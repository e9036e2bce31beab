//! Percentiles of what was measured, by nearest rank: each is one of the values themselves.

/// The smallest of `sorted` that is not below `percent` of all: of few ones the p99 is the largest. `None` of none.
#[must_use]
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let many: Vec<u32> = (1..=200).collect();
        assert_eq!([50, 99, 100].map(|percent| percentile(&many, percent)), [Some(100), Some(198), Some(200)]);
    }

    #[test]
    fn of_few_values_the_largest_is_the_p99() {
        let few: Vec<u32> = (1..=10).collect();
        assert_eq!([50, 99].map(|percent| percentile(&few, percent)), [Some(5), Some(10)]);
        assert_eq!(percentile::<u32>(&[], 99), None);
    }
}
