//! The decisions of inventory: one aggregate a product, and beside it one value for each claim that is settled.
//!
//! A claim is one order's to one product; that pair is its business key, so a repeated command finds what it was
//! answered. While it binds pieces it is in the aggregate. Once settled it stays there for one write more and then
//! leaves for a value of its own: so that value only ever holds what a swap has made true, whoever writes it late.

mod adjust;
mod check;
mod claim;
mod counts;
mod entry;
mod low;
mod release;
mod says;
mod sell;
mod stock;

pub use counts::Counts;
pub use entry::{Entry, Status};
pub use stock::{Listing, Stock};

use claim::Claim;
use kit::aggregate::{Change, Decider, Decision, Forward, Input, read_forward};
use kit::events::artisan::NewProductListed;
use kit::ports::{StoreError, duration_variable};
use kit::time::Millis;
use kit::{Event, Ports, json, keys};

/// How long a reservation is held where `reservation_expiry` does not say, in milliseconds.
pub const RESERVATION_EXPIRY: u64 = 15 * 60_000;

/// The decisions.
#[derive(Debug, Clone, Copy)]
pub struct Decisions;

/// What a decision reads beside the stock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// How long a reservation is held, in milliseconds.
    pub expiry: u64,
    /// The order's claim, where it has left the aggregate.
    pub settled: Option<Entry>,
}

impl Decider for Decisions {
    type State = Stock;
    type Facts = Facts;

    async fn facts<P: Ports>(ports: &P, state: &Stock, input: Input<'_>) -> Result<Facts, StoreError> {
        let Some(order_id) = order_of(input.event) else { return Ok(Facts::default()) };
        let expiry = match input.event {
            Event::InventoryStockCheck(_) => duration_variable(ports, "reservation_expiry", RESERVATION_EXPIRY),
            _ => 0,
        };
        if state.orders.contains_key(order_id) {
            return Ok(Facts { expiry, settled: None });
        }
        let settled = match read_forward(ports, &settled_key(input.id, order_id)).await? {
            Some(forward) => Some(forward.read(Entry::FORMAT)?),
            None => None,
        };
        Ok(Facts { expiry, settled })
    }

    fn decide(state: &Stock, facts: &Facts, input: Input<'_>) -> Decision<Stock> {
        let claim = |order_id| Claim {
            stock: state,
            input,
            order_id,
            entry: state.orders.get(order_id).or(facts.settled.as_ref()),
        };
        let decided = match input.event {
            Event::InventoryStockCheck(command) => check::decide(claim(&command.order_id), command, facts.expiry),
            Event::InventoryStockSell(command) => sell::decide(claim(&command.order_id), command),
            Event::InventoryStockRelease(command) => release::decide(claim(&command.order_id), command),
            Event::InventoryAdjust(command) => Ok(Some(adjust::decide(state, input, command))),
            Event::ArtisanProductListed(listed) => Ok(list(state, input, listed)),
            other => Err(format!("inventory does not decide {}", other.subject())),
        };
        match decided {
            Ok(None) => Decision::Ignore,
            Ok(Some(change)) => settle(state, input.id, change),
            Err(reason) => Decision::Reject(reason),
        }
    }

    fn keeps_outcome(event: &Event) -> bool {
        matches!(event, Event::InventoryAdjust(_))
    }
}

/// Where a settled claim of an order to a product lies.
#[must_use]
pub fn settled_key(product_id: &str, order_id: &str) -> String {
    keys::key("settled", &[product_id, order_id])
}

fn order_of(event: &Event) -> Option<&str> {
    match event {
        Event::InventoryStockCheck(command) => Some(&command.order_id),
        Event::InventoryStockSell(command) => Some(&command.order_id),
        Event::InventoryStockRelease(command) => Some(&command.order_id),
        _ => None,
    }
}

/// `artisan.product.listed`: the stock begins, once.
fn list(stock: &Stock, input: Input<'_>, listed: &NewProductListed) -> Option<Change<Stock>> {
    if stock.listing.is_some() {
        return None;
    }
    let warning = low::warning(listed.initial_stock);
    let listing = Listing {
        artisan_id: listed.artisan_id.clone(),
        name: listed.product_name.clone(),
        category: listed.category.clone(),
        price: listed.price,
        warning,
        critical: low::critical(warning),
        listed_at: Millis::parse(&listed.listed_at).unwrap_or_else(|| input.now()),
        restocked_at: None,
    };
    let counts = Counts::starting(listed.initial_stock);
    Some(Change::to(Stock { listing: Some(listing), counts, ..stock.clone() }))
}

/// What was settled before this change leaves the aggregate with it, and the counts must balance.
fn settle(before: &Stock, product_id: &str, mut change: Change<Stock>) -> Decision<Stock> {
    if !change.state.counts.balanced() {
        return Decision::Reject(format!("pieces were made or lost: {:?}", change.state.counts));
    }
    for (order_id, entry) in &before.orders {
        if !entry.is_settled() || change.state.orders.get(order_id) != Some(entry) {
            continue;
        }
        let value = match json::to_value(entry) {
            Ok(value) => value,
            Err(error) => return Decision::Reject(error.to_string()),
        };
        change.state.orders.remove(order_id);
        change.forwards.push(Forward {
            key: settled_key(product_id, order_id),
            format: Entry::FORMAT,
            rank: entry.step,
            value,
        });
    }
    change.decide()
}
