//! What customers have seen so far, written down by all of them; and how one asks until there is an answer.

use crate::Notes;
use anyhow::{Context as _, Result};
use end_to_end::{Client, Reply};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long one answer may take to come, restarts included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How long a customer waits until asking again, where the host does not answer.
const PAUSE: Duration = Duration::from_millis(15);

/// What the customers have seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    notes: Mutex<Notes>,
    /// Requests under way that were not answered so far.
    pub(crate) waiting: AtomicUsize,
    /// Tries that led to no answer.
    pub(crate) put_off: AtomicUsize,
}

impl Seen {
    pub(crate) fn look<R>(&self, read: impl FnOnce(&Notes) -> R) -> R {
        read(&self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn note<R>(&self, write: impl FnOnce(&mut Notes) -> R) -> R {
        write(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks until there is an answer that is one.
    pub(crate) async fn answered(&self, door: &Client, path: &str, (key, body): (&str, &Value)) -> Result<Reply> {
        let mut last = "nothing".to_owned();
        let asking = async {
            loop {
                match door.post_traced(path, key, body).await {
                    Ok(reply) if reply.status < 500 && reply.status != 429 && reply.status != 202 => return reply,
                    other => {
                        last = other
                            .map_or_else(|error| error.to_string(), |reply| format!("{} {}", reply.status, reply.text));
                        self.put_off.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let answered = tokio::time::timeout(PATIENCE, asking).await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        answered.with_context(|| format!("{key} got no answer in {PATIENCE:?}; the last it was told is {last}"))
    }
}
