//! Which invocation an instance runs, for what outlives one: the streams of a reused instance.

use crate::engine::Invocation;
use parking_lot::Mutex;
use std::sync::Arc;

/// The invocation that runs now.
#[derive(Debug, Clone)]
pub(super) struct Running(Arc<Mutex<Arc<Invocation>>>);

impl Running {
    /// Of a fresh instance.
    pub(super) fn new(invocation: Arc<Invocation>) -> Self {
        Self(Arc::new(Mutex::new(invocation)))
    }

    /// Another one runs now.
    pub(super) fn begin(&self, invocation: Arc<Invocation>) {
        *self.0.lock() = invocation;
    }

    /// The one that runs.
    pub(super) fn now(&self) -> Arc<Invocation> {
        Arc::clone(&self.0.lock())
    }
}

/// Counts a call of the guest to the host.
///
/// # Errors
/// Past `most` calls, with what traps the guest: a loop of calls leaves the host too seldom to be interrupted.
pub(super) fn count(invocation: &Invocation, most: u64) -> wasmtime::Result<()> {
    if invocation.count_host_call() > most {
        wasmtime::bail!("more than {most} host calls in one invocation");
    }
    Ok(())
}
