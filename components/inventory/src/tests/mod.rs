//! What buyers, artisans and the saga see of inventory, over the ports in memory.

mod decisions;
mod delivery;
mod formats;
mod http;
mod invariants;

use crate::Inventory;
use crate::domain::Stock;
use kit::events::artisan::NewProductListed;
use kit::events::inventory::{
    AdjustmentReason, InventoryAdjustRequested, ReleaseReason, StockCheckRequested, StockReleaseRequested,
    StockSellRequested,
};
use kit::memory::{Memory, block_on};
use kit::{Event, Metadata, Output, Worker as _, aggregate, ids};

pub(crate) const PRODUCT: &str = "prod-cuenco";

pub(crate) fn listed(initial_stock: u32) -> Event {
    Event::ArtisanProductListed(NewProductListed {
        artisan_id: "art-1".into(),
        product_name: "Cuenco de Úbeda".into(),
        category: "ceramica".into(),
        subcategory: "cuencos".into(),
        description: "Barro verde".into(),
        price: 2_500,
        currency: "EUR".into(),
        initial_stock,
        crafting_time: 4.0,
        materials: vec!["barro".into()],
        dimensions: None,
        customizable: false,
        sustainability_score: None,
        listed_at: "2026-01-10T10:30:00.000Z".into(),
    })
}

pub(crate) fn check(order: &str, quantity_requested: u32) -> Event {
    let saga_id = ids::saga(order);
    Event::InventoryStockCheck(StockCheckRequested { order_id: order.into(), quantity_requested, saga_id })
}

pub(crate) fn sell(order: &str, quantity: u32) -> Event {
    Event::InventoryStockSell(StockSellRequested {
        order_id: order.into(),
        reservation_id: ids::reservation(order, PRODUCT),
        quantity,
        saga_id: ids::saga(order),
    })
}

pub(crate) fn release(order: &str, reason: ReleaseReason) -> Event {
    Event::InventoryStockRelease(StockReleaseRequested {
        order_id: order.into(),
        reservation_id: ids::reservation(order, PRODUCT),
        reason,
        saga_id: ids::saga(order),
    })
}

pub(crate) fn adjust(adjustment_quantity: i64) -> Event {
    Event::InventoryAdjust(InventoryAdjustRequested {
        adjustment_quantity,
        adjustment_reason: if adjustment_quantity > 0 { AdjustmentReason::Restock } else { AdjustmentReason::Damage },
        adjusted_by: "art-1".into(),
        adjusted_at: "2026-01-15T10:30:00.000Z".into(),
        notes: None,
        batch_number: None,
    })
}

pub(crate) fn meta(event_id: &str, sequence: u64, delivered_at: u64) -> Metadata {
    Metadata {
        event_id: event_id.into(),
        event_version: 1,
        aggregate_id: PRODUCT.into(),
        aggregate_version: None,
        occurred_at: "2026-01-15T10:30:00.000Z".into(),
        correlation_id: "correlation".into(),
        causation_id: "cause".into(),
        saga_id: Some("saga".into()),
        source: "inventory/INVENTORY#1".into(),
        sequence,
        key: PRODUCT.into(),
        attempt: 1,
        delivered_at,
    }
}

pub(crate) fn deliver(ports: &Memory, event_id: &str, sequence: u64, event: &Event) -> Vec<Output> {
    block_on(Inventory::handle(ports, meta(event_id, sequence, 1_768_473_000_000), event.clone())).unwrap()
}

pub(crate) fn stock(ports: &Memory) -> Stock {
    block_on(aggregate::read::<Stock, _>(ports, PRODUCT)).unwrap().unwrap_or_default().0
}

pub(crate) fn subjects(outputs: &[Output]) -> Vec<&'static str> {
    let subject = |output: &Output| match output {
        Output::Emit(emission) => Some(emission.event.subject()),
        Output::Timer(_) | Output::CancelTimer(_) => None,
    };
    outputs.iter().filter_map(subject).collect()
}
