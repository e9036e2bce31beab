//! Artisans: who they are, where they stand, what they list, who is near, and what they have to make.
//!
//! Promises: one registration an artisan id and one listing a product id, the first of each, and no other listing is
//! ever published, so that all who hear of a product know the same one; a standing changes along the lines of
//! [`domain::may_become`] alone; `artisan.verified` and `artisan.status.changed` once for each command. Beside the
//! aggregates lie a map of workshops, the set of each artisan's products and each artisan's desk, all of which a
//! repeated or late event leaves as they are.

pub mod api;
pub mod desk;
pub mod domain;
pub mod nearby;
pub mod products;

use domain::{Artisans, Listings};
use kit::aggregate::execute;
use kit::events::artisan::ProductListRequested;
use kit::{Event, Failure, Metadata, Output, Ports, Worker, worker};

/// The component.
#[derive(Debug)]
pub struct Artisan;

impl Worker for Artisan {
    const COMPONENT: &'static str = "artisan";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        let id = &meta.aggregate_id;
        match &event {
            Event::ArtisanRegistered(_) | Event::ArtisanVerify(_) | Event::ArtisanStatusChange(_) => {
                let outputs = execute::<Artisans, P>(ports, id, &meta, &event).await?;
                nearby::index(ports, id).await?;
                Ok(outputs)
            }
            Event::ArtisanProductList(ProductListRequested { listing }) | Event::ArtisanProductListed(listing) => {
                let outputs = execute::<Listings, P>(ports, id, &meta, &event).await?;
                products::add(ports, &listing.artisan_id, id).await?;
                Ok(outputs)
            }
            // Our own facts: they come back because we hear all of `artisan.>`.
            Event::ArtisanVerified(_) | Event::ArtisanStatusChanged(_) => Ok(Vec::new()),
            Event::OrderCreated(order) => desk::placed(ports, id, order).await,
            Event::OrderConfirmed(order) => desk::confirmed(ports, id, order).await,
            Event::OrderCancelled(_) => desk::cancelled(ports, id).await,
            Event::InventoryStockLow(warning) => desk::running_low(ports, &meta, warning).await,
            _ => worker::unexpected(Self::COMPONENT, &event),
        }
    }

    async fn serve<P: Ports>(ports: &P, request: kit::http::Request) -> kit::http::Response {
        api::serve(ports, &request).await
    }
}

#[cfg(target_family = "wasm")]
guest::export!(Artisan);

#[cfg(test)]
mod tests;
