//! `inventory.stock.sell`: a reservation becomes a sale.

use super::claim::Claim;
use super::counts::Place;
use super::entry::{Entry, Lost, Sold, Status};
use super::low;
use super::stock::Stock;
use kit::Event;
use kit::aggregate::Change;
use kit::events::inventory::StockSellRequested;

/// Decides. How many are sold is what was reserved.
///
/// # Errors
/// Where the stored counts are wrong.
pub(super) fn decide(claim: Claim<'_>, command: &StockSellRequested) -> Result<Option<Change<Stock>>, String> {
    let change = match claim.entry {
        // Never asked for: a sale is of a reservation.
        None => lose(claim, Entry::new(Status::Refused, 0), command.quantity),
        Some(entry) => match (&entry.sold, &entry.lost) {
            (Some(sold), _) => repeat(claim, entry, sold),
            (None, Some(lost)) => claim.unchanged().again(lost.version, claim.lost(lost)),
            (None, None) => first(claim, entry)?,
        },
    };
    Ok(Some(change))
}

fn first(claim: Claim<'_>, entry: &Entry) -> Result<Change<Stock>, String> {
    match entry.status {
        Status::Held => sell(claim, entry, Place::Reserved),
        Status::Expired if claim.stock.counts.available >= entry.quantity => sell(claim, entry, Place::Available),
        Status::Expired => Ok(lose(claim, entry.then(Status::Refused), entry.quantity)),
        // What was released on purpose stays released, what was refused stays refused.
        status => Ok(lose(claim, entry.then(status), entry.quantity)),
    }
}

fn sell(claim: Claim<'_>, entry: &Entry, from: Place) -> Result<Change<Stock>, String> {
    let mut stock = claim.stock.clone();
    stock.counts = stock.counts.moved(from, Place::Sold, entry.quantity)?;
    let low = low::crossed(claim.stock, &stock, claim.input.now());
    let sold = Sold { version: claim.input.version, free: stock.counts.available, low: low.clone().map(Box::new) };
    let fact = claim.sold(entry.quantity, &sold);
    stock.orders.insert(claim.order_id.to_owned(), Entry { sold: Some(sold), ..entry.then(Status::Sold) });
    let mut change = Change::to(stock).fact(fact);
    if let Some(low) = low {
        change = change.fact(Event::InventoryStockLow(low));
    }
    Ok(change.cancel(claim.expiry_name()))
}

fn lose(claim: Claim<'_>, entry: Entry, quantity: u32) -> Change<Stock> {
    let lost = Lost { version: claim.input.version, quantity, free: claim.stock.counts.available };
    let fact = claim.lost(&lost);
    Change::to(claim.with(Entry { lost: Some(lost), ..entry })).fact(fact)
}

fn repeat(claim: Claim<'_>, entry: &Entry, sold: &Sold) -> Change<Stock> {
    let mut change = claim.unchanged().again(sold.version, claim.sold(entry.quantity, sold));
    if let Some(low) = &sold.low {
        change = change.again(sold.version, Event::InventoryStockLow((**low).clone()));
    }
    change.cancel(claim.expiry_name())
}
