//! When stock is low, and what a warning says.

use super::stock::{Listing, Stock};
use kit::events::inventory::LowStockWarning;
use kit::time::{DAY, Millis};

/// A warning is due when a quarter of the initial stock is left, and at this many pieces at the latest.
const MOST_WARNING: u32 = 10;
/// Of a product that does not sell the stock lasts this many days.
const LONGEST_STOCK: f64 = 365.0;

/// The threshold of a warning.
#[must_use]
pub fn warning(initial: u32) -> u32 {
    (initial / 4).min(MOST_WARNING)
}

/// The threshold below which it is urgent: three tenths of the warning's.
#[must_use]
pub fn critical(warning: u32) -> u32 {
    let tenths = u64::from(warning) * 3 / 10;
    u32::try_from(tenths).unwrap_or(warning)
}

/// The warning that is due where the free stock crossed the threshold downwards from `before` to `after`.
#[must_use]
pub fn crossed(before: &Stock, after: &Stock, now: Millis) -> Option<LowStockWarning> {
    let listing = after.listing.as_ref()?;
    let crossed = before.counts.available > listing.warning && after.counts.available <= listing.warning;
    crossed.then(|| describe(after, listing, now))
}

fn describe(stock: &Stock, listing: &Listing, now: Millis) -> LowStockWarning {
    let average = f64::from(stock.counts.sold) / days(now.since(listing.listed_at)).max(1.0);
    let last = if average > 0.0 { f64::from(stock.counts.available) / average } else { LONGEST_STOCK };
    LowStockWarning {
        current_stock: stock.counts.available,
        warning_threshold: listing.warning,
        critical_threshold: listing.critical,
        artisan_id: listing.artisan_id.clone(),
        product_name: listing.name.clone(),
        category: listing.category.clone(),
        last_restock_date: listing.restocked_at.map(Millis::rfc3339),
        average_daily_sales: (average * 100.0).round() / 100.0,
        estimated_stockout_date: now.plus(milliseconds(last.min(LONGEST_STOCK))).rfc3339(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people: milliseconds since 1970 are exact in a double")]
fn days(milliseconds: u64) -> f64 {
    milliseconds as f64 / DAY as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between 0 and a year of days"
)]
fn milliseconds(days: f64) -> u64 {
    (days * DAY as f64) as u64
}
