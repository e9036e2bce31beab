//! The ledger's journal: a line of JSON a write, read back at the start, flushed before an answer.

use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

/// An append-only file of (key, value).
#[derive(Debug)]
pub struct Journal {
    file: File,
    pending: Vec<u8>,
    /// What was in it at the start.
    pub read: BTreeMap<String, Vec<u8>>,
}

impl Journal {
    /// Opens or creates it. A last line that was cut short is dropped: it was never answered for.
    pub fn open(path: &Path) -> Result<Self> {
        let open = OpenOptions::new().create(true).read(true).append(true).open(path);
        let file = open.with_context(|| format!("opening {}", path.display()))?;
        let mut read = BTreeMap::new();
        let (mut lines, mut line, mut whole) = (BufReader::new(&file), Vec::new(), 0);
        while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let Ok((key, value)) = serde_json::from_slice::<(String, String)>(&line) else { break };
            read.insert(key, value.into_bytes());
            whole += line.len() as u64;
            line.clear();
        }
        // What is written next begins a line of its own.
        file.set_len(whole)?;
        Ok(Self { file, pending: Vec::new(), read })
    }

    /// Notes a write.
    pub fn note(&mut self, key: &str, value: &[u8]) {
        let line = serde_json::json!([key, String::from_utf8_lossy(value)]);
        self.pending.extend_from_slice(line.to_string().as_bytes());
        self.pending.push(b'\n');
    }

    /// Brings what was noted to disk.
    pub fn flush(&mut self) -> std::io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.pending)?;
        self.pending.clear();
        self.file.sync_data()
    }
}
