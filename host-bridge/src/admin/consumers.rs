//! `/consumers`: how far each component is on each stream, and stopping it.

use super::Admin;
use super::answer::{Answer, json};
use super::view::ListView;
use axum::extract::{Path, State};
use serde_json::json as object;

pub(super) async fn list(State(admin): State<Admin>) -> Answer {
    Ok(json(&ListView { items: admin.bus.consumers().await?, next: None }))
}

pub(super) async fn pause(admin: State<Admin>, name: Path<(String, String)>) -> Answer {
    set(admin, name, true).await
}

pub(super) async fn resume(admin: State<Admin>, name: Path<(String, String)>) -> Answer {
    set(admin, name, false).await
}

async fn set(State(admin): State<Admin>, Path((component, stream)): Path<(String, String)>, paused: bool) -> Answer {
    let watermark = admin.bus.pause(&component, &stream, paused).await?;
    admin.operations.paused(&component, &stream, paused);
    admin.durability.flushed(watermark).await?;
    Ok(json(&object!({ "component": component, "stream": stream, "paused": paused })))
}
