//! `inventory.adjust`: the free stock is corrected by hand.

use super::low;
use super::stock::Stock;
use kit::Event;
use kit::aggregate::{Change, Input};
use kit::events::inventory::{AdjustmentReason, InventoryAdjustRequested, InventoryAdjusted};
use kit::inbox::Refusal;

/// Decides. It has no business key: its outcome is kept by the event's id.
pub(super) fn decide(stock: &Stock, input: Input<'_>, command: &InventoryAdjustRequested) -> Change<Stock> {
    let Some(listing) = &stock.listing else {
        return refused(stock, "unknown-product", format!("no product {} is listed", input.id));
    };
    let Some(counts) = stock.counts.adjusted(command.adjustment_quantity) else {
        return match command.adjustment_quantity < 0 {
            true => refused(stock, "insufficient-stock", too_few(stock, command.adjustment_quantity)),
            false => refused(stock, "stock-limit", format!("more than {} pieces cannot be counted", u32::MAX)),
        };
    };
    let mut next = Stock { counts, ..stock.clone() };
    if command.adjustment_quantity > 0 && command.adjustment_reason == AdjustmentReason::Restock {
        let restocked_at = Some(input.now());
        next.listing = Some(super::stock::Listing { restocked_at, ..listing.clone() });
    }
    let low = low::crossed(stock, &next, input.now());
    let change = Change::to(next).fact(adjusted(stock, counts.available, command));
    match low {
        Some(low) => change.fact(Event::InventoryStockLow(low)),
        None => change,
    }
}

fn refused(stock: &Stock, code: &str, detail: String) -> Change<Stock> {
    Change::to(stock.clone()).refuse(Refusal::new(code, detail))
}

fn too_few(stock: &Stock, difference: i64) -> String {
    let (free, gone) = (stock.counts.available, difference.unsigned_abs());
    format!("{free} pieces are free, {gone} cannot be taken away: release reservations first, or take fewer")
}

fn adjusted(before: &Stock, new_stock: u32, command: &InventoryAdjustRequested) -> Event {
    Event::InventoryAdjusted(InventoryAdjusted {
        previous_stock: before.counts.available,
        new_stock,
        adjustment_quantity: command.adjustment_quantity,
        adjustment_reason: command.adjustment_reason,
        adjusted_by: command.adjusted_by.clone(),
        adjusted_at: command.adjusted_at.clone(),
        notes: command.notes.clone(),
        batch_number: command.batch_number.clone(),
    })
}
