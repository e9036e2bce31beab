//! Deletes what is no longer needed, a bounded amount at each flush, and gives the space back.

use super::batch::{Trim, Upkeep};
use rusqlite::Connection;

/// Rows of one stream deleted in one flush.
const ROWS: usize = 2_000;
/// Dead letters deleted in one flush.
const LETTERS: usize = 64;
/// Free pages the file keeps for what comes.
const FREE_PAGES: i64 = 4_096;
/// Pages given back to the file system in one flush.
const RETURNED_PAGES: u32 = 256;

/// Runs inside the flush's transaction; true where more is left to do.
pub(crate) fn run(connection: &Connection, upkeep: &Upkeep) -> rusqlite::Result<bool> {
    let mut more = false;
    for trim in &upkeep.streams {
        more |= trim_stream(connection, trim)?;
    }
    connection
        .prepare_cached("DELETE FROM tombstones WHERE minute<?1")?
        .execute([upkeep.tombstones_before.cast_signed()])?;
    // Positions grow with time, so the oldest letters are the first.
    let sql = "DELETE FROM dead_letters WHERE died_at<?1 AND position IN
               (SELECT position FROM dead_letters ORDER BY position LIMIT ?2)";
    let letters = connection.prepare_cached(sql)?.execute((upkeep.letters_before.cast_signed(), LETTERS as i64))?;
    Ok(more | (letters == LETTERS) | shrink(connection)?)
}

fn trim_stream(connection: &Connection, trim: &Trim) -> rusqlite::Result<bool> {
    let Some(oldest) = oldest(connection, trim, 1)?.first().copied() else { return Ok(false) };
    if !goes(trim, oldest) {
        return Ok(false);
    }
    let rows = oldest_going(connection, trim)?;
    let Some(upto) = rows.last() else { return Ok(false) };
    let sql = format!("DELETE FROM events_{} WHERE sequence<=?1", trim.stream);
    connection.prepare_cached(&sql)?.execute([upto])?;
    let sql = "UPDATE streams SET last=?1 WHERE id=?2";
    connection.prepare_cached(sql)?.execute((trim.last.cast_signed(), trim.stream))?;
    Ok(rows.len() == ROWS)
}

/// The oldest settled events, as (sequence, published at).
fn oldest(connection: &Connection, trim: &Trim, limit: usize) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT sequence, published_at FROM events_{} WHERE sequence<=?1 ORDER BY sequence LIMIT ?2",
        trim.stream
    ))?;
    let rows = statement.query_map((trim.settled.cast_signed(), limit as i64), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn oldest_going(connection: &Connection, trim: &Trim) -> rusqlite::Result<Vec<i64>> {
    let rows = oldest(connection, trim, ROWS)?.into_iter();
    Ok(rows.take_while(|row| goes(trim, *row)).map(|(sequence, _)| sequence).collect())
}

fn goes(trim: &Trim, (sequence, published_at): (i64, i64)) -> bool {
    published_at < trim.published_before.cast_signed() || sequence <= trim.surplus.cast_signed()
}

/// Gives pages back where a quarter of the file or more is free.
fn shrink(connection: &Connection) -> rusqlite::Result<bool> {
    let read = |pragma: &str| connection.prepare_cached(pragma)?.query_row([], |row| row.get::<_, i64>(0));
    let (free, all) = (read("PRAGMA freelist_count")?, read("PRAGMA page_count")?);
    if free < FREE_PAGES || free < all / 4 {
        return Ok(false);
    }
    let sql = format!("PRAGMA incremental_vacuum({RETURNED_PAGES})");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(true)
}
