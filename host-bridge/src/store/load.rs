//! Reads the state back at a start.

use super::dedup::{REMEMBERED_IDS, REMEMBERED_MS};
use super::log::Stream;
use super::pending::{self, Replay};
use super::position::{Filter, Position};
use super::readers::number;
use super::schema;
use super::state::State;
use crate::bus::StreamConfig;
use crate::clock::Millis;
use crate::delivery::LONGEST_ASKED;
use rusqlite::{Connection, types::Type};
use serde::{Deserialize, Serialize};

/// Backlogs up to this many events are counted by subject at a start; of longer ones every event counts as wanted.
const COUNTED_BACKLOG: u64 = 20_000;

/// A stream's settings as they lie in its row.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    subjects: Vec<String>,
    max_age_ms: Option<u64>,
    max_messages: Option<u64>,
}

impl Settings {
    fn of(config: &StreamConfig) -> String {
        let settings = Self {
            subjects: config.subjects.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            max_age_ms: config.max_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            max_messages: config.max_messages,
        };
        serde_json::to_string(&settings).unwrap_or_default()
    }
}

/// Reads everything that memory holds; creates and changes streams as the configuration says.
pub(super) fn load(connection: &Connection, configs: &[StreamConfig], now: Millis) -> rusqlite::Result<State> {
    let mut state = State { tick: schema::meta(connection, "tick")?.cast_unsigned(), ..State::default() };
    state.taken = state.tick;
    state.durable = state.tick;
    state.batch.number = 1;
    load_streams(connection, configs, now, &mut state)?;
    load_consumers(connection, now, &mut state)?;
    load_timers(connection, now, &mut state)?;
    let mut statement = connection.prepare("SELECT id, name FROM stores")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        state.cells.restore(row.get(0)?, row.get_ref(1)?.as_str()?);
    }
    let last = connection.query_row("SELECT coalesce(max(id), 0) FROM kv", [], |row| number(row, 0))?;
    state.cells.next_row = last + 1;
    Ok(state)
}

fn load_streams(
    connection: &Connection,
    configs: &[StreamConfig],
    now: Millis,
    state: &mut State,
) -> rusqlite::Result<()> {
    for config in configs {
        let settings = Settings::of(config);
        // Settings that changed are taken over; the events and the incarnation stay.
        connection.execute(
            "INSERT INTO streams (name, incarnation, settings, last) VALUES (?1, 1, ?2, 0)
             ON CONFLICT (name) DO UPDATE SET settings=excluded.settings",
            (&config.name, settings),
        )?;
    }
    let mut statement = connection.prepare("SELECT id, name, incarnation, last FROM streams ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (u32, String) = (row.get(0)?, row.get(1)?);
        connection.execute_batch(&schema::stream_tables(id))?;
        let config = configs.iter().find(|config| config.name == name).cloned();
        // A stream the configuration no longer names keeps its events and takes no new ones.
        let config = config.unwrap_or(StreamConfig { name, subjects: Vec::new(), max_age: None, max_messages: None });
        let mut stream = Stream::new(id, config, number(row, 2)?);
        let sql = format!("SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0) FROM events_{id}");
        let (first, last) = connection.query_row(&sql, [], |row| Ok((number(row, 0)?, number(row, 1)?)))?;
        stream.last = last.max(number(row, 3)?);
        stream.first = if first > 0 { first } else { stream.last + 1 };
        load_window(connection, now, &mut stream)?;
        state.log.streams.push(stream);
    }
    Ok(())
}

fn load_window(connection: &Connection, now: Millis, stream: &mut Stream) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT event_id, sequence, published_at FROM events_{} WHERE sequence>?1 AND published_at>?2
         AND event_id IS NOT NULL ORDER BY sequence",
        stream.id
    ))?;
    let from = stream.last.saturating_sub(REMEMBERED_IDS).cast_signed();
    let mut rows = statement.query((from, now.0.saturating_sub(REMEMBERED_MS).cast_signed()))?;
    while let Some(row) = rows.next()? {
        let at = Millis(number(row, 2)?);
        stream.remember(row.get(0)?, number(row, 1)?, at);
    }
    Ok(())
}

