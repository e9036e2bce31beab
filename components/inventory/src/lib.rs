//! inventory promises: a piece is free, set aside or sold, never two of these; whoever reserves first has it; what is
//! not sold in time is free again; and repeating a command changes nothing and gives the same answer.

mod api;
pub mod domain;
#[cfg(test)]
mod tests;

use domain::Decisions;
use kit::http::{Request, Response};
use kit::{Event, Failure, Metadata, Output, Ports, Worker, aggregate, worker};

/// The component.
#[derive(Debug)]
pub struct Inventory;

impl Worker for Inventory {
    const COMPONENT: &'static str = "inventory";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        match event {
            Event::InventoryStockCheck(_)
            | Event::InventoryStockSell(_)
            | Event::InventoryStockRelease(_)
            | Event::InventoryAdjust(_)
            | Event::ArtisanProductListed(_) => {
                aggregate::execute::<Decisions, P>(ports, &meta.aggregate_id, &meta, &event).await
            }
            other => worker::unexpected(Self::COMPONENT, &other),
        }
    }

    async fn serve<P: Ports>(ports: &P, request: Request) -> Response {
        api::serve(ports, &request).await
    }
}

#[cfg(target_family = "wasm")]
guest::export!(Inventory);
