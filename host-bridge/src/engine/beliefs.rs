//! What an invocation takes for the state of a key without having asked: what this process last wrote there. Each such
//! belief must prove true before anything that the invocation decided counts.

use crate::keyvalue::{KeyValue, KeyValueError};
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

    /// A swap of the key went through: what was believed of it is past.
    pub fn proved(&self, store: &str, key: &str) {
        self.held.lock().retain(|belief| &*belief.store != store || belief.key != key);
    }

    /// A swap has shown that something else is there. The belief stays until another swap of the key goes through, and
    /// whoever was wrong once asks from then on.
    pub fn disproved(&self) {
        self.allowed.store(false, Ordering::Relaxed);
    }

    /// Looks whether all of them hold but those of the key `except`; those that do are beliefs no more.
    ///
    /// # Errors
    /// Where a store does not answer.
    pub async fn hold_true(&self, stores: &dyn KeyValue, except: Option<(&str, &str)>) -> Result<bool, KeyValueError> {
        for belief in self.untested() {
            let place = (&*belief.store, belief.key.as_str());
            if except == Some(place) {
                continue;
            }
            if stores.get(place.0, place.1).await?.revision != belief.revision {
                self.disproved();
                return Ok(false);
            }
            self.held.lock().retain(|held| *held != belief);
        }
        Ok(true)
    }

    /// Those that nothing has tested so far.
    fn untested(&self) -> Vec<Belief> {
        self.held.lock().clone()
    }
}
