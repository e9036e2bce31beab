//! `a4co bridge`: a bridge over the event bus in NATS.

use super::state::State;
use crate::bridge::{self, BridgeParts};
use crate::cli::BridgeCommand;
use crate::clock::SystemClock;
use crate::manifest::Application;
use crate::metrics::Metrics;
use std::sync::Arc;

/// Delivers the events of `application` to another host until it is told to stop.
///
/// # Errors
/// Where it cannot start (each message says what to do), or where a part of it ends by itself.
pub async fn bridge(mut application: Application, command: &BridgeCommand) -> anyhow::Result<()> {
    for component in &mut application.components {
        // Values are the other host's: no bucket is made for them.
        component.key_value_stores.clear();
    }
    let place = (&command.nats, command.state_dir.as_path());
    let state = State::nats(&application, place, Arc::new(SystemClock::default()), Arc::new(Metrics::new())).await?;
    let storage = state.storage.clone();
    let parts = BridgeParts {
        bus: state.bus.clone(),
        durability: state.durability.clone(),
        clock: state.clock.clone(),
        metrics: state.metrics.clone(),
        away: Arc::new(move || storage.away()),
    };
    let outcome = bridge::run(&application, &command.bridge, parts).await;
    state.close().await;
    outcome
}
