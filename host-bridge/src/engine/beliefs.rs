//! What an invocation takes for the state of a key without having asked: what this process last wrote there. Each such
//! belief must prove true before anything that the invocation decided counts.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One key, and the revision it is believed to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belief {
    /// The store.
    pub store: Arc<str>,
    /// The key.
    pub key: String,
    /// Of the value that was recalled.
    pub revision: u64,
}

/// The beliefs of one invocation.
#[derive(Debug, Default)]
pub struct Beliefs {
    /// Whether it may have any: somebody will check them.
    allowed: AtomicBool,
    held: Mutex<Vec<Belief>>,
}

impl Beliefs {
    /// Of an invocation whose beliefs are checked when it is over.
    pub(super) fn allowed() -> Self {
        Self { allowed: true.into(), held: Mutex::default() }
    }

    /// Whether there may be any.
    #[must_use]
    pub fn are_allowed(&self) -> bool {
        self.allowed.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn hold(&self, belief: Belief) {
        self.held.lock().push(belief);
    }

    /// A swap compared with that revision: it was the key's (`proved`), or the guest learns that it was not. Whoever was wrong
    /// once asks from then on.
    pub fn tested(&self, store: &str, key: &str, (revision, proved): (u64, bool)) {
        let same = |belief: &Belief| &*belief.store == store && belief.key == key && belief.revision == revision;
        let mut held = self.held.lock();
        let before = held.len();
        held.retain(|belief| !same(belief));
        if held.len() < before && !proved {
            self.allowed.store(false, Ordering::Relaxed);
        }
    }

    /// Those that nothing has tested so far.
    #[must_use]
    pub fn untested(&self) -> Vec<Belief> {
        self.held.lock().clone()
    }
}
