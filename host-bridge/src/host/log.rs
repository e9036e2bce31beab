//! A guest's standard output and error, line by line in the host's log, with the correlation of what it runs.

use super::running::Running;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longest line, in bytes; the rest of a longer one is the next line.
const MAX_LINE_BYTES: usize = 4096;
/// Bytes one invocation may log: a loop that prints must not fill the disk.
const MAX_LOGGED_BYTES: u64 = 64 << 10;
/// What a guest may write at once.
const MAX_WRITE_BYTES: usize = 64 << 10;

/// Where a guest's stream goes.
pub(super) struct GuestLog {
    running: Running,
    level: Level,
}

impl GuestLog {
    /// The stream of an instance, logged at `level`.
    pub(super) fn new(running: &Running, level: Level) -> Self {
        Self { running: running.clone(), level }
    }

    fn lines(&self) -> Lines {
        Lines { running: self.running.clone(), level: self.level, line: Vec::new() }
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.lines())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.lines())
    }
}

/// Collects bytes until a line is whole.
struct Lines {
    running: Running,
    level: Level,
    line: Vec<u8>,
}

impl Lines {
    /// As much as the invocation may still log; of the rest it is told once that it is missing.
    fn take(&mut self, bytes: &[u8]) {
        let before = self.running.now().count_logged(bytes.len() as u64);
        let room = usize::try_from(MAX_LOGGED_BYTES.saturating_sub(before)).unwrap_or(usize::MAX);
        self.split(bytes.get(..room).unwrap_or(bytes));
        if before <= MAX_LOGGED_BYTES && bytes.len() > room {
            self.emit();
            self.line.extend_from_slice(b"(what it writes from here on is left out)");
            self.emit();
        }
    }

    fn split(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
            }
            if byte == b'\n' || self.line.len() >= MAX_LINE_BYTES {
                self.emit();
            }
        }
    }

    /// Control characters are escaped: a guest must not forge lines or colour the terminal.
    fn emit(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let line: String = text.chars().flat_map(escape_control).collect();
        let invocation = self.running.now();
        let (component, correlation_id) = (&**invocation.component(), invocation.correlation_id());
        match self.level {
            Level::WARN => tracing::warn!(target: "guest", component, correlation_id, "{line}"),
            _ => tracing::info!(target: "guest", component, correlation_id, "{line}"),
        }
        self.line.clear();
    }
}

fn escape_control(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = (!character.is_control()).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.emit();
        }
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE_BYTES)
    }
}
