//! What a proxy does to the traffic at this moment, and how often it has done so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From who connected to whom it connected to.
    ToServer,
    /// Back.
    ToClient,
}

/// What of a request is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The request itself: it does not happen.
    Request,
    /// The answer: it has happened, and nobody knows.
    Answer,
}

/// Requests of which something is to be lost.
#[derive(Debug, Clone)]
pub struct Losing {
    /// What.
    pub lost: Lost,
    /// Those published to a subject that begins with one of these.
    pub to: Vec<String>,
    /// How many of them, the next ones.
    pub count: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rules {
    blocked: watch::Sender<Vec<Way>>,
    loss: Mutex<Option<Losing>>,
    held: AtomicU64,
    lost: AtomicU64,
}

impl Rules {
    pub(super) fn hold(&self, ways: &[Way]) {
        self.blocked.send_replace(ways.to_vec());
    }

    pub(super) fn lose(&self, loss: Losing) {
        *self.loss.lock().unwrap_or_else(PoisonError::into_inner) = Some(loss);
    }

    /// Returns once that way is open. What waits until then counts as held.
    pub(super) async fn open(&self, way: Way) {
        let mut blocked = self.blocked.subscribe();
        if blocked.borrow().contains(&way) {
            self.held.fetch_add(1, Ordering::Relaxed);
        }
        // The sender lives as long as `self`.
        drop(blocked.wait_for(|blocked| !blocked.contains(&way)).await);
    }

    /// What is to be lost of a request to `subject`; it counts as lost from here on.
    pub(super) fn judge(&self, subject: &str) -> Option<Lost> {
        let mut loss = self.loss.lock().unwrap_or_else(PoisonError::into_inner);
        let loss = loss.as_mut().filter(|loss| loss.count > 0 && loss.to.iter().any(|to| subject.starts_with(to)))?;
        loss.count -= 1;
        Some(loss.lost)
    }

    pub(super) fn note_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn to_be_lost(&self) -> u64 {
        self.loss.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |loss| loss.count)
    }
}
