//! What a decision about one order's claim reads, and how its change is put together.

use super::entry::Entry;
use super::stock::Stock;
use kit::aggregate::{Change, Input};

/// What a decision about one order reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The stock before.
    pub(super) stock: &'a Stock,
    /// The event.
    pub(super) input: Input<'a>,
    /// Whose claim.
    pub(super) order_id: &'a str,
    /// What is known of it.
    pub(super) entry: Option<&'a Entry>,
}

impl Claim<'_> {
    /// The stock with this claim changed; it comes back into the aggregate where it had left.
    pub(super) fn with(&self, entry: Entry) -> Stock {
        let mut stock = self.stock.clone();
        stock.orders.insert(self.order_id.to_owned(), entry);
        stock
    }

    /// Nothing changes; what follows is said once more.
    pub(super) fn unchanged(&self) -> Change<Stock> {
        Change::to(self.stock.clone())
    }
}
