//! The list of a customer's orders, beside the aggregates: pages of order ids, and a head that counts the full ones.
//!
//! An order keeps in its own state which page it is on, so listing it twice finds it there; the head's counts only
//! grow. Both are written by CAS at the delivery of `order.created` and may be written again at any time.

use crate::domain::Order;
use kit::aggregate::{self, retry};
use kit::events::order::OrderCreated;
use kit::json::Value;
use kit::ports::StoreError;
use kit::projection::{self, View};
use kit::{Failure, Ports, keys};
use serde::{Deserialize, Serialize};

/// Orders on a page before the next one is opened: keeps what an order writes small. Orders that were placed at the
/// same moment may still go to a full page.
const PAGE: usize = 64;

/// How many orders are on each full page.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Head {
    full: Vec<usize>,
}

/// Order ids, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Orders {
    orders: Vec<String>,
}

/// Format 0 was the same and did not say so.
fn unnamed(format: u32, view: Value) -> Result<Value, String> {
    if format == 0 { Ok(view) } else { Err(format!("no way from format {format} of a customer's list")) }
}

impl View for Head {
    const FORMAT: u32 = 1;

    fn upcast(format: u32, view: Value) -> Result<Value, String> {
        unnamed(format, view)
    }
}

impl View for Orders {
    const FORMAT: u32 = 1;

    fn upcast(format: u32, view: Value) -> Result<Value, String> {
        unnamed(format, view)
    }
}

fn head_key(customer_id: &str) -> String {
    keys::key("customer", &[customer_id])
}

fn page_key(customer_id: &str, page: usize) -> String {
    keys::key("customer", &[customer_id, &page.to_string()])
}

/// The page that the customer's next order goes to.
///
/// # Errors
/// Where the store does not answer.
pub async fn open_page<P: Ports>(ports: &P, customer_id: &str) -> Result<usize, StoreError> {
    Ok(read::<Head, P>(ports, &head_key(customer_id)).await?.full.len())
}

/// Lists an order that was created, on the page its state names.
///
/// # Errors
/// `Retry` where the store does not answer.
pub async fn list<P: Ports>(ports: &P, order_id: &str, created: &OrderCreated) -> Result<(), Failure> {
    let Some((order, _)) = aggregate::read::<Order, P>(ports, order_id).await.map_err(retry)? else { return Ok(()) };
    let customer_id = order.created.as_ref().map_or(&created.customer_id, |created| &created.customer_id);
    let mut on_page = 0;
    projection::update(ports, &page_key(customer_id, order.page), |page: &mut Orders| {
        let new = !page.orders.iter().any(|there| there == order_id);
        if new {
            page.orders.push(order_id.to_owned());
        }
        on_page = page.orders.len();
        new
    })
    .await?;
    if on_page >= PAGE {
        let count = |head: &mut Head| {
            if head.full.len() <= order.page {
                head.full.resize(order.page + 1, 0);
            }
            let count = head.full.get_mut(order.page).filter(|count| **count < on_page);
            count.map(|count| *count = on_page).is_some()
        };
        projection::update(ports, &head_key(customer_id), count).await?;
    }
    Ok(())
}

/// Ids of a customer's orders, newest first: `count` of them after the first `skip`, and how many there are in all.
///
/// # Errors
/// Where the store does not answer.
pub async fn newest<P: Ports>(
    ports: &P,
    customer_id: &str,
    skip: usize,
    count: usize,
) -> Result<(Vec<String>, usize), StoreError> {
    let head = read::<Head, P>(ports, &head_key(customer_id)).await?;
    let last = head.full.len();
    let mut page = read::<Orders, P>(ports, &page_key(customer_id, last)).await?;
    let total = head.full.iter().sum::<usize>() + page.orders.len();
    let (mut ids, mut to_skip) = (Vec::new(), skip);
    for place in (0..=last).rev() {
        let size = head.full.get(place).copied().unwrap_or(page.orders.len());
        if to_skip >= size {
            to_skip -= size;
            continue;
        }
        if place != last {
            page = read(ports, &page_key(customer_id, place)).await?;
        }
        ids.extend(page.orders.iter().rev().skip(to_skip).take(count - ids.len()).cloned());
        to_skip = 0;
        if ids.len() >= count {
            break;
        }
    }
    Ok((ids, total))
}

async fn read<V: View, P: Ports>(ports: &P, key: &str) -> Result<V, StoreError> {
    Ok(projection::read(ports, key).await?.unwrap_or_default())
}
