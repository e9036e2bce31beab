//! Where the host had come when it died: what it noted under `A4CO_VITALS`.

use anyhow::{Context as _, Result};
use std::path::Path;

/// The host's notes of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// The latest change in memory.
    pub latest: u64,
    /// The latest change on disk.
    pub durable: u64,
    /// Events that were handed to a handler in this life.
    pub handed_out: u64,
    /// Those that came back with a verdict.
    pub returned: u64,
}

impl Vitals {
    /// Reads them, of a living host or a dead one.
    ///
    /// # Errors
    /// Where there are none.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("the host's vitals, {}", path.display()))?;
        let number = |place: usize| {
            let part = bytes.get(place * 8..place * 8 + 8).and_then(|part| part.try_into().ok());
            part.map(u64::from_le_bytes).with_context(|| format!("{} is cut short", path.display()))
        };
        Ok(Self { latest: number(0)?, durable: number(1)?, handed_out: number(2)?, returned: number(3)? })
    }

    /// Whether a death now would find a write that is not flushed and an event that is not acknowledged.
    #[must_use]
    pub fn is_amid_work(&self) -> bool {
        self.latest > self.durable && self.handed_out > self.returned
    }
}
