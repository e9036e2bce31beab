//! The no-op loop natively: log, order, call, acknowledgement; a handler that does nothing, and no codec.

use super::{Silent, load, open, subscribers};
use crate::process;
use a4co_host::bus::EventBus as _;
use a4co_host::bus::embedded::EmbeddedBus;
use a4co_host::dispatch::{Delivery, Dispatch, Verdict};
use a4co_host::trigger::event::{EventTrigger, Parts};
use anyhow::Result;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the loop took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NoopResult {
    /// From the first hand-out to the last settlement.
    pub seconds: f64,
    /// CPU time of the whole process meanwhile.
    pub cpu_micros: u64,
}

struct Noop;

impl Dispatch for Noop {
    fn dispatch(&self, _component: &str, _delivery: Delivery) -> BoxFuture<'static, Verdict> {
        ready(Verdict::Done(Vec::new())).boxed()
    }
}

/// Handles all that lies in a prepared state directory.
///
/// # Errors
/// Where it cannot be opened.
pub async fn run(manifest: &Path, state_dir: &Path) -> Result<NoopResult> {
    let application = load(manifest)?;
    let (store, clock) = open(&application, state_dir)?;
    let bus = Arc::new(EmbeddedBus::new(store.clone()));
    for status in bus.consumers().await? {
        bus.pause(&status.component, &status.stream, false).await?;
    }
    let (cpu, began) = (process::cpu_micros(std::process::id())?, Instant::now());
    let parts = Parts { bus: bus.clone(), dispatch: Arc::new(Noop), clock, observer: Arc::new(Silent) };
    let trigger = EventTrigger::start(parts, subscribers(&application)?).await?;
    while bus.consumers().await?.iter().any(|status| status.pending > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu_micros = process::cpu_micros(std::process::id())?.saturating_sub(cpu);
    trigger.shutdown(Duration::from_secs(1)).await;
    tokio::task::block_in_place(|| store.close());
    Ok(NoopResult { seconds, cpu_micros })
}
