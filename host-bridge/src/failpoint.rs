//! Points at which a test makes this process die, fail or wait. What must hold after a crash at a point is shown by
//! crashing there, not by hoping that a random kill meets it.
//!
//! Unset, a point costs one load. The variable `A4CO_FAILPOINTS` arms some, separated by commas, each written
//! `point[@component][#hit][=action]`: `swap.after@inventory#2=durable-die`. Without a component every one counts, without
//! a hit the first; `#every` means each. Actions:
//!
//! - `die` (where none is given): the process aborts, and with it goes what is not on disk.
//! - `durable-die`: it aborts once all that has happened so far is on disk.
//! - `fail`: the step is answered as failed with an unknown outcome; before a step it was not made, after it it was.
//! - `hold:FILE`: it waits while the file exists.

mod spec;

use crate::durability::Durability;
use spec::Action;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The environment variable that arms failpoints.
pub const VARIABLE: &str = "A4CO_FAILPOINTS";
/// How often a point that is held looks whether it may go on.
const LOOK: Duration = Duration::from_millis(2);

/// A place where something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// `swap.before`: a guest asks for a compare-and-swap; nothing is written.
    BeforeSwap,
    /// `swap.after`: it is written; the guest has not been told.
    AfterSwap,
    /// `publish.before`: a request publishes its event; the bus has not seen it.
    BeforePublish,
    /// `publish.after`: the bus has it; the guest has not been told.
    AfterPublish,
    /// `answer`: a handler has answered; nothing of the answer has been carried out.
    Answer,
    /// `settle.before`: an event is about to be settled: its outputs published, itself acknowledged.
    BeforeSettle,
    /// `settle.after`: it is settled; nobody has been told.
    AfterSettle,
    /// `response.before`: all that a response tells is on disk; no byte of it has left.
    BeforeResponse,
}

/// What to do at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a point that is to fail must fail"]
pub enum Reached {
    /// Go on.
    GoOn,
    /// Answer as failed, with an unknown outcome.
    Fail,
}

impl Reached {
    /// Whether the step is to be answered as failed.
    pub fn fails(self) -> bool {
        self == Self::Fail
    }
}

/// One armed point.
#[derive(Debug)]
struct Failpoint {
    point: Point,
    component: Option<String>,
    /// Which hit; `None` is every one.
    hit: Option<u64>,
    action: Action,
    seen: AtomicU64,
}

struct Armed {
    points: Vec<Failpoint>,
    durability: Arc<dyn Durability>,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms the points that `text` names, once in the life of the process. `durability` tells `durable-die` when.
///
/// # Errors
/// Where the text names no point or no action.
pub fn arm(text: &str, durability: Arc<dyn Durability>) -> anyhow::Result<()> {
    let points = spec::parse(text)?;
    tracing::warn!("{VARIABLE} is set: this process is going to fail on purpose at {text}");
    // Armed before, by a test that runs several hosts in one process: the first stays.
    let _ = ARMED.set(Armed { points, durability });
    Ok(())
}

/// The process is at `point`, on behalf of `component`.
pub async fn reached(point: Point, component: &str) -> Reached {
    match ARMED.get() {
        None => Reached::GoOn,
        Some(armed) => armed.reached(point, component).await,
    }
}

impl Armed {
    async fn reached(&self, point: Point, component: &str) -> Reached {
        for armed in self.points.iter().filter(|armed| armed.matches(point, component)) {
            let seen = armed.seen.fetch_add(1, Ordering::Relaxed) + 1;
            if armed.hit.is_some_and(|hit| hit != seen) {
                continue;
            }
            tracing::warn!(?point, component, action = ?armed.action, "failpoint reached");
            match &armed.action {
                Action::Die => std::process::abort(),
                Action::DurableDie => {
                    self.durability.durable(self.durability.latest()).await;
                    std::process::abort();
                }
                Action::Fail => return Reached::Fail,
                Action::Hold(file) => held(file).await,
            }
        }
        Reached::GoOn
    }
}

impl Failpoint {
    fn matches(&self, point: Point, component: &str) -> bool {
        self.point == point && self.component.as_deref().is_none_or(|wanted| wanted == component)
    }
}

async fn held(file: &Path) {
    while file.exists() {
        tokio::time::sleep(LOOK).await;
    }
}
