//! The stock of one product, as it is stored.

use super::counts::Counts;
use super::entry::Entry;
use kit::aggregate::State;
use kit::json::{self, Value};
use kit::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The stock of one product.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    /// What it is; `None` until it is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    /// How many pieces are where.
    pub counts: Counts,
    /// Claims by order. Settled ones stay for one write and then leave for a value of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orders: BTreeMap<String, Entry>,
}

/// What inventory knows of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Its maker.
    pub artisan_id: String,
    /// Its name.
    pub name: String,
    /// Its category.
    pub category: String,
    /// Price of one piece, in minor units.
    pub price: u64,
    /// Free pieces at or below which a warning is due.
    pub warning: u32,
    /// Free pieces at or below which it is urgent.
    pub critical: u32,
    /// When it was listed.
    pub listed_at: Millis,
    /// When pieces last came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restocked_at: Option<Millis>,
}

impl State for Stock {
    const KIND: &'static str = "stock";
    const FORMAT: u32 = 2;

    fn upcast(format: u32, state: Value) -> Result<Value, String> {
        match format {
            1 => json::from_value(state).map_err(|error| error.to_string()).and_then(nested),
            other => Err(format!("no way from format {other} of a stock")),
        }
    }
}

/// Format 1: one flat record, open reservations only, the threshold fixed at listing.
#[derive(Debug, Deserialize)]
struct Flat {
    artisan: String,
    name: String,
    category: String,
    price: u64,
    listed_at: u64,
    low_at: u32,
    available: u32,
    sold: u32,
    #[serde(default)]
    reservations: BTreeMap<String, FlatReservation>,
}

#[derive(Debug, Deserialize)]
struct FlatReservation {
    quantity: u32,
    remaining: u32,
    until: u64,
    version: u64,
}

fn nested(flat: Flat) -> Result<Value, String> {
    use super::entry::{Checked, Status};
    let held = |(order, old): (String, FlatReservation)| {
        let mut entry = Entry::new(Status::Held, old.quantity);
        let until = Some(Millis(old.until));
        entry.checked = Some(Checked { version: old.version, free: old.remaining, until, low: None });
        (order, entry)
    };
    let reserved = flat.reservations.values().try_fold(0_u32, |sum, old| sum.checked_add(old.quantity));
    let reserved = reserved.ok_or("more pieces are reserved than can be counted")?;
    let received = flat.available.checked_add(reserved).and_then(|sum| sum.checked_add(flat.sold));
    let stock = Stock {
        listing: Some(Listing {
            artisan_id: flat.artisan,
            name: flat.name,
            category: flat.category,
            price: flat.price,
            warning: flat.low_at,
            critical: super::low::critical(flat.low_at),
            listed_at: Millis(flat.listed_at),
            restocked_at: None,
        }),
        counts: Counts {
            received: received.ok_or("more pieces came in than can be counted")?,
            available: flat.available,
            reserved,
            sold: flat.sold,
        },
        orders: flat.reservations.into_iter().map(held).collect(),
    };
    json::to_value(stock).map_err(|error| error.to_string())
}
