//! How much the store holds, for the metrics.

use super::Store;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Sizes and counters, read cheaply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the database file.
    pub database_bytes: u64,
    /// Bytes of its write-ahead log.
    pub wal_bytes: u64,
    /// Events kept, by stream.
    pub events: Vec<(String, u64)>,
    /// Timers that are set.
    pub timers: u64,
    /// Timers that may not be set again, remembered for a while.
    pub spent_timers: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Replays on their way.
    pub replays: u64,
    /// Bytes of key-value pairs in memory.
    pub cached_value_bytes: u64,
    /// Bytes of events in memory.
    pub cached_event_bytes: u64,
    /// Commits since the start.
    pub flushes: u64,
    /// Changes they carried.
    pub flushed_changes: u64,
}

impl Store {
    /// How much there is.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
        let letters = self.read(|connection| {
            connection.prepare_cached("SELECT count(*) FROM dead_letters")?.query_row([], |row| row.get::<_, i64>(0))
        });
        let mut sizes = self.look(|state| Sizes {
            events: state
                .log
                .streams
                .iter()
                .map(|stream| (stream.config.name.clone(), (stream.last + 1).saturating_sub(stream.first)))
                .collect(),
            timers: state.timers.len() as u64,
            spent_timers: state.timers.spent_len() as u64,
            replays: state.consumers.iter().map(|position| position.replays.len() as u64).sum(),
            cached_value_bytes: state.cells.bytes() as u64,
            cached_event_bytes: state.log.streams.iter().map(|stream| stream.tail_bytes() as u64).sum(),
            ..Sizes::default()
        });
        sizes.database_bytes = bytes(&self.inner.file);
        sizes.wal_bytes = bytes(&self.inner.file.with_extension("db-wal"));
        sizes.dead_letters = letters.map_or(0, i64::cast_unsigned);
        sizes.flushes = self.inner.flushes.load(Ordering::Relaxed);
        sizes.flushed_changes = self.inner.changes.load(Ordering::Relaxed);
        sizes
    }
}
