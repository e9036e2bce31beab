//! `inventory.stock.check`: pieces are set aside for an order, or there are too few.

use super::claim::Claim;
use super::counts::Place;
use super::entry::{Checked, Entry, Status};
use super::low;
use super::stock::{Listing, Stock};
use kit::Event;
use kit::aggregate::Change;
use kit::events::inventory::StockCheckRequested;

/// Decides. `expiry` is how long a reservation lasts, in milliseconds.
///
/// # Errors
/// Where nothing is asked for, or the stored counts are wrong.
pub(super) fn decide(
    claim: Claim<'_>,
    command: &StockCheckRequested,
    expiry: u64,
) -> Result<Option<Change<Stock>>, String> {
    if command.quantity_requested == 0 {
        return Err("quantityRequested: expected at least 1".to_owned());
    }
    let change = match claim.entry {
        Some(entry @ Entry { checked: Some(checked), .. }) => repeat(claim, command, entry, checked),
        // The release went first: the order does not want it any more.
        Some(tombstone) => refuse(claim, command, tombstone.then(tombstone.status)),
        None => match &claim.stock.listing {
            Some(listing) if claim.stock.counts.available >= command.quantity_requested => {
                reserve(claim, command, listing, expiry)?
            }
            _ => refuse(claim, command, Entry::new(Status::Refused, command.quantity_requested)),
        },
    };
    Ok(Some(change))
}

fn reserve(
    claim: Claim<'_>,
    command: &StockCheckRequested,
    listing: &Listing,
    expiry: u64,
) -> Result<Change<Stock>, String> {
    let (quantity, now) = (command.quantity_requested, claim.input.now());
    let counts = claim.stock.counts.moved(Place::Available, Place::Reserved, quantity)?;
    let mut stock = claim.with(Entry::new(Status::Held, quantity));
    stock.counts = counts;
    let until = now.plus(expiry);
    let low = low::crossed(claim.stock, &stock, now);
    let checked = Checked {
        version: claim.input.version,
        free: counts.available,
        until: Some(until),
        low: low.clone().map(Box::new),
    };
    let reserved = claim.reserved(listing, quantity, &checked, until);
    if let Some(entry) = stock.orders.get_mut(claim.order_id) {
        entry.checked = Some(checked);
    }
    let mut change = Change::to(stock).fact(reserved);
    if let Some(low) = low {
        change = change.fact(Event::InventoryStockLow(low));
    }
    Ok(change.timer(claim.expiry_name(), until, claim.expiry(&command.saga_id)))
}

fn refuse(claim: Claim<'_>, command: &StockCheckRequested, mut entry: Entry) -> Change<Stock> {
    let free = claim.stock.counts.available;
    entry.quantity = command.quantity_requested;
    entry.checked = Some(Checked { version: claim.input.version, free, until: None, low: None });
    Change::to(claim.with(entry)).fact(claim.unavailable(command.quantity_requested, free))
}

fn repeat(claim: Claim<'_>, command: &StockCheckRequested, entry: &Entry, checked: &Checked) -> Change<Stock> {
    let change = claim.unchanged();
    let (Some(until), Some(listing)) = (checked.until, &claim.stock.listing) else {
        return change.again(checked.version, claim.unavailable(entry.quantity, checked.free));
    };
    let mut change = change.again(checked.version, claim.reserved(listing, entry.quantity, checked, until));
    if let Some(low) = &checked.low {
        change = change.again(checked.version, Event::InventoryStockLow((**low).clone()));
    }
    change.timer(claim.expiry_name(), until, claim.expiry(&command.saga_id))
}
