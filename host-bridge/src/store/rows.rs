//! Writes a batch: the SQL of every table, one prepared statement for each kind of change.

use super::batch::{Batch, CellWrite, LetterChange, ReplayChange, Row};
use super::expiry::Note;
use crate::event::Event;
use rusqlite::{CachedStatement, Connection, types::Value};

/// Why a batch could not be written. Either ends the process: memory and disk would no longer agree.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "the row of key `{key}` in store {store} is not the one memory knows ({row:?}): the file was changed by someone else"
    )]
    Overtaken { store: u32, key: String, row: Row },
}

impl WriteError {
    /// Whether the disk is full, and nothing else is wrong.
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

/// Writes everything but the upkeep into the open transaction.
pub(crate) fn write(connection: &Connection, batch: &Batch) -> Result<(), WriteError> {
    write_stores(connection, batch)?;
    write_cells(connection, &batch.cells)?;
    write_expiries(connection, batch)?;
    write_events(connection, batch)?;
    write_timers(connection, batch)?;
    write_letters(connection, batch)?;
    write_replays(connection, batch)?;
    write_consumers(connection, batch)?;
    if batch.changes > 0 {
        super::schema::set_meta(connection, "tick", batch.tick.cast_signed())?;
    }
    Ok(())
}

fn write_stores(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    for (id, name) in &batch.stores {
        connection.prepare_cached("INSERT INTO stores VALUES (?1, ?2)")?.execute((id, &**name))?;
    }
    Ok(())
}

fn write_cells(connection: &Connection, writes: &[CellWrite]) -> Result<(), WriteError> {
    if writes.is_empty() {
        return Ok(());
    }
    let mut update = connection.prepare_cached("UPDATE kv SET revision=?1, value=?2 WHERE id=?3 AND revision=?4")?;
    let mut insert = connection.prepare_cached("INSERT INTO kv VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut delete = connection.prepare_cached("DELETE FROM kv WHERE id=?1 AND revision=?2")?;
    for write in writes {
        let changed = match (&write.before, &write.after) {
            (Some(before), Some((after, value))) if before.id == after.id => update.execute((
                after.revision.cast_signed(),
                &**value,
                after.id.cast_signed(),
                before.revision.cast_signed(),
            ))?,
            (before, after) => {
                let mut gone = 1;
                if let Some(row) = before {
                    gone = delete.execute((row.id.cast_signed(), row.revision.cast_signed()))?;
                }
                if let Some((row, value)) = after {
                    let row = (row.id.cast_signed(), write.store, &*write.key, row.revision.cast_signed(), &**value);
                    insert.execute(row)?;
                }
                gone
            }
        };
        if let (0, Some(row)) = (changed, write.before) {
            return Err(WriteError::Overtaken { store: write.store, key: write.key.to_string(), row });
        }
    }
    Ok(())
}

fn write_expiries(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    for write in &batch.cells {
        let Some((after, (row, _))) = write.kept_for.zip(write.after.as_ref()) else { continue };
        let mut insert = connection.prepare_cached("INSERT INTO expiries VALUES (?1, ?2, ?3)")?;
        let at = batch.taken_at.after(after);
        insert.execute((at.0.cast_signed(), row.id.cast_signed(), row.revision.cast_signed()))?;
    }
    for Note { at, row } in &batch.expired {
        let mut delete = connection.prepare_cached("DELETE FROM expiries WHERE at=?1 AND id=?2 AND revision=?3")?;
        delete.execute((at.cast_signed(), row.id.cast_signed(), row.revision.cast_signed()))?;
    }
    Ok(())
}

fn write_events(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let mut streams: Vec<u32> = batch.events.iter().map(|row| row.stream).collect();
    streams.sort_unstable();
    streams.dedup();
    for stream in streams {
        let sql = format!("INSERT INTO events_{stream} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
        let mut insert = connection.prepare_cached(&sql)?;
        for row in batch.events.iter().filter(|row| row.stream == stream) {
            bind(
                &mut insert,
                1,
                &[row.sequence.cast_signed(), row.position.cast_signed(), row.published_at.cast_signed()],
            )?;
            insert.raw_bind_parameter(4, row.id.as_ref().map(|id| id.as_slice()))?;
            insert.raw_bind_parameter(5, row.correlation)?;
            bind_event(&mut insert, 6, &row.event)?;
            insert.raw_execute()?;
        }
    }
    Ok(())
}

fn write_timers(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO timers VALUES (?1, ?5, ?2, ?3, ?4)")?;
    let mut insert_event = connection.prepare_cached("INSERT INTO timer_events VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut ids: Vec<_> = batch.timers.keys().copied().collect();
    ids.sort_unstable();
    for (id, timer) in ids.iter().filter_map(|id| batch.timers.get_key_value(id)) {
        let numbers = [*id, timer.cause, timer.fire_at, timer.set_at].map(u64::cast_signed);
        bind(&mut insert, 1, &numbers)?;
        insert.raw_bind_parameter(5, [timer.key.0.to_be_bytes(), timer.key.1.to_be_bytes()].as_flattened())?;
        insert.raw_execute()?;
        bind(&mut insert_event, 1, &[id.cast_signed()])?;
        bind_event(&mut insert_event, 2, &timer.event)?;
        insert_event.raw_execute()?;
    }
    let mut delete = connection.prepare_cached("DELETE FROM timers WHERE id=?1")?;
    let mut delete_event = connection.prepare_cached("DELETE FROM timer_events WHERE id=?1")?;
    for id in &batch.gone_timers {
        delete.execute([id.cast_signed()])?;
        delete_event.execute([id.cast_signed()])?;
    }
    let mut spend = connection.prepare_cached("INSERT INTO tombstones VALUES (?1, ?2, ?3)")?;
    for (minute, hashes) in &batch.tombstones {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_be_bytes()).collect();
        spend.execute((minute.cast_signed(), batch.tick.cast_signed(), bytes))?;
    }
    Ok(())
}

fn write_letters(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    for change in &batch.letters {
        match change {
            LetterChange::Forget(id) => {
                connection.prepare_cached("DELETE FROM dead_letters WHERE id=?1")?.execute([id])?;
            }
            LetterChange::Keep { position, letter } => {
                let mut insert = connection.prepare_cached(
                    "INSERT OR REPLACE INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                )?;
                let text = |text: &str| Value::from(text.to_owned());
                let number = |number: u64| Value::from(number.cast_signed());
                let columns = [
                    number(*position),
                    text(&letter.id),
                    text(&letter.component),
                    text(&letter.stream),
                    number(letter.sequence),
                    number(u64::from(letter.replay)),
                    number(letter.died_at.0),
                    text(&serde_json::to_string(&letter.cause).unwrap_or_default()),
                ];
                for (at, value) in columns.iter().enumerate() {
                    insert.raw_bind_parameter(at + 1, value)?;
                }
                bind_event(&mut insert, 9, &letter.event)?;
                insert.raw_execute()?;
            }
        }
    }
    Ok(())
}

fn write_replays(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    for change in &batch.replays {
        match change {
            ReplayChange::Remove(sequence) => {
                let sql = "DELETE FROM replays WHERE sequence=?1";
                connection.prepare_cached(sql)?.execute([sequence.cast_signed()])?;
            }
            ReplayChange::Add { sequence, consumer, origin, replay, event } => {
                let sql = "INSERT INTO replays VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                let mut insert = connection.prepare_cached(sql)?;
                let numbers = [*sequence, *consumer, *origin, u64::from(*replay)].map(u64::cast_signed);
                bind(&mut insert, 1, &numbers)?;
                bind_event(&mut insert, 5, event)?;
                insert.raw_execute()?;
            }
        }
    }
    Ok(())
}

fn write_consumers(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO consumers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET
         filters=excluded.filters, paused=excluded.paused, cursor=excluded.cursor, pending=excluded.pending",
    )?;
    for row in &batch.consumers {
        upsert.execute((
            row.id.cast_signed(),
            &*row.component,
            row.stream,
            &row.filters,
            row.paused,
            row.cursor.cast_signed(),
            &row.pending,
        ))?;
    }
    Ok(())
}

fn bind(statement: &mut CachedStatement<'_>, from: usize, numbers: &[i64]) -> rusqlite::Result<()> {
    numbers.iter().enumerate().try_for_each(|(at, number)| statement.raw_bind_parameter(from + at, number))
}

/// Binds subject, aggregate version, trace context and body to four parameters.
fn bind_event(statement: &mut CachedStatement<'_>, from: usize, event: &Event) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(from, event.subject.as_str())?;
    statement.raw_bind_parameter(from + 1, event.headers.aggregate_version.map(u64::cast_signed))?;
    statement.raw_bind_parameter(from + 2, event.headers.traceparent.as_deref())?;
    statement.raw_bind_parameter(from + 3, &*event.body)
}
