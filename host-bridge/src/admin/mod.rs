//! The operators' listener: health, metrics, the log as it grows, dead letters, consumers, backup.
//!
//! It has no authentication: it listens on the loopback interface, and refuses what a browser sends for another site.

mod answer;
mod consumers;
mod dead_letters;
mod events;
mod tail;
#[cfg(test)]
mod tests;
mod view;

use crate::bus::EventBus;
use crate::durability::Durability;
use crate::metrics::{CONTENT_TYPE, Metrics};
use answer::{Answer, Refusal, json};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::future::BoxFuture;
use http::{StatusCode, header};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Largest body taken, in bytes: an event by an operator's hand.
const MAX_BODY_BYTES: usize = 1 << 20;

/// How long a scrape waits to be told how the consumers stand.
const CONSUMERS: Duration = Duration::from_secs(1);

/// What the listener asks of the rest of the host.
pub trait Operations: Send + Sync + 'static {
    /// `Ok` where requests and events are served; else what is not ready yet.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn ready(&self) -> Result<(), String>;

    /// Why the bus cannot be asked now; `None` where it can.
    fn away(&self) -> Option<String> {
        None
    }

    /// What an operator should look at though all is served, a sentence each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Stops or resumes a consumer's hand-outs in this process, those already fetched included; that it stays so over a
    /// restart is the bus's part.
    fn paused(&self, component: &str, stream: &str, paused: bool);

    /// Sizes in bytes, by part: `database`, `wal`, `code_cache`.
    fn sizes(&self) -> Vec<(&'static str, u64)>;

    /// Writes a consistent copy of all state to `file`, which must not exist; answers its size in bytes.
    fn backup(&self, file: PathBuf) -> BoxFuture<'_, anyhow::Result<u64>>;
}

/// What the routes share.
#[derive(Clone)]
pub struct Admin {
    /// The bus.
    pub bus: Arc<dyn EventBus>,
    /// Answers wait for it.
    pub durability: Arc<dyn Durability>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// The rest.
    pub operations: Arc<dyn Operations>,
    /// Ends the open tails, so that the listener can drain.
    pub shutdown: CancellationToken,
}

/// The listener's routes.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .merge(of_the_bus().route_layer(middleware::from_fn_with_state(admin.clone(), reachable)))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/backup", post(backup))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is no such route on the admin listener"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(same_site))
        .with_state(admin)
}

/// What asks the bus.
fn of_the_bus() -> Router<Admin> {
    Router::new()
        .route("/events", get(tail::tail))
        .route("/events/{name}", get(events::correlated).post(events::publish))
        .route("/dlq", get(dead_letters::list))
        .route("/dlq/{id}", get(dead_letters::show).delete(dead_letters::discard))
        .route("/dlq/{id}/replay", post(dead_letters::replay))
        .route("/consumers", get(consumers::list))
        .route("/consumers/{component}/{stream}/pause", post(consumers::pause))
        .route("/consumers/{component}/{stream}/resume", post(consumers::resume))
}

/// What is known to be away is told at once.
async fn reachable(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    match admin.operations.away() {
        Some(why) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
        None => next.run(request).await,
    }
}

/// A page open in the operator's browser must not drive the host.
async fn same_site(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return Refusal::new(StatusCode::FORBIDDEN, "the admin listener does not answer web pages").into_response();
    }
    next.run(request).await
}

async fn ready(State(admin): State<Admin>) -> Result<String, Refusal> {
    match admin.operations.ready() {
        Ok(()) => {
            let warnings = admin.operations.warnings().into_iter().map(|warning| format!("warning: {warning}\n"));
            Ok(std::iter::once("ready\n".to_owned()).chain(warnings).collect())
        }
        Err(why) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

async fn scrape(State(admin): State<Admin>) -> Response {
    // A bus that is away must not take the other metrics with it, nor keep them waiting.
    let asked = async { if admin.operations.away().is_none() { admin.bus.consumers().await.ok() } else { None } };
    if let Ok(Some(consumers)) = tokio::time::timeout(CONSUMERS, asked).await {
        admin.metrics.set_consumers(&consumers);
    }
    admin.metrics.set_sizes(&admin.operations.sizes());
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.metrics.encode()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupRequest {
    path: PathBuf,
}

async fn backup(State(admin): State<Admin>, body: Bytes) -> Answer {
    let request: BackupRequest = serde_json::from_slice(&body).map_err(|error| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("expected {{\"path\": \"…\"}}: {error}"))
    })?;
    if !request.path.is_absolute() {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "path: expected an absolute path"));
    }
    let failed = |error: anyhow::Error| Refusal::new(StatusCode::CONFLICT, format!("no backup was made: {error:#}"));
    let bytes = admin.operations.backup(request.path.clone()).await.map_err(failed)?;
    Ok(json(&serde_json::json!({ "path": request.path, "bytes": bytes })))
}
