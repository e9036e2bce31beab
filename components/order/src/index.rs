//! The list of a customer's orders, beside the aggregates: pages of order ids, and a head that counts the full ones.
//!
//! An order keeps in its own state which page it is on, so listing it twice finds it there; the head's counts only
//! grow. Both are written by CAS at the delivery of `order.created` and may be written again at any time.

use crate::domain::Order;
use kit::aggregate::{self, retry};
use kit::events::order::OrderCreated;
use kit::ports::{StoreError, SwapError};
use kit::{Failure, Ports, keys};
use serde::de::DeserializeOwned;
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
    Ok(get::<Head, P>(ports, &head_key(customer_id)).await?.full.len())
}

/// Lists an order that was created, on the page its state names.
///
/// # Errors
/// `Retry` where the store does not answer.
pub async fn list<P: Ports>(ports: &P, order_id: &str, created: &OrderCreated) -> Result<(), Failure> {
    let Some((order, _)) = aggregate::read::<Order, P>(ports, order_id).await.map_err(retry)? else { return Ok(()) };
    let customer_id = order.created.as_ref().map_or(&created.customer_id, |created| &created.customer_id);
    let add = |page: &mut Orders| {
        if !page.orders.iter().any(|there| there == order_id) {
            page.orders.push(order_id.to_owned());
        }
        page.orders.len()
    };
    let on_page = change(ports, &page_key(customer_id, order.page), add).await.map_err(retry)?;
    if on_page >= PAGE {
        let count = |head: &mut Head| {
            if head.full.len() <= order.page {
                head.full.resize(order.page + 1, 0);
            }
            if let Some(count) = head.full.get_mut(order.page) {
                *count = on_page.max(*count);
            }
        };
        change(ports, &head_key(customer_id), count).await.map_err(retry)?;
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
    let head = get::<Head, P>(ports, &head_key(customer_id)).await?;
    let last = head.full.len();
    let mut page = get::<Orders, P>(ports, &page_key(customer_id, last)).await?;
    let total = head.full.iter().sum::<usize>() + page.orders.len();
    let (mut ids, mut to_skip) = (Vec::new(), skip);
    for place in (0..=last).rev() {
        let size = head.full.get(place).copied().unwrap_or(page.orders.len());
        if to_skip >= size {
            to_skip -= size;
            continue;
        }
        if place != last {
            page = get(ports, &page_key(customer_id, place)).await?;
        }
        ids.extend(page.orders.iter().rev().skip(to_skip).take(count - ids.len()).cloned());
        to_skip = 0;
        if ids.len() >= count {
            break;
        }
    }
    Ok((ids, total))
}

async fn get<T: DeserializeOwned + Default, P: Ports>(ports: &P, key: &str) -> Result<T, StoreError> {
    parse(key, ports.get(key).await?.as_deref())
}

fn parse<T: DeserializeOwned + Default>(key: &str, bytes: Option<&[u8]>) -> Result<T, StoreError> {
    match bytes {
        None => Ok(T::default()),
        Some(bytes) => serde_json::from_slice(bytes)
            .map_err(|error| StoreError(format!("the value of {key} is malformed: {error}"))),
    }
}

/// Changes a value by CAS, as often as it takes; nothing is written where nothing changes.
async fn change<T, R, P>(ports: &P, key: &str, apply: impl Fn(&mut T) -> R) -> Result<R, StoreError>
where
    T: DeserializeOwned + Serialize + Default,
    P: Ports,
{
    loop {
        let entry = ports.read(key).await?;
        let mut value: T = parse(key, entry.value.as_deref())?;
        let result = apply(&mut value);
        let bytes = serde_json::to_vec(&value).map_err(|error| StoreError(error.to_string()))?;
        if entry.value.as_ref() == Some(&bytes) {
            return Ok(result);
        }
        match ports.swap(entry.token, bytes).await {
            Ok(()) => return Ok(result),
            Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
        }
    }
}
