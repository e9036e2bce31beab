//! An artisan's desk: the orders to make and the stock that runs low. Both lists are short and hold the newest, so a
//! busy artisan's cost does not grow.

use crate::products::NOTHING;
use kit::aggregate::{Forward, read_forward, retry, write_forward};
use kit::events::inventory::LowStockWarning;
use kit::events::order::{OrderConfirmed, OrderCreated};
use kit::keys::key;
use kit::ports::{Ports, StoreError};
use kit::projection::{self, View};
use kit::{Failure, Metadata, Output};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Orders and warnings that a desk holds: what a person looks at, and small enough to rewrite with every order.
pub const DESK_SIZE: usize = 20;

/// How far an order has come, as the rank of its value: it only grows.
const PLACED: u64 = 1;
const CONFIRMED: u64 = 2;
const CANCELLED: u64 = 3;

/// One product of an order to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Piece {
    /// The product.
    pub product_id: String,
    /// Its name at the time of the order.
    pub product_name: String,
    /// Pieces.
    pub quantity: u32,
}

/// A confirmed order: the artisan's part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The order.
    pub order_id: String,
    /// RFC 3339.
    pub confirmed_at: String,
    /// What to make or hand over.
    pub items: Vec<Piece>,
}

/// A product that runs low.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LowStock {
    /// The product.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// Free pieces at the time.
    pub current_stock: u32,
    /// RFC 3339.
    pub warned_at: String,
}

/// The newest orders to make, newest first.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Jobs(Vec<Job>);

impl View for Jobs {
    const FORMAT: u32 = 1;
}

/// The newest warnings, newest first, one a product.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Warnings(Vec<LowStock>);

impl View for Warnings {
    const FORMAT: u32 = 1;
}

/// The pieces of an order, by artisan.
type Parts = BTreeMap<String, Vec<Piece>>;
/// Their schema.
const PARTS_FORMAT: u32 = 1;

/// An order was placed: notes its pieces until it is confirmed.
///
/// # Errors
/// Where the store does not answer.
pub async fn placed<P: Ports>(ports: &P, order_id: &str, order: &OrderCreated) -> Result<Vec<Output>, Failure> {
    let mut parts = Parts::new();
    for item in &order.items {
        parts.entry(item.artisan_id.clone()).or_default().push(Piece {
            product_id: item.product_id.clone(),
            product_name: item.product_name.clone(),
            quantity: item.quantity,
        });
    }
    write(ports, order_id, PLACED, &parts).await
}

/// An order stands: it goes onto the desks of its artisans. One placed before we listened is not known here.
///
/// # Errors
/// Where the store does not answer.
pub async fn confirmed<P: Ports>(ports: &P, order_id: &str, order: &OrderConfirmed) -> Result<Vec<Output>, Failure> {
    let Some((rank, parts)) = read(ports, order_id).await? else { return Ok(NOTHING) };
    if rank >= CANCELLED {
        return Ok(NOTHING);
    }
    for (artisan_id, items) in &parts {
        let confirmed_at = order.confirmed_at.clone();
        let job = Job { order_id: order_id.to_owned(), confirmed_at, items: items.clone() };
        projection::update(ports, &jobs_key(artisan_id), |jobs: &mut Jobs| put(&mut jobs.0, &job)).await?;
    }
    write(ports, order_id, CONFIRMED, &parts).await
}

/// An order is off: it leaves the desks and does not come back.
///
/// # Errors
/// Where the store does not answer.
pub async fn cancelled<P: Ports>(ports: &P, order_id: &str) -> Result<Vec<Output>, Failure> {
    let Some((_, parts)) = read(ports, order_id).await? else { return Ok(NOTHING) };
    write(ports, order_id, CANCELLED, &parts).await?;
    for artisan_id in parts.keys() {
        projection::update(ports, &jobs_key(artisan_id), |jobs: &mut Jobs| {
            let before = jobs.0.len();
            jobs.0.retain(|job| job.order_id != order_id);
            jobs.0.len() < before
        })
        .await?;
    }
    Ok(NOTHING)
}

/// Puts a job where its date belongs; says whether the list changed.
fn put(jobs: &mut Vec<Job>, job: &Job) -> bool {
    if jobs.iter().any(|there| there.order_id == job.order_id) {
        return false;
    }
    let place = jobs.partition_point(|there| {
        (there.confirmed_at.as_str(), there.order_id.as_str()) > (job.confirmed_at.as_str(), job.order_id.as_str())
    });
    if place >= DESK_SIZE {
        return false;
    }
    jobs.insert(place, job.clone());
    jobs.truncate(DESK_SIZE);
    true
}

/// A product runs low: the artisan's latest warning of it.
///
/// # Errors
/// Where the store does not answer.
pub async fn running_low<P: Ports>(
    ports: &P,
    meta: &Metadata,
    warning: &LowStockWarning,
) -> Result<Vec<Output>, Failure> {
    let latest = LowStock {
        product_id: meta.aggregate_id.clone(),
        product_name: warning.product_name.clone(),
        current_stock: warning.current_stock,
        warned_at: meta.occurred_at.clone(),
    };
    let key = key("low", &[&warning.artisan_id]);
    projection::update(ports, &key, |warnings: &mut Warnings| {
        let list = &mut warnings.0;
        if list.iter().any(|there| there.product_id == latest.product_id && there.warned_at >= latest.warned_at) {
            return false;
        }
        list.retain(|there| there.product_id != latest.product_id);
        list.push(latest.clone());
        list.sort_by(|a, b| (&b.warned_at, &b.product_id).cmp(&(&a.warned_at, &a.product_id)));
        list.truncate(DESK_SIZE);
        true
    })
    .await?;
    Ok(NOTHING)
}

/// The newest orders to make, newest first.
///
/// # Errors
/// Where the store does not answer.
pub async fn jobs<P: Ports>(ports: &P, artisan_id: &str) -> Result<Vec<Job>, StoreError> {
    Ok(projection::read::<Jobs, P>(ports, &jobs_key(artisan_id)).await?.unwrap_or_default().0)
}

/// The newest low-stock warnings, newest first.
///
/// # Errors
/// Where the store does not answer.
pub async fn warnings<P: Ports>(ports: &P, artisan_id: &str) -> Result<Vec<LowStock>, StoreError> {
    Ok(projection::read::<Warnings, P>(ports, &key("low", &[artisan_id])).await?.unwrap_or_default().0)
}

fn jobs_key(artisan_id: &str) -> String {
    key("jobs", &[artisan_id])
}

fn order_key(order_id: &str) -> String {
    key("order", &[order_id])
}

async fn read<P: Ports>(ports: &P, order_id: &str) -> Result<Option<(u64, Parts)>, Failure> {
    let Some(forward) = read_forward(ports, &order_key(order_id)).await.map_err(retry)? else { return Ok(None) };
    let rank = forward.rank;
    let parts = forward.read(PARTS_FORMAT).map_err(|error| Failure::Reject(error.0))?;
    Ok(Some((rank, parts)))
}

async fn write<P: Ports>(ports: &P, order_id: &str, rank: u64, parts: &Parts) -> Result<Vec<Output>, Failure> {
    let value = kit::json::to_value(parts).map_err(|error| Failure::Reject(error.to_string()))?;
    write_forward(ports, &Forward { key: order_key(order_id), format: PARTS_FORMAT, rank, value })
        .await
        .map_err(retry)?;
    Ok(NOTHING)
}
