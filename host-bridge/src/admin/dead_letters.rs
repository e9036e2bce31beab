//! `/dlq`: what could not be handled, and what to do about it.

use super::Admin;
use super::answer::{Answer, json};
use super::view::{DeadLetterView, ListView};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::json as object;

/// Dead letters a page, where the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// Most dead letters a page: the answer is built in memory.
const MAX_LIMIT: usize = 1_000;

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    before: Option<String>,
}

pub(super) async fn list(State(admin): State<Admin>, page: Result<Query<Page>, QueryRejection>) -> Answer {
    let Query(page) = page?;
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let letters = admin.bus.dead_letters(limit, page.before).await?;
    let next = letters.last().filter(|_| letters.len() == limit).map(|letter| letter.id.clone());
    Ok(json(&ListView { items: letters.iter().map(DeadLetterView::brief).collect(), next }))
}

pub(super) async fn show(State(admin): State<Admin>, Path(id): Path<String>) -> Answer {
    Ok(json(&DeadLetterView::full(&admin.bus.dead_letter(&id).await?)))
}

pub(super) async fn replay(State(admin): State<Admin>, Path(id): Path<String>) -> Answer {
    let watermark = admin.bus.replay(&id).await?;
    admin.durability.flushed(watermark).await?;
    Ok(json(&object!({ "id": id, "replayed": true })))
}

pub(super) async fn discard(State(admin): State<Admin>, Path(id): Path<String>) -> Answer {
    let watermark = admin.bus.discard(&id).await?;
    admin.durability.flushed(watermark).await?;
    Ok(json(&object!({ "id": id, "discarded": true })))
}
