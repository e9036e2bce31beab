//! The database of a stopped host, changed as no crash changes it: what components remember to be safe from repeats is
//! taken from them.

use anyhow::{Context as _, Result};
use rusqlite::Connection;
use serde_json::Value;
use std::path::Path;

/// An event as it lay in the log.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Its subject.
    pub subject: String,
    /// The version of its aggregate, where the log has it.
    pub version: Option<u64>,
    /// Its JSON.
    pub body: Vec<u8>,
}

/// The database of a stopped host.
#[derive(Debug)]
pub struct Memory {
    connection: Connection,
}

impl Memory {
    /// Opens the database in a state directory that nobody uses.
    ///
    /// # Errors
    /// Where there is none.
    pub fn open(state: &Path) -> Result<Self> {
        Ok(Self { connection: Connection::open(state.join("a4co.db")).context("the database of the stopped host")? })
    }

    /// Empties every inbox of every aggregate; how many had something in them.
    ///
    /// # Errors
    /// Where the database cannot be changed.
    pub fn empty_inboxes(&self) -> Result<usize> {
        let mut emptied = 0;
        let mut select = self.connection.prepare("SELECT id, value FROM kv")?;
        let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        for (id, value) in rows.collect::<rusqlite::Result<Vec<_>>>()? {
            let Ok(Value::Object(mut aggregate)) = serde_json::from_slice(&value) else { continue };
            if aggregate.get("inbox").is_none_or(|inbox| inbox.as_object().is_none_or(serde_json::Map::is_empty)) {
                continue;
            }
            aggregate.insert("inbox".to_owned(), Value::Object(serde_json::Map::new()));
            let value = Value::Object(aggregate).to_string().into_bytes();
            emptied += self.connection.execute("UPDATE kv SET value=?1 WHERE id=?2", (value, id))?;
        }
        Ok(emptied)
    }

    /// Makes all events so old that the log does not know a copy by its id any more.
    ///
    /// # Errors
    /// Where the database cannot be changed.
    pub fn age_events(&self) -> Result<()> {
        for table in self.streams()? {
            self.connection.execute(&format!("UPDATE {table} SET published_at = published_at - 3600000"), [])?;
        }
        Ok(())
    }

    /// All events of all streams.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn events(&self) -> Result<Vec<Logged>> {
        let mut events = Vec::new();
        for table in self.streams()? {
            let mut select =
                self.connection.prepare(&format!("SELECT subject, aggregate_version, body FROM {table}"))?;
            let rows = select.query_map([], |row| {
                let version: Option<i64> = row.get(1)?;
                Ok(Logged { subject: row.get(0)?, version: version.map(i64::cast_unsigned), body: row.get(2)? })
            })?;
            events.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        Ok(events)
    }

    fn streams(&self) -> Result<Vec<String>> {
        let mut select = self.connection.prepare("SELECT id FROM streams")?;
        let rows = select.query_map([], |row| row.get::<_, i64>(0).map(|id| format!("events_{id}")))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
