//! The database of a stopped host, changed as no crash changes it: what components remember to be safe from repeats is
//! taken from them.

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
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
        Ok(Self {
            connection: checked_pages::open(&state.join("a4co.db"), OpenFlags::default())
                .context("the database of the stopped host")?,
        })
    }

    /// Empties every inbox of every aggregate; how many had something in them.
    ///
    /// # Errors
    /// Where the database cannot be changed.
    pub fn empty_inboxes(&self) -> Result<usize> {
        let mut emptied = 0;
        for (id, mut aggregate) in self.aggregates()? {
            let Some(inbox) = aggregate.get_mut("inbox").filter(|inbox| **inbox != json!({})) else { continue };
            *inbox = json!({});
            emptied += self.store(id, &aggregate)?;
        }
        Ok(emptied)
    }

    /// Takes from the inbox of about every second aggregate what is settled: `settled` is up to where, by consumer such as
    /// `saga/ORDERS`. How many entries that were.
    ///
    /// # Errors
    /// Where the database cannot be changed.
    pub fn forget_settled(&self, settled: &BTreeMap<String, u64>, choices: &mut fastrand::Rng) -> Result<usize> {
        let mut forgotten = 0;
        for (id, mut aggregate) in self.aggregates()? {
            let Some(inbox) = aggregate.get_mut("inbox").and_then(Value::as_object_mut).filter(|_| choices.bool())
            else {
                continue;
            };
            let is_settled = |source: &str, entry: &Value| {
                let consumer = source.split('#').next().unwrap_or_default();
                let sequence = entry["sequence"].as_u64().unwrap_or(u64::MAX);
                settled.get(consumer).is_some_and(|settled| sequence <= *settled)
            };
            if let Some(delivered) = inbox.get_mut("delivered").and_then(Value::as_object_mut) {
                let before = delivered.len();
                delivered.retain(|source, entry| !is_settled(source, entry));
                forgotten += before - delivered.len();
            }
            if let Some(local) = inbox.get_mut("local").and_then(Value::as_array_mut) {
                let before = local.len();
                local.retain(|entry| !is_settled(entry["source"].as_str().unwrap_or_default(), entry));
                forgotten += before - local.len();
            }
            self.store(id, &aggregate)?;
        }
        Ok(forgotten)
    }

    /// Values that are aggregates, by their row.
    fn aggregates(&self) -> Result<Vec<(i64, Value)>> {
        let mut select = self.connection.prepare("SELECT id, value FROM kv")?;
        let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter();
        let values = rows.filter_map(|(id, value)| Some((id, serde_json::from_slice::<Value>(&value).ok()?)));
        Ok(values.filter(|(_, value)| value.get("inbox").is_some()).collect())
    }

    fn store(&self, id: i64, aggregate: &Value) -> Result<usize> {
        let value = aggregate.to_string().into_bytes();
        Ok(self.connection.execute("UPDATE kv SET value=?1 WHERE id=?2", (value, id))?)
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
