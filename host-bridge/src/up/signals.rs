//! The signals that ask the host to stop.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// Returns the name of the signal, once one came.
pub(super) async fn stop() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
