//! What has changed since the last flush, in the form in which it is written.

use super::expiry::Note;
use super::hash::{EventId, TimerKey};
use crate::bus::DeadLetter;
use crate::clock::Millis;
use crate::event::Event;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;

/// The changes of one transaction. Filled under the state's lock, written by the writer without it.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Which flush this is, from 1: a slot knows by it whether it is in the open batch already.
    pub number: u64,
    /// Everything up to this tick is in it.
    pub tick: u64,
    /// When it was taken.
    pub taken_at: Millis,
    /// Changes noted, for group-commit figures.
    pub changes: u64,
    pub stores: Vec<(u32, Arc<str>)>,
    pub cells: Vec<CellWrite>,
    pub events: Vec<EventRow>,
    pub timers: FxHashMap<u64, TimerRow>,
    pub gone_timers: Vec<u64>,
    /// Hashes of timers that may not be set again, by the minute in which they are forgotten.
    pub tombstones: FxHashMap<u64, Vec<u64>>,
    pub letters: Vec<LetterChange>,
    pub replays: Vec<ReplayChange>,
    pub consumers: Vec<ConsumerRow>,
    /// Notes of values that went by age, or were written again meanwhile.
    pub expired: Vec<Note>,
    /// What may be deleted for good, where that is looked at in this flush.
    pub upkeep: Option<Upkeep>,
}

/// A key-value row: what lies in the table, what shall.
#[derive(Debug)]
pub(crate) struct CellWrite {
    pub store: u32,
    pub key: Arc<str>,
    pub before: Option<Row>,
    pub after: Option<(Row, Bytes)>,
    /// How long after this write it goes by age.
    pub kept_for: Option<Duration>,
}

/// Where a value lies in the table, and its revision there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub id: u64,
    pub revision: u64,
}

/// An event on its way into its stream's table.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub stream: u32,
    pub sequence: u64,
    pub position: u64,
    pub published_at: u64,
    pub id: Option<EventId>,
    pub correlation: i64,
    pub event: Arc<Event>,
}

/// A timer on its way into the table.
#[derive(Debug)]
pub(crate) struct TimerRow {
    pub key: TimerKey,
    pub cause: u64,
    pub fire_at: u64,
    pub set_at: u64,
    pub event: Arc<Event>,
}

/// What happens to the dead letters, in order.
#[derive(Debug)]
pub(crate) enum LetterChange {
    Keep { position: u64, letter: Box<DeadLetter> },
    Forget(String),
}

/// What happens to the replays, in order.
#[derive(Debug)]
pub(crate) enum ReplayChange {
    Add { sequence: u64, consumer: u64, origin: u64, replay: u32, event: Arc<Event> },
    Remove(u64),
}

/// A consumer's row.
#[derive(Debug)]
pub(crate) struct ConsumerRow {
    pub id: u64,
    pub component: Arc<str>,
    pub stream: u32,
    pub filters: String,
    pub paused: bool,
    pub cursor: u64,
    pub pending: Vec<u8>,
}

/// Up to where things may be deleted, as of this batch.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    pub streams: Vec<Trim>,
    /// Dead letters that died before this instant go.
    pub letters_before: u64,
    /// Tombstones of earlier minutes go.
    pub tombstones_before: u64,
}

/// Up to where one stream may be deleted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trim {
    pub stream: u32,
    /// Its last sequence, kept though all its events go.
    pub last: u64,
    /// Every subscriber has settled these.
    pub settled: u64,
    /// Events published before this instant go by age.
    pub published_before: u64,
    /// Events up to here go by number.
    pub surplus: u64,
}

impl Batch {
    /// The batch after this one.
    pub(crate) fn following(&self) -> Self {
        Self { number: self.number + 1, ..Self::default() }
    }
}
