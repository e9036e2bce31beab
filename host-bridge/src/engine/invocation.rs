//! One invocation: how long it may take, who called whom to get here, and what it saw that is not on disk yet.

use super::beliefs::Beliefs;
use crate::durability::Watermark;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Calls between components nest at most this deep: stops runaway recursion through several components, and bounds the
/// number of permit classes that keep callers from starving those they call.
pub const MAX_CALL_DEPTH: usize = 8;

/// Where a chain of invocations came from; the same all the way down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Constant through all that follows from one request.
    pub correlation_id: Option<Arc<str>>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
}

/// What the host knows of a running invocation. Shared with what it starts: calls, requests, bodies.
#[derive(Debug)]
pub struct Invocation {
    component: Arc<str>,
    deadline: Instant,
    origin: Origin,
    caller: Option<Arc<Invocation>>,
    depth: usize,
    watermark: Arc<AtomicU64>,
    outage: Arc<OnceLock<String>>,
    host_calls: AtomicU64,
    logged: AtomicU64,
    beliefs: Beliefs,
}

/// Why a component may not call another from here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NestError {
    /// The callee already waits further up: it would wait for itself.
    #[error("call cycle: {0}")]
    Cycle(String),
    /// Too many components call each other.
    #[error("calls between components nest deeper than {MAX_CALL_DEPTH}: {0}")]
    TooDeep(String),
}

impl Invocation {
    /// One that nobody in the process called, with `budget` from now.
    #[must_use]
    pub fn root(component: Arc<str>, budget: Duration, origin: Origin) -> Arc<Self> {
        Arc::new(Self::new(component, budget, origin))
    }

    /// The same, of one that may go by what this process last wrote: whoever starts it checks its [`Beliefs`] when it is
    /// over.
    #[must_use]
    pub fn believing(component: Arc<str>, budget: Duration, origin: Origin) -> Arc<Self> {
        Arc::new(Self { beliefs: Beliefs::allowed(), ..Self::new(component, budget, origin) })
    }

    fn new(component: Arc<str>, budget: Duration, origin: Origin) -> Self {
        Self {
            component,
            deadline: Instant::now() + budget,
            origin,
            caller: None,
            depth: 0,
            watermark: Arc::default(),
            outage: Arc::default(),
            host_calls: AtomicU64::new(0),
            logged: AtomicU64::new(0),
            beliefs: Beliefs::default(),
        }
    }

    /// One that `self` calls: it inherits what is left of the time, at most `budget`, and its watermark is the caller's.
    ///
    /// # Errors
    /// Where the callee is already on the path or the path is too long.
    pub fn nested(self: &Arc<Self>, callee: Arc<str>, budget: Duration) -> Result<Arc<Self>, NestError> {
        if self.path().any(|component| *component == callee) {
            return Err(NestError::Cycle(self.describe_path(&callee)));
        }
        if self.depth >= MAX_CALL_DEPTH {
            return Err(NestError::TooDeep(self.describe_path(&callee)));
        }
        Ok(Arc::new(Self {
            component: callee,
            deadline: self.deadline.min(Instant::now() + budget),
            origin: self.origin.clone(),
            caller: Some(Arc::clone(self)),
            depth: self.depth + 1,
            watermark: Arc::clone(&self.watermark),
            outage: Arc::clone(&self.outage),
            host_calls: AtomicU64::new(0),
            logged: AtomicU64::new(0),
            beliefs: Beliefs::default(),
        }))
    }

    /// The component that runs.
    #[must_use]
    pub fn component(&self) -> &Arc<str> {
        &self.component
    }

    /// When it must be over.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What is left until the deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Where the chain came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many calls between components led here.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Notes that something was read or written that is certain only from `watermark` on.
    pub fn observe(&self, watermark: Watermark) {
        self.watermark.fetch_max(watermark.0, Ordering::Relaxed);
    }

    /// The highest watermark observed so far, callees included: what leaves the process waits for it.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        Watermark(self.watermark.load(Ordering::Relaxed))
    }

    /// Notes that a store or the bus was out of reach, or did not answer: what the guest makes of it is not its own doing.
    pub fn met_outage(&self, what: &impl ToString) {
        self.outage.get_or_init(|| what.to_string());
    }

    /// What was out of reach, callees included; the first of it.
    #[must_use]
    pub fn outage(&self) -> Option<&str> {
        self.outage.get().map(String::as_str)
    }

    /// What it goes by without having asked.
    #[must_use]
    pub fn beliefs(&self) -> &Beliefs {
        &self.beliefs
    }

    /// Counts a call to the host; the new count.
    pub fn count_host_call(&self) -> u64 {
        self.host_calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts bytes that the guest wrote to its log; how many it had written before.
    pub fn count_logged(&self, bytes: u64) -> u64 {
        self.logged.fetch_add(bytes, Ordering::Relaxed)
    }

    /// What its log lines are found by; `-` where nobody gave one.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        self.origin.correlation_id.as_deref().unwrap_or("-")
    }

    fn path(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::successors(Some(self), |invocation| invocation.caller.as_deref()).map(Self::component)
    }

    fn describe_path(&self, callee: &str) -> String {
        let mut names: Vec<&str> = self.path().map(|component| &**component).collect();
        names.reverse();
        format!("{} → {callee}", names.join(" → "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Arc<Invocation> {
        Invocation::root("a".into(), Duration::from_secs(5), Origin::default())
    }

    #[test]
    fn a_callee_on_the_path_is_a_cycle() {
        let b = root().nested("b".into(), Duration::from_secs(1)).unwrap();
        assert_eq!(b.nested("a".into(), Duration::from_secs(1)).unwrap_err().to_string(), "call cycle: a → b → a");
        assert!(b.nested("c".into(), Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn nesting_is_bounded() {
        let mut at = root();
        for depth in 0..MAX_CALL_DEPTH {
            at = at.nested(format!("c{depth}").into(), Duration::from_secs(1)).unwrap();
        }
        assert!(matches!(at.nested("last".into(), Duration::from_secs(1)), Err(NestError::TooDeep(_))));
    }

    #[test]
    fn a_callee_has_at_most_the_callers_time_and_shares_its_watermark() {
        let a = root();
        let b = a.nested("b".into(), Duration::from_secs(60)).unwrap();
        assert_eq!(b.deadline(), a.deadline());
        b.observe(Watermark(7));
        assert_eq!(a.watermark(), Watermark(7));
    }

    #[test]
    fn a_caller_knows_what_its_callees_could_not_reach() {
        let a = root();
        assert_eq!(a.outage(), None);
        let b = a.nested("b".into(), Duration::from_secs(1)).unwrap();
        b.met_outage(&"the store is away");
        b.met_outage(&"the bus too");
        assert_eq!(a.outage(), Some("the store is away"));
    }
}
