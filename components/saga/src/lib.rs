//! saga: fulfils an order. Reserves its items, takes the money, confirms it and sells; where that cannot be, undoes
//! what was done, and ends only when every undoing is confirmed.
//!
//! One aggregate an order, and beside the aggregates a list of those that are stuck. It promises that every order it
//! hears of ends: completed, failed with all compensations confirmed, or stuck, and visible and told of until a person
//! takes care of it.

pub mod api;
pub mod domain;
pub mod stuck;

#[cfg(test)]
mod tests;

use kit::http::{Request, Response};
use kit::{Event, Failure, Metadata, Output, Ports, Worker, aggregate, worker};

/// The component.
#[derive(Debug)]
pub struct Saga;

impl Worker for Saga {
    const COMPONENT: &'static str = "saga";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        if let Event::SagaStuck(_) | Event::SagaRecovered(_) = event {
            return stuck::note(ports, &meta, &event).await;
        }
        match order_of(&meta, &event) {
            Some(order_id) => aggregate::execute::<domain::Fulfilment, P>(ports, order_id, &meta, &event).await,
            None => worker::unexpected(Self::COMPONENT, &event),
        }
    }

    async fn serve<P: Ports>(ports: &P, request: Request) -> Response {
        api::serve(ports, &request).await
    }
}

/// The order that an event concerns; `None` where the saga is not meant to hear of such events.
#[must_use]
pub fn order_of<'a>(meta: &'a Metadata, event: &'a Event) -> Option<&'a str> {
    Some(match event {
        Event::OrderCreated(_)
        | Event::OrderConfirmed(_)
        | Event::OrderCancelled(_)
        | Event::OrderDelivered(_)
        | Event::SagaTimeout(_)
        | Event::SagaResolve(_) => &meta.aggregate_id,
        Event::InventoryStockReserved(data) => &data.order_id,
        Event::InventoryStockUnavailable(data) => &data.order_id,
        Event::InventoryStockReleased(data) => &data.order_id,
        Event::InventoryStockSold(data) => &data.order_id,
        Event::PaymentSucceeded(data) => &data.order_id,
        Event::PaymentFailed(data) => &data.order_id,
        Event::PaymentRefunded(data) => &data.order_id,
        _ => return None,
    })
}

#[cfg(target_family = "wasm")]
guest::export!(Saga);
