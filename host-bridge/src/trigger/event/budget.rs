//! What the sources share: their component's concurrency, and the right to run a suspect.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One source's part in what is shared.
#[derive(Clone)]
pub struct Budget {
    permits: Arc<Semaphore>,
    concurrency: usize,
    /// Sources of the component in line for a permit.
    in_line: Arc<AtomicUsize>,
    solo: Arc<Semaphore>,
}

impl Budget {
    /// The budget of a component; `solo` is the one right of the whole process to run a suspect.
    pub fn new(concurrency: usize, solo: Arc<Semaphore>) -> Self {
        let concurrency = concurrency.max(1);
        Self { permits: Arc::new(Semaphore::new(concurrency)), concurrency, in_line: Arc::default(), solo }
    }

    /// Takes a permit if there is one, and, while other sources wait for theirs, if the caller's `in_use` are below its
    /// share: else a busy source would take back at once whatever it gives.
    pub fn take(&self, in_use: usize) -> bool {
        let others = self.in_line.load(Ordering::Relaxed);
        if others > 0 && in_use >= (self.concurrency / (others + 1)).max(1) {
            return false;
        }
        self.permits.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// Waits in line for a permit, behind those who wait already or are about to.
    pub fn line_up(&self) -> BoxFuture<'static, ()> {
        let place = Place::new(self.in_line.clone());
        let permits = self.permits.clone();
        let waiting = async move {
            let _place = place;
            tokio::task::yield_now().await;
            // The semaphore is never closed.
            if let Ok(permit) = permits.acquire().await {
                permit.forget();
            }
        };
        waiting.boxed()
    }

    /// Gives permits back.
    pub fn give_back(&self, permits: usize) {
        if permits > 0 {
            self.permits.add_permits(permits);
        }
    }

    /// Waits for the right to run a suspect; it is given back by dropping it.
    pub fn solo(&self) -> BoxFuture<'static, Option<OwnedSemaphorePermit>> {
        self.solo.clone().acquire_owned().map(Result::ok).boxed()
    }
}

/// A place in line, left however the wait ends.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn new(in_line: Arc<AtomicUsize>) -> Self {
        in_line.fetch_add(1, Ordering::Relaxed);
        Self(in_line)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_takes_no_more_than_its_share_while_another_is_in_line() {
        let budget = Budget::new(4, Arc::new(Semaphore::new(1)));
        for in_use in 0..4 {
            assert!(budget.take(in_use), "alone it may take all");
        }
        let mut other = budget.line_up();
        assert!((&mut other).now_or_never().is_none());
        assert!((&mut other).now_or_never().is_none(), "all are taken");
        budget.give_back(3);
        assert!(!budget.take(2), "two of four are its share");
        assert!(budget.take(1));
        other.await;
        assert!(budget.take(2), "nobody is in line any more");
        assert!(!budget.take(3), "and all are taken");
    }
}
