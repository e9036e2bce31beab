//! Dead letters: kept on disk alone, read once everything before is there.

use super::{EmbeddedBus, add_replay, away, wake};
use crate::bus::{BusError, DeadLetter, DeadLetterCause};
use crate::clock::Millis;
use crate::durability::Watermark;
use crate::store::{LetterChange, readers};
use rusqlite::OptionalExtension as _;
use rusqlite::types::Type;

const COLUMNS: &str = "subject, aggregate_version, traceparent, body, id, component, stream, sequence, replay, \
                       died_at, cause";

impl EmbeddedBus {
    pub(super) async fn letters(&self, limit: usize, before: Option<String>) -> Result<Vec<DeadLetter>, BusError> {
        self.store.all_flushed().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM dead_letters WHERE ?1 IS NULL OR position <
             (SELECT position FROM dead_letters WHERE id=?1) ORDER BY position DESC LIMIT ?2"
        );
        let read = self
            .store
            .read(|connection| connection.prepare_cached(&sql)?.query_map((before, limit as i64), letter)?.collect());
        read.map_err(away)
    }

    pub(super) async fn letter(&self, id: &str) -> Result<DeadLetter, BusError> {
        self.store.all_flushed().await?;
        let sql = format!("SELECT {COLUMNS} FROM dead_letters WHERE id=?1");
        let read = self.store.read(|connection| connection.prepare_cached(&sql)?.query_row([id], letter).optional());
        read.map_err(away)?.ok_or_else(|| BusError::NotFound(format!("dead letter {id}")))
    }

    /// Moves a letter into its consumer's replay source; one at a time, so that none is moved twice.
    pub(super) async fn replay_letter(&self, id: &str) -> Result<Watermark, BusError> {
        self.store.writable()?;
        let _turn = self.store.administer().await;
        let letter = self.letter(id).await?;
        let (watermark, wakes) = self.store.change(|state| {
            let index = state.consumer(&letter.component, &letter.stream)?;
            state.batch.letters.push(LetterChange::Forget(letter.id.clone()));
            let wakes = add_replay(state, index, letter.sequence, letter.replay + 1, &letter.event);
            Ok::<_, BusError>((Watermark(state.tick), wakes))
        })?;
        wake(wakes);
        self.store.flushed_to(watermark).await?;
        Ok(watermark)
    }

    pub(super) async fn discard_letter(&self, id: &str) -> Result<Watermark, BusError> {
        self.store.writable()?;
        let _turn = self.store.administer().await;
        let letter = self.letter(id).await?;
        let watermark = self.store.change(|state| {
            state.batch.letters.push(LetterChange::Forget(letter.id));
            Watermark(state.advance())
        });
        self.store.flushed_to(watermark).await?;
        Ok(watermark)
    }
}

fn letter(row: &rusqlite::Row<'_>) -> rusqlite::Result<DeadLetter> {
    let cause: Result<DeadLetterCause, _> = serde_json::from_str(row.get_ref(10)?.as_str()?);
    Ok(DeadLetter {
        id: row.get(4)?,
        component: row.get(5)?,
        stream: row.get(6)?,
        sequence: readers::number(row, 7)?,
        replay: row.get(8)?,
        event: readers::event(row)?,
        cause: cause.map_err(|error| rusqlite::Error::FromSqlConversionFailure(10, Type::Text, error.into()))?,
        died_at: Millis(readers::number(row, 9)?),
    })
}
