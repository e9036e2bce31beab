//! Everything a stopped host has kept, read row by row for whoever moves it elsewhere.

use super::pending::Pending;
use super::position::{Filter, LogRow};
use super::readers::{self, event, number};
use super::{Store, StoreError};
use crate::clock::Millis;
use crate::event::Event;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stream and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct KeptStream {
    id: u32,
    /// Its name.
    pub name: String,
    /// The oldest sequence it keeps, whether or not what is older was deleted already; one past `last` where it keeps
    /// none.
    pub first: u64,
    /// The newest.
    pub last: u64,
}

/// How far a consumer is.
#[derive(Debug, Clone)]
pub(crate) struct KeptConsumer {
    pub component: String,
    pub stream: String,
    pub filters: Vec<Filter>,
    pub paused: bool,
    pub cursor: u64,
    pub outstanding: BTreeMap<u64, Pending>,
}

/// A timer. What it was set under is known as a fingerprint only.
#[derive(Debug, Clone)]
pub(crate) struct KeptTimer {
    pub fingerprint: String,
    pub fire_at: Millis,
    pub set_at: Millis,
    pub event: Arc<Event>,
}

/// A dead letter on its way to its consumer.
#[derive(Debug, Clone)]
pub(crate) struct KeptReplay {
    pub sequence: u64,
    pub component: String,
    pub stream: String,
    pub origin: u64,
    pub number: u32,
    pub event: Arc<Event>,
}

const EVENT: &str = "e.subject, e.aggregate_version, e.traceparent, e.body";

impl Store {
    /// All streams, those that no manifest names any more too.
    pub(crate) fn kept_streams(&self) -> Vec<KeptStream> {
        self.look(|state| {
            let kept = state.log.streams.iter().enumerate().map(|(index, stream)| KeptStream {
                id: stream.id,
                name: stream.config.name.clone(),
                first: stream.first.max(stream.surplus().min(state.settled_by_all(index)) + 1),
                last: stream.last,
            });
            kept.collect()
        })
    }

    /// Events of a stream after `after`, at most `limit`.
    pub(crate) fn kept_events(&self, stream: &KeptStream, after: u64, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        let after = after.max(stream.first.saturating_sub(1));
        self.rows(|connection| readers::events(connection, stream.id, (after, stream.last), limit))
    }

    /// All consumers.
    pub(crate) fn kept_consumers(&self) -> Vec<KeptConsumer> {
        self.look(|state| {
            let kept = state.consumers.iter().filter_map(|position| {
                let stream = state.log.streams.get(position.stream)?;
                Some(KeptConsumer {
                    component: position.component.to_string(),
                    stream: stream.config.name.clone(),
                    filters: position.filters.clone(),
                    paused: position.paused,
                    cursor: position.cursor,
                    outstanding: position.outstanding.clone(),
                })
            });
            kept.collect()
        })
    }

    /// All timers that are set.
    pub(crate) fn kept_timers(&self) -> Result<Vec<KeptTimer>, StoreError> {
        let sql = format!("SELECT {EVENT}, t.key, t.fire_at, t.set_at FROM timers t JOIN timer_events e USING (id)");
        self.rows(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let timer = |row: &rusqlite::Row<'_>| {
                let key: [u8; 16] = row.get(4)?;
                let fingerprint = format!("{:032x}", u128::from_be_bytes(key));
                let (fire_at, set_at) = (Millis(number(row, 5)?), Millis(number(row, 6)?));
                Ok(KeptTimer { fingerprint, fire_at, set_at, event: event(row)? })
            };
            statement.query_map([], timer)?.collect()
        })
    }

    /// All replays that are not settled, in order.
    pub(crate) fn kept_replays(&self) -> Result<Vec<KeptReplay>, StoreError> {
        let sql = format!(
            "SELECT {EVENT}, e.sequence, c.component, s.name, e.origin, e.replay FROM replays e
             JOIN consumers c ON c.id=e.consumer JOIN streams s ON s.id=c.stream ORDER BY e.sequence"
        );
        self.rows(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let replay = |row: &rusqlite::Row<'_>| {
                Ok(KeptReplay {
                    event: event(row)?,
                    sequence: number(row, 4)?,
                    component: row.get(5)?,
                    stream: row.get(6)?,
                    origin: number(row, 7)?,
                    number: row.get(8)?,
                })
            };
            statement.query_map([], replay)?.collect()
        })
    }

    /// The labels of all key-value stores.
    pub(crate) fn kept_stores(&self) -> Result<Vec<String>, StoreError> {
        self.rows(|connection| {
            let mut statement = connection.prepare("SELECT name FROM stores ORDER BY id")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }

    fn rows<R>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        self.read(read).map_err(|source| StoreError::database(&self.inner.file, source))
    }
}
