//! Connections that read beside the writer. Reads are short and mostly from the page cache, so they run on the thread
//! that asks: a hop to another thread would cost more.

use super::batch::Row;
use super::position::LogRow;
use super::schema;
use crate::clock::Millis;
use crate::event::{Event, Headers};
use crate::subject::Subject;
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, types::Type};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Connections kept open.
const KEPT: usize = 4;

/// The pool.
#[derive(Debug)]
pub(crate) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Runs a read on a connection of its own.
    pub(crate) fn with<R>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> rusqlite::Result<R> {
        let idle = self.idle.lock().pop();
        let connection = idle.map_or_else(|| schema::open_reader(&self.file), Ok)?;
        let result = read(&connection);
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        result
    }

    /// Closes all: none may outlive the store.
    pub(crate) fn close(&self) {
        self.idle.lock().clear();
    }
}

/// One key-value row.
pub(crate) fn cell(connection: &Connection, store: u32, key: &str) -> rusqlite::Result<Option<(Row, Bytes)>> {
    let sql = "SELECT id, revision, value FROM kv WHERE store=?1 AND key=?2";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        let value: Vec<u8> = row.get(2)?;
        Ok((Row { id: number(row, 0)?, revision: number(row, 1)? }, Bytes::from(value)))
    };
    statement.query_row((store, key), read).optional()
}

/// Keys of a store after `after`, ascending.
pub(crate) fn keys(connection: &Connection, store: u32, after: &str, limit: usize) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT key FROM kv WHERE store=?1 AND key>?2 ORDER BY key LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map((store, after, limit as i64), |row| row.get(0))?.collect()
}

const EVENT: &str = "subject, aggregate_version, traceparent, body";

/// Events of a stream in (`after`, `until`], at most `limit`.
pub(crate) fn events(
    connection: &Connection,
    stream: u32,
    range: (u64, u64),
    limit: usize,
) -> rusqlite::Result<Vec<LogRow>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT}, sequence, published_at FROM events_{stream} WHERE sequence>?1 AND sequence<=?2
         ORDER BY sequence LIMIT ?3"
    ))?;
    let range = (range.0.cast_signed(), range.1.cast_signed(), limit as i64);
    statement.query_map(range, log_row)?.collect()
}

/// Single events of a stream.
pub(crate) fn events_at(connection: &Connection, stream: u32, wanted: &[u64]) -> rusqlite::Result<Vec<LogRow>> {
    let sql = format!("SELECT {EVENT}, sequence, published_at FROM events_{stream} WHERE sequence=?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(wanted.len());
    for sequence in wanted {
        found.extend(statement.query_row([sequence.cast_signed()], log_row).optional()?);
    }
    Ok(found)
}

/// Events of a stream with that correlation fingerprint, with their positions in the order of all streams.
pub(crate) fn correlated(
    connection: &Connection,
    stream: u32,
    correlation: i64,
) -> rusqlite::Result<Vec<(u64, Arc<Event>)>> {
    // One probe a block of the index, from the first block to the last.
    let mut statement = connection.prepare_cached(&format!(
        "WITH RECURSIVE blocks(block) AS (
           SELECT (SELECT min(sequence) FROM events_{stream}) >> 10
           UNION ALL SELECT block + 1 FROM blocks WHERE block < (SELECT max(sequence) FROM events_{stream}) >> 10)
         SELECT {EVENT}, position FROM blocks CROSS JOIN events_{stream} ON sequence >> 10 = block
         WHERE correlation=?1"
    ))?;
    statement.query_map([correlation], |row| Ok((number(row, 4)?, event(row)?)))?.collect()
}

/// Events of timers, by row.
pub(crate) fn timer_events(connection: &Connection, ids: &[u64]) -> rusqlite::Result<Vec<Option<Arc<Event>>>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {EVENT} FROM timer_events WHERE id=?1"))?;
    ids.iter().map(|id| statement.query_row([id.cast_signed()], event).optional()).collect()
}

/// Events of replays, by sequence.
pub(crate) fn replays(connection: &Connection, wanted: &[u64]) -> rusqlite::Result<Vec<(u64, Arc<Event>)>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {EVENT} FROM replays WHERE sequence=?1"))?;
    let mut found = Vec::with_capacity(wanted.len());
    for sequence in wanted {
        found.extend(statement.query_row([sequence.cast_signed()], event).optional()?.map(|event| (*sequence, event)));
    }
    Ok(found)
}

fn log_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<LogRow> {
    Ok(LogRow { sequence: number(row, 4)?, published_at: Millis(number(row, 5)?), event: event(row)? })
}

/// An event from the first four columns.
pub(crate) fn event(row: &rusqlite::Row<'_>) -> rusqlite::Result<Arc<Event>> {
    let subject = Subject::new(row.get_ref(0)?.as_str()?);
    let subject = subject.map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))?;
    let aggregate_version = row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned);
    let headers = Headers { aggregate_version, traceparent: row.get(2)? };
    let body: Vec<u8> = row.get(3)?;
    Ok(Arc::new(Event::new(subject, body.into(), headers)))
}

/// An unsigned number; numbers lie in the tables as signed ones of the same bits.
pub(crate) fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
