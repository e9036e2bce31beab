//! What the engine and its triggers tell of themselves, for whoever counts.

use crate::event::Event;
use std::time::Duration;

/// How an invocation was caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// An HTTP request from outside.
    Http,
    /// A call from another component.
    Call,
    /// An event.
    Event,
}

impl Cause {
    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Call => "call",
            Self::Event => "event",
        }
    }
}

/// Whether a circuit breaker lets calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls fail at once.
    Open,
    /// One call passes and decides.
    HalfOpen,
}

/// One finished outgoing HTTP call of a component.
#[derive(Debug, Clone, Copy)]
pub struct SyncCall<'a> {
    /// The calling component.
    pub source: &'a str,
    /// The called component, or `host:port` outside.
    pub target: &'a str,
    /// The route template that answered, such as `/api/v1/orders/{id}`; `-` outside, where it is not known.
    pub endpoint: &'a str,
    /// The HTTP status; 0 where none came, as where an open breaker refused the call.
    pub status: u16,
    /// From the guest's call to the answer's head, retries included.
    pub duration: Duration,
}

/// Takes the counts. Called on hot paths: an implementation only counts.
pub trait Observer: Send + Sync + 'static {
    /// An invocation ended; `outcome` is one of `ok`, `retry`, `reject`, `trap`, `timeout`, `overload`, `error`,
    /// `unavailable`.
    fn invocation(&self, component: &str, cause: Cause, outcome: &'static str, duration: Duration) {
        let _ = (component, cause, outcome, duration);
    }

    /// An instance was made (`fresh`) or taken from the pool.
    fn instance(&self, component: &str, fresh: bool) {
        let _ = (component, fresh);
    }

    /// An outgoing HTTP call ended.
    fn sync_call(&self, call: SyncCall<'_>) {
        let _ = call;
    }

    /// A component published an event by its own request. What handlers answer with is counted where it is dispatched.
    fn published(&self, component: &str, event: &Event) {
        let _ = (component, event);
    }

    /// A breaker changed.
    fn breaker(&self, source: &str, target: &str, state: BreakerState) {
        let _ = (source, target, state);
    }
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
