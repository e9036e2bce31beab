//! Permits in front of instantiation: a full pool makes callers wait, never fail.
//!
//! They are counted per call depth. A call waits only for permits one level deeper, and the deepest level waits for
//! none, so that callers cannot exhaust what those they call need.

use super::Failure;
use super::invocation::{Invocation, MAX_CALL_DEPTH};
use crate::manifest::{Application, Component};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// HTTP invocations at depth 0, over all components: more only wait for the processor.
const ROOT_CALLS: usize = 256;
/// Invocations at each further depth.
const NESTED_CALLS: usize = 64;
/// Longest a request waits for a permit: past it an answer comes too late to matter.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Idle instances kept for HTTP, per component that reuses them.
pub(super) const IDLE_HTTP: usize = 16;

/// Instances that may live at once, and how large each may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// All components together, running and idle.
    pub instances: u32,
    /// Linear memory of the largest.
    pub memory_bytes: usize,
    /// Table elements of the largest.
    pub table_elements: usize,
}

impl PoolSize {
    /// What the permits of `application` can add up to.
    #[must_use]
    pub fn of(application: &Application) -> Self {
        let calls = ROOT_CALLS + MAX_CALL_DEPTH * NESTED_CALLS;
        let own: usize = application.components.iter().map(Self::own).sum();
        let largest = |measure: fn(&Component) -> usize| application.components.iter().map(measure).max();
        Self {
            instances: u32::try_from(calls + own).unwrap_or(u32::MAX),
            memory_bytes: largest(|component| component.limits.memory_bytes).unwrap_or(1 << 20),
            table_elements: largest(|component| component.limits.table_elements).unwrap_or(1_000),
        }
    }

    fn own(component: &Component) -> usize {
        let events = component.events.as_ref().map_or(0, |events| events.concurrency);
        events + if component.limits.reuse_http > 1 { IDLE_HTTP } else { 0 }
    }
}

/// Semaphores, one per call depth.
#[derive(Debug, Clone)]
pub(super) struct Permits {
    depths: Arc<[Arc<Semaphore>]>,
}

/// Leave to run; returned when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _component: OwnedSemaphorePermit,
    _application: OwnedSemaphorePermit,
}

impl Permits {
    /// Those that all components share.
    pub(super) fn of_application() -> Self {
        Self::new(|depth| if depth == 0 { ROOT_CALLS } else { NESTED_CALLS })
    }

    /// Those of one component.
    pub(super) fn of_component(http_concurrency: usize) -> Self {
        Self::new(|_| http_concurrency.max(1))
    }

    fn new(size: impl Fn(usize) -> usize) -> Self {
        Self { depths: (0..=MAX_CALL_DEPTH).map(|depth| Arc::new(Semaphore::new(size(depth)))).collect() }
    }

    fn at(&self, depth: usize) -> Option<Arc<Semaphore>> {
        self.depths.get(depth).map(Arc::clone)
    }
}

/// Waits for leave to run `invocation`, as long as its deadline allows.
///
/// # Errors
/// [`Failure::Overloaded`] where none came free in time.
pub(super) async fn acquire(
    application: &Permits,
    component: &Permits,
    invocation: &Invocation,
) -> Result<Permit, Failure> {
    let overloaded = || Failure::Overloaded(invocation.component().to_string());
    let depth = invocation.depth();
    let (Some(component), Some(application)) = (component.at(depth), application.at(depth)) else {
        return Err(overloaded());
    };
    if let (Ok(component), Ok(application)) =
        (Arc::clone(&component).try_acquire_owned(), Arc::clone(&application).try_acquire_owned())
    {
        return Ok(Permit { _component: component, _application: application });
    }
    let both = async {
        let component = component.acquire_owned().await.ok()?;
        let application = application.acquire_owned().await.ok()?;
        Some(Permit { _component: component, _application: application })
    };
    let wait = invocation.remaining().min(LONGEST_WAIT);
    tokio::time::timeout(wait, both).await.ok().flatten().ok_or_else(overloaded)
}
