//! Idle instances of one component, for reuse.

use super::instance::Instance;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// An instance idle for longer is dropped: its memory goes back after a burst.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// A stack: the instance used last is warm in the cache, and those at the bottom grow old and go.
pub(super) struct Pool<E> {
    idle: Mutex<Vec<(Instance<E>, Instant)>>,
    most: usize,
    reuse: u32,
    handles: usize,
}

impl<E> Pool<E> {
    /// Keeps at most `most` idle, and each for at most `reuse` invocations of at most `handles` handles.
    pub(super) fn new(most: usize, reuse: u32, handles: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), most, reuse, handles }
    }

    /// The instance used last, if there is one.
    pub(super) fn take(&self) -> Option<Instance<E>> {
        if self.reuse <= 1 {
            return None;
        }
        self.idle.lock().pop().map(|(instance, _)| instance)
    }

    /// Takes an instance back whose invocation ended well, or drops it.
    pub(super) fn put(&self, mut instance: Instance<E>) {
        if instance.used >= self.reuse || instance.is_worn(self.handles) {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.len() < self.most {
            idle.push((instance, Instant::now()));
        }
    }

    /// Drops what has been idle for long.
    pub(super) fn trim(&self, now: Instant) {
        let mut idle = self.idle.lock();
        let old = idle.iter().take_while(|(_, since)| now.saturating_duration_since(*since) >= LONGEST_IDLE).count();
        let dropped: Vec<_> = idle.drain(..old).collect();
        drop(idle);
        drop(dropped);
    }
}
