//! A host under test: a real process on free ports with a state directory of its own, and a client of it.

mod client;
mod host;
mod manifest;
mod shop;

pub use client::{Client, Reply};
pub use host::{Host, Settings};
pub use manifest::Manifest;
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
