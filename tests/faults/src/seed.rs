//! What a run's random choices follow from.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// The seed of a run. `A4CO_SEED` repeats the choices of a run that failed; the timing of processes it does not repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// `A4CO_SEED`, or a new one.
    #[must_use]
    pub fn take() -> Self {
        let given = std::env::var("A4CO_SEED").ok().and_then(|text| text.parse().ok());
        Self(given.unwrap_or_else(|| RandomState::new().build_hasher().finish()))
    }

    /// Choices of one part of the run, independent of the others'.
    #[must_use]
    pub fn choices(self, part: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.0 ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "A4CO_SEED={}", self.0)
    }
}
