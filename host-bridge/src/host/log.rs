//! A guest's standard output and error, line by line in the host's log.

use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longest line, in bytes; the rest of a longer one is the next line.
const MAX_LINE_BYTES: usize = 4096;
/// What a guest may write at once.
const MAX_WRITE_BYTES: usize = 64 << 10;

/// Where a guest's stream goes.
pub(super) struct GuestLog {
    component: Arc<str>,
    level: Level,
}

impl GuestLog {
    /// The stream of `component`, logged at `level`.
    pub(super) fn new(component: &Arc<str>, level: Level) -> Self {
        Self { component: Arc::clone(component), level }
    }

    fn lines(&self) -> Lines {
        Lines { component: Arc::clone(&self.component), level: self.level, line: Vec::new() }
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
    component: Arc<str>,
    level: Level,
    line: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
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
        let component = &*self.component;
        match self.level {
            Level::WARN => tracing::warn!(target: "guest", component, "{line}"),
            _ => tracing::info!(target: "guest", component, "{line}"),
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
