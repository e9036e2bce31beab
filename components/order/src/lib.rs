//! order: takes orders, and keeps each one's status until it is delivered or cancelled.
//!
//! One aggregate an order. It promises that the price is the product's own, that a confirmed order was not cancelled
//! before, and that a delivered one is not cancelled after. Who sells, charges and undoes is the saga's matter.

pub mod api;
pub mod domain;
pub mod index;

#[cfg(test)]
mod tests;

use kit::http::{Request, Response};
use kit::{Event, Failure, Metadata, Output, Ports, Worker, aggregate, worker};

/// The component.
#[derive(Debug)]
pub struct Order;

impl Worker for Order {
    const COMPONENT: &'static str = "order";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        let Some(order_id) = order_of(&meta, &event) else { return worker::unexpected(Self::COMPONENT, &event) };
        let outputs = aggregate::execute::<domain::Ordering, P>(ports, order_id, &meta, &event).await?;
        if let Event::OrderCreated(created) = &event {
            index::list(ports, order_id, created).await?;
        }
        Ok(outputs)
    }

    async fn serve<P: Ports>(ports: &P, request: Request) -> Response {
        api::serve(ports, &request).await
    }
}

/// The order that an event concerns; `None` where the component is not meant to hear of such events.
#[must_use]
pub fn order_of<'a>(meta: &'a Metadata, event: &'a Event) -> Option<&'a str> {
    Some(match event {
        Event::OrderCreated(_) | Event::OrderConfirm(_) | Event::OrderCancel(_) | Event::OrderDeliver(_) => {
            &meta.aggregate_id
        }
        Event::InventoryStockReserved(data) => &data.order_id,
        Event::InventoryStockReleased(data) => &data.order_id,
        Event::InventoryStockSold(data) => &data.order_id,
        Event::PaymentInitiated(data) => &data.order_id,
        Event::PaymentSucceeded(data) => &data.order_id,
        Event::PaymentFailed(data) => &data.order_id,
        Event::PaymentRefunded(data) => &data.order_id,
        _ => return None,
    })
}

#[cfg(target_family = "wasm")]
guest::export!(Order);
