//! What decides: everything in memory under one lock, and the batch that follows it to disk.
//!
//! One lock, because a change of several parts (publish, set a timer, acknowledge) is then one step by construction,
//! and because each holds it for about a microsecond.

use super::batch::{Batch, Upkeep};
use super::cells::Cells;
use super::log::Log;
use super::position::Position;
use super::timers::{MINUTE, Timers};
use super::vitals::HandOuts;
use crate::bus::BusError;
use crate::clock::Millis;
use std::time::Duration;

/// How often it is looked at what may be deleted, in milliseconds.
const UPKEEP_MS: u64 = 1_000;
/// Dead letters are kept this long.
const DEAD_LETTER_AGE: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long after the backlog was drained hand-outs are still counted on disk: what is published meanwhile may be what
/// killed the process.
const CAREFUL_AFTER: Duration = Duration::from_secs(30);

/// The store's state.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Counts changes; also the source of revisions, timer rows and replay sequences, so none of them ever repeats.
    pub tick: u64,
    /// Up to here it is on disk.
    pub durable: u64,
    /// Up to here it is in a batch that was taken.
    pub taken: u64,
    pub batch: Batch,
    pub log: Log,
    pub consumers: Vec<Position>,
    pub timers: Timers,
    pub cells: Cells,
    pub careful: Careful,
    pub hand_outs: HandOuts,
    pub writer_waiting: bool,
    pub stop: Option<Stop>,
    /// Whether anything is deleted at all.
    pub upkeep: bool,
    pub(super) upkeep_due: Millis,
}

/// How the writer is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Write everything, then the clean marker.
    Clean,
    /// Write nothing more: what a test calls a crash, or a failed commit.
    Crash,
}

/// Whether hand-outs are counted on disk before the call, because the last end was not clean.
#[derive(Debug, Default)]
pub(crate) struct Careful {
    pub on: bool,
    drained_at: Option<Millis>,
}

impl State {
    /// The next change.
    pub(crate) fn advance(&mut self) -> u64 {
        self.tick += 1;
        self.batch.changes += 1;
        self.tick
    }

    /// Whether there is something to write.
    pub(crate) fn has_work(&self) -> bool {
        self.tick > self.taken
    }

    /// Whether some consumer's row lags behind, though nothing waits for it.
    pub(crate) fn has_lazy_work(&self) -> bool {
        self.consumers.iter().any(|position| position.dirty || position.moved)
    }

    /// Whether it is time to look at what may be deleted.
    pub(crate) fn upkeep_is_due(&self, now: Millis) -> bool {
        self.upkeep && now >= self.upkeep_due
    }

    /// More is to be deleted than was at once.
    pub(crate) fn hurry_upkeep(&mut self) {
        self.upkeep_due = Millis(0);
    }

    /// Everything that is to be written, as one batch.
    pub(crate) fn take_batch(&mut self, now: Millis) -> Batch {
        let upkeep = self.upkeep_is_due(now);
        for position in &mut self.consumers {
            // What is deleted must be settled on disk: with upkeep every position goes along.
            if position.dirty || (position.moved && (upkeep || self.stop.is_some())) {
                let stream = self.log.streams.get(position.stream).map_or(0, |stream| stream.id);
                self.batch.consumers.push(position.row(stream));
            }
        }
        if upkeep {
            self.upkeep_due = now.after(Duration::from_millis(UPKEEP_MS));
            self.timers.forget_before(now.0 / MINUTE);
            let letter_age = u64::try_from(DEAD_LETTER_AGE.as_millis()).unwrap_or(u64::MAX);
            self.batch.upkeep = Some(Upkeep {
                streams: self.trims(now),
                letters_before: now.0.saturating_sub(letter_age),
                tombstones_before: now.0 / MINUTE,
            });
        }
        (self.batch.tick, self.batch.taken_at) = (self.tick, now);
        self.taken = self.tick;
        let following = self.batch.following();
        std::mem::replace(&mut self.batch, following)
    }

    /// The consumer of that component on that stream.
    pub(crate) fn consumer(&self, component: &str, stream: &str) -> Result<usize, BusError> {
        let named = |position: &Position| {
            let stream_of = self.log.streams.get(position.stream);
            *position.component == *component && stream_of.is_some_and(|found| found.config.name == stream)
        };
        let found = self.consumers.iter().position(named);
        found.ok_or_else(|| BusError::NotFound(format!("consumer {component}/{stream}")))
    }

    /// Whether a hand-out must be on disk before the call.
    pub(crate) fn is_careful(&mut self, now: Millis) -> bool {
        if !self.careful.on {
            return false;
        }
        let behind = self.consumers.iter().any(|one| one.open && !one.paused && !one.drained());
        let drained_at = if behind { None } else { Some(self.careful.drained_at.unwrap_or(now)) };
        self.careful.drained_at = drained_at;
        self.careful.on = drained_at.is_none_or(|at| now.since(at) < CAREFUL_AFTER);
        self.careful.on
    }
}
