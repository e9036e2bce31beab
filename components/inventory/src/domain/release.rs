//! `inventory.stock.release`: a reservation or a sale is undone, or a reservation has outlived its time.

use super::claim::Claim;
use super::counts::Place;
use super::entry::{Entry, Returned, Status};
use super::stock::Stock;
use kit::aggregate::Change;
use kit::events::inventory::{ReleaseReason, StockReleaseRequested};

/// Decides. Only inventory's own timer has the reason `reservation-expired`; every other is on purpose.
///
/// # Errors
/// Where the stored counts are wrong.
pub(super) fn decide(claim: Claim<'_>, command: &StockReleaseRequested) -> Result<Option<Change<Stock>>, String> {
    if command.reason == ReleaseReason::ReservationExpired {
        return expire(claim);
    }
    let entry = match claim.entry {
        Some(Entry { released: Some(returned), .. }) => {
            let repeat = claim.unchanged().again(returned.version, claim.released(returned));
            return Ok(Some(repeat.cancel(claim.expiry_name())));
        }
        Some(entry) => entry.then(Status::Released),
        // A tombstone: the check that comes late is refused.
        None => Entry::new(Status::Released, 0),
    };
    let from = match claim.entry.map(|entry| entry.status) {
        Some(Status::Held) => Some(Place::Reserved),
        Some(Status::Sold) => Some(Place::Sold),
        Some(Status::Refused | Status::Expired | Status::Released) | None => None,
    };
    let (mut stock, returned) = give_back(claim, from, command.reason)?;
    let fact = claim.released(&returned);
    stock.orders.insert(claim.order_id.to_owned(), Entry { released: Some(returned), ..entry });
    Ok(Some(Change::to(stock).fact(fact).cancel(claim.expiry_name())))
}

/// The timer fired. Whatever was decided meanwhile stands.
fn expire(claim: Claim<'_>) -> Result<Option<Change<Stock>>, String> {
    match claim.entry {
        Some(Entry { expired: Some(returned), .. }) => {
            Ok(Some(claim.unchanged().again(returned.version, claim.released(returned))))
        }
        Some(entry) if entry.status == Status::Held => {
            let (mut stock, returned) = give_back(claim, Some(Place::Reserved), ReleaseReason::ReservationExpired)?;
            let fact = claim.released(&returned);
            let entry = Entry { expired: Some(returned), ..entry.then(Status::Expired) };
            stock.orders.insert(claim.order_id.to_owned(), entry);
            Ok(Some(Change::to(stock).fact(fact)))
        }
        _ => Ok(None),
    }
}

fn give_back(claim: Claim<'_>, from: Option<Place>, reason: ReleaseReason) -> Result<(Stock, Returned), String> {
    let mut stock = claim.stock.clone();
    let mut quantity = 0;
    if let (Some(from), Some(entry)) = (from, claim.entry) {
        quantity = entry.quantity;
        stock.counts = stock.counts.moved(from, Place::Available, quantity)?;
    }
    let (version, at) = (claim.input.version, claim.input.now());
    let returned = Returned { version, quantity, reason, free: stock.counts.available, at };
    Ok((stock, returned))
}
