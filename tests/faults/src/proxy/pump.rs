//! One direction of one connection: reads, holds, loses, writes.

use super::frames::{Frames, Kind};
use super::rules::{Lost, Rules, Way};
use bytes::BytesMut;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Where answers are expected that are to be lost: both directions of a connection know.
pub(super) type Awaited = Arc<Mutex<HashSet<String>>>;

/// See the module.
pub(super) struct Pump {
    way: Way,
    rules: Arc<Rules>,
    awaited: Awaited,
    frames: Frames,
    /// Whether it looks like NATS: what does not is passed on as it is.
    foreign: bool,
}

impl Pump {
    pub(super) fn new(way: Way, rules: &Arc<Rules>, awaited: &Awaited) -> Self {
        let (rules, awaited) = (rules.clone(), awaited.clone());
        Self { way, rules, awaited, frames: Frames::default(), foreign: false }
    }

    /// Pumps until the side that is read ends, and tells the other.
    pub(super) async fn run(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
        let mut read = BytesMut::with_capacity(PIECE);
        let mut first = true;
        loop {
            read.clear();
            let ended = from.read_buf(&mut read).await? == 0;
            self.rules.open(self.way).await;
            if ended {
                return to.shutdown().await;
            }
            if std::mem::take(&mut first) {
                self.foreign = !is_nats(&read);
            }
            if self.foreign {
                to.write_all(&read).await?;
            } else {
                self.frames.extend(&read);
                to.write_all(&self.passed()).await?;
            }
        }
    }

    /// What of the whole frames is to be passed on.
    fn passed(&mut self) -> BytesMut {
        let mut passed = BytesMut::new();
        while let Some(frame) = self.frames.next() {
            if self.is_lost(&frame.kind) {
                self.rules.note_lost();
            } else {
                passed.extend_from_slice(&frame.bytes);
            }
        }
        passed
    }

    fn is_lost(&self, kind: &Kind) -> bool {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            // Where no answer is expected, nobody would notice.
            Kind::Publish { subject, reply: Some(reply) } => match self.rules.judge(subject) {
                Some(Lost::Request) => true,
                Some(Lost::Answer) => {
                    awaited.insert(reply.clone());
                    false
                }
                None => false,
            },
            Kind::Message { subject } => awaited.remove(subject),
            _ => false,
        }
    }
}

/// Whether a connection begins as one of NATS: the server's `INFO`, the client's `CONNECT`.
fn is_nats(first: &[u8]) -> bool {
    first.starts_with(b"INFO ") || first.starts_with(b"CONNECT ")
}
