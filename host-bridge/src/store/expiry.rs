//! Values that go by age. Each write of one notes when it would go, and under which revision: a later write has its own
//! note, so the earlier one comes to nothing.

use super::batch::Row;
use super::state::State;
use crate::clock::Millis;
use bytes::Bytes;
use rusqlite::Connection;

/// Notes looked at in one round.
const ROUND: usize = 500;

/// A note that is due, and where the value of its row lies now, if anywhere.
#[derive(Debug)]
pub(crate) struct Due {
    pub note: Note,
    cell: Option<(u32, String)>,
}

/// When a value goes, as it lies in the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note {
    pub at: u64,
    pub row: Row,
}

/// What is due at `now`, and whether there may be more. To be read by the writer alone, after its commit: so the rows
/// are what memory takes them for, wherever it does not know better.
pub(crate) fn due(connection: &Connection, now: Millis) -> rusqlite::Result<(Vec<Due>, bool)> {
    let mut statement = connection.prepare_cached(
        "SELECT at, expiries.id, expiries.revision, kv.store, kv.key FROM expiries
         LEFT JOIN kv ON kv.id=expiries.id AND kv.revision=expiries.revision WHERE at<=?1 ORDER BY at LIMIT ?2",
    )?;
    let number = super::readers::number;
    let rows = statement.query_map((now.0.cast_signed(), ROUND as i64), |row| {
        let note = Note { at: number(row, 0)?, row: Row { id: number(row, 1)?, revision: number(row, 2)? } };
        let store: Option<u32> = row.get(3)?;
        Ok(Due { note, cell: store.zip(row.get(4)?) })
    })?;
    let due: Vec<Due> = rows.collect::<rusqlite::Result<_>>()?;
    let more = due.len() == ROUND;
    Ok((due, more))
}

impl State {
    /// Deletes what is due, unless it was written meanwhile. The notes go in the same transaction.
    pub(crate) fn expire(&mut self, due: Vec<Due>) {
        for Due { note, cell } in due {
            if let Some((index, key)) = cell.and_then(|(id, key)| Some((self.cells.index(id)?, key))) {
                // The value itself is not needed: where memory does not know the key, what lies on disk is what goes.
                if self.cells.pin(index, &key) {
                    self.cells.fill(index, &key, Some((note.row, Bytes::new())));
                }
                if self.cells.get(index, &key).is_some_and(|entry| entry.revision == note.row.revision) {
                    self.write_cell(index, &key, None);
                }
                self.cells.unpin(index, &key);
            }
            self.advance();
            self.batch.expired.push(note);
        }
    }
}
