//! A host under test: real processes on free ports with a state of their own, in one of several setups, and a client of
//! it.

mod client;
mod host;
mod latency;
mod manifest;
mod processes;
mod settings;
mod setup;
mod shop;

pub use client::{Client, Reply};
pub use host::{Host, Part};
pub use latency::{Latencies, percentile};
pub use manifest::Manifest;
pub use settings::Settings;
pub use setup::Setup;
pub use shop::{Money, Order, Shop};

use std::time::{Duration, Instant};

/// How long a test waits for what must come.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Polls until `condition` answers, at most [`DEADLINE`].
///
/// # Errors
/// Names what was waited for.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return Ok(found);
        }
        anyhow::ensure!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
