//! The catalogue: what is on sale, at what price, how much of it is free, and the search over all of it.
//!
//! A projection: it emits nothing, and every value it writes is one that a repeated or late event leaves as it is. The
//! first listing under a product id stays; stock and standing carry their aggregate's version and only move forward; the
//! index is sets of bits.

pub mod api;
pub mod catalogue;
pub mod search;

use kit::{Event, Failure, Metadata, Output, Ports, Worker, worker};

/// The component.
#[derive(Debug)]
pub struct Product;

impl Worker for Product {
    const COMPONENT: &'static str = "product";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        match event {
            Event::ArtisanProductListed(listing) => {
                if let Some(product) = catalogue::list(ports, &meta, listing).await? {
                    search::index(ports, &product).await?;
                }
            }
            Event::ArtisanVerified(fact) => catalogue::verified(ports, &meta, &fact).await?,
            Event::ArtisanStatusChanged(fact) => {
                let sells = catalogue::standing(ports, &meta, fact.new_status).await?;
                search::hide(ports, &meta.aggregate_id, !sells).await?;
            }
            Event::InventoryAdjusted(fact) => catalogue::stock(ports, &meta, fact.new_stock).await?,
            Event::InventoryStockReleased(fact) => catalogue::stock(ports, &meta, fact.new_available_stock).await?,
            Event::InventoryStockSold(fact) => catalogue::stock(ports, &meta, fact.remaining_stock).await?,
            other => return worker::unexpected(Self::COMPONENT, &other),
        }
        Ok(Vec::new())
    }

    async fn serve<P: Ports>(ports: &P, request: kit::http::Request) -> kit::http::Response {
        api::serve(ports, &request).await
    }
}

#[cfg(target_family = "wasm")]
guest::export!(Product);

#[cfg(test)]
mod tests;
