//! The routes of the order: place, look, list, cancel, deliver.

mod change;
mod place;
mod quote;
mod view;

pub use change::{CancelBody, DeliverBody};
pub use place::{Line, PlaceBody};
pub use view::OrderView;

use crate::domain::Order;
use crate::index;
use kit::aggregate::{self, aggregate_key};
use kit::http::{Page, Problem, Request, Response, page_of};
use kit::{Ports, ids};

/// Serves `/api/v1/orders…`.
pub async fn serve<P: Ports>(ports: &P, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["api", "v1", "orders"]) => place::place(ports, request).await,
        ("GET", ["api", "v1", "orders"]) => list(ports, request).await.unwrap_or_else(Into::into),
        ("GET", ["api", "v1", "orders", id]) => show(ports, id).await.unwrap_or_else(Into::into),
        ("POST", ["api", "v1", "orders", id, "cancel"]) => change::cancel(ports, request, id).await,
        ("POST", ["api", "v1", "orders", id, "deliver"]) => change::deliver(ports, request, id).await,
        (method, ["api", "v1", "orders"]) => Problem::method_not_allowed(method, "GET, POST").into(),
        (method, ["api", "v1", "orders", _]) => Problem::method_not_allowed(method, "GET").into(),
        (method, ["api", "v1", "orders", _, "cancel" | "deliver"]) => {
            Problem::method_not_allowed(method, "POST").into()
        }
        _ => Problem::not_found(&format!("nothing is served at {}", request.path())).into(),
    }
}

async fn show<P: Ports>(ports: &P, order_id: &str) -> Result<Response, Problem> {
    let (order, version) = find(ports, order_id).await?;
    let view = view::of(order_id, &order).ok_or_else(|| unknown(order_id))?;
    Ok(Response::json(200, &view).with_header("etag", &format!("\"{version}\"")))
}

async fn list<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let customer_id = request
        .query("customerId")
        .ok_or_else(|| Problem::invalid_field("customerId", "say whose orders: ?customerId=…"))?;
    check_id("customerId", &customer_id)?;
    let (page, page_size) = page_of(request)?;
    let (order_ids, total) = index::newest(ports, &customer_id, (page - 1) * page_size, page_size).await?;
    let keys: Vec<String> = order_ids.iter().map(|id| aggregate_key::<Order>(id)).collect();
    let mut orders = Vec::with_capacity(keys.len());
    for (order_id, bytes) in order_ids.iter().zip(ports.get_many(&keys).await?) {
        let Some(bytes) = bytes else { continue };
        let stored = aggregate::parse::<Order>(&bytes)
            .map_err(|why| Problem::internal(&format!("order {order_id} cannot be read: {why}")))?;
        orders.push((order_id, stored.state));
    }
    let items = orders.iter().filter_map(|(id, order)| view::of(id, order)).collect();
    Ok(Response::json(200, &Page::<OrderView<'_>> { items, page, page_size, total }))
}

/// An order that was placed.
async fn find<P: Ports>(ports: &P, order_id: &str) -> Result<(Order, u64), Problem> {
    check_id("orderId", order_id)?;
    let found = aggregate::read::<Order, P>(ports, order_id).await?;
    found.filter(|(order, _)| order.created.is_some()).ok_or_else(|| unknown(order_id))
}

fn unknown(order_id: &str) -> Problem {
    Problem::not_found(&format!("there is no order {order_id}"))
}

fn check_id(field: &str, id: &str) -> Result<(), Problem> {
    if ids::is_id(id) { Ok(()) } else { Err(Problem::invalid_field(field, "expected 1 to 128 of A-Z a-z 0-9 - _ .")) }
}