fn load_consumers(connection: &Connection, now: Millis, state: &mut State) -> rusqlite::Result<()> {
    let sql = "SELECT id, component, stream, filters, paused, cursor, pending FROM consumers ORDER BY id";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let stream: u32 = row.get(2)?;
        let Some(index) = state.log.streams.iter().position(|one| one.id == stream) else { continue };
        let mut position = Position::new(number(row, 0)?, row.get_ref(1)?.as_str()?, index);
        let filters: Result<Vec<Filter>, _> = serde_json::from_str(row.get_ref(3)?.as_str()?);
        position.filters = filters.map_err(|error| malformed(3, error.into()))?;
        position.paused = row.get(4)?;
        position.cursor = number(row, 5)?;
        position.dirty = false;
        let pending = pending::decode(row.get_ref(6)?.as_blob()?);
        let (outstanding, counts) = pending.ok_or_else(|| malformed(6, "not a list of messages".into()))?;
        position.outstanding = outstanding;
        load_replays(connection, &mut position)?;
        for (sequence, counted) in counts {
            if let Some(replay) = position.replays.get_mut(&sequence) {
                replay.pending = counted;
            }
        }
        let replays = position.replays.values_mut().map(|replay| &mut replay.pending);
        for pending in position.outstanding.values_mut().chain(replays) {
            // Nobody asks for a longer wait: it was counted from a clock that went ahead of this one.
            if Millis(pending.not_before).since(now) > LONGEST_ASKED {
                pending.not_before = 0;
            }
        }
        if let Some(stream) = state.log.streams.get_mut(index) {
            stream.readers.push(state.consumers.len());
            position.backlog_end = stream.last;
            position.unread = count_unread(connection, stream, &mut position)?;
        }
        state.consumers.push(position);
    }
    Ok(())
}

fn load_replays(connection: &Connection, position: &mut Position) -> rusqlite::Result<()> {
    let sql = "SELECT sequence, origin, replay FROM replays WHERE consumer=?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([position.id.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let replay = Replay { origin: number(row, 1)?, number: row.get(2)?, ..Replay::default() };
        position.replays.insert(number(row, 0)?, replay);
    }
    Ok(())
}

/// How many events after the cursor the consumer wants.
fn count_unread(connection: &Connection, stream: &Stream, position: &mut Position) -> rusqlite::Result<u64> {
    let backlog = stream.last.saturating_sub(position.cursor);
    if backlog == 0 || backlog > COUNTED_BACKLOG {
        position.counted_from = stream.last;
        return Ok(backlog);
    }
    let sql = format!("SELECT subject, sequence FROM events_{} WHERE sequence>?1", stream.id);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([position.cursor.cast_signed()])?;
    let mut wanted = 0;
    while let Some(row) = rows.next()? {
        let subject = crate::subject::Subject::new(row.get_ref(0)?.as_str()?);
        wanted += u64::from(subject.is_ok_and(|subject| position.wants(&subject, number(row, 1).unwrap_or(0))));
    }
    Ok(wanted)
}

fn load_timers(connection: &Connection, now: Millis, state: &mut State) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id, key, cause, fire_at, set_at FROM timers")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key: [u8; 16] = row.get(1)?;
        let (high, low) = (u128::from_be_bytes(key) >> 64, u128::from_be_bytes(key));
        let (row_and_cause, times) = ((number(row, 0)?, number(row, 2)?), (number(row, 3)?, number(row, 4)?));
        let times = by_this_clock(times, now);
        state.timers.restore((high as u64, low as u64), row_and_cause, times);
    }
    let mut statement = connection.prepare("SELECT minute, hashes FROM tombstones")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let minute = number(row, 0)?;
        for bytes in row.get_ref(1)?.as_blob()?.as_chunks::<8>().0 {
            state.timers.restore_spent(minute, u64::from_be_bytes(*bytes));
        }
    }
    Ok(())
}

/// When a timer fires and when it was set; as if it were set now where it says that it is set later than that: the clock
/// was ahead then, and has been set back.
fn by_this_clock((fire_at, set_at): (u64, u64), now: Millis) -> (u64, u64) {
    if set_at <= now.0 {
        return (fire_at, set_at);
    }
    (now.0.saturating_add(fire_at.saturating_sub(set_at)), now.0)
}

fn malformed(column: usize, error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, error)
}
