//! The facts of inventory, worded from what is stored: the same whenever they are said.

use super::claim::Claim;
use super::entry::{Checked, Lost, Returned, Sold};
use super::stock::Listing;
use kit::Event;
use kit::events::inventory::{
    ReleaseReason, StockReleaseRequested, StockReleased, StockReserved, StockSold, StockUnavailable,
};
use kit::ids;
use kit::time::Millis;

impl Claim<'_> {
    /// Derived from order and product: whoever knows both can name it.
    pub(super) fn reservation(&self) -> String {
        ids::reservation(self.order_id, self.input.id)
    }

    /// `inventory.stock.reserved`.
    pub(super) fn reserved(&self, listing: &Listing, quantity: u32, checked: &Checked, until: Millis) -> Event {
        Event::InventoryStockReserved(StockReserved {
            order_id: self.order_id.to_owned(),
            artisan_id: listing.artisan_id.clone(),
            quantity_reserved: quantity,
            remaining_stock: checked.free,
            reservation_expiry: until.rfc3339(),
            reservation_id: self.reservation(),
            unit_price: listing.price,
        })
    }

    /// `inventory.stock.unavailable`.
    pub(super) fn unavailable(&self, quantity: u32, free: u32) -> Event {
        Event::InventoryStockUnavailable(StockUnavailable {
            order_id: self.order_id.to_owned(),
            quantity_requested: quantity,
            available_stock: free,
        })
    }

    /// `inventory.stock.unavailable`, in answer to a sale.
    pub(super) fn lost(&self, lost: &Lost) -> Event {
        self.unavailable(lost.quantity, lost.free)
    }

    /// `inventory.stock.sold`.
    pub(super) fn sold(&self, quantity: u32, sold: &Sold) -> Event {
        Event::InventoryStockSold(StockSold {
            order_id: self.order_id.to_owned(),
            reservation_id: self.reservation(),
            quantity_sold: quantity,
            remaining_stock: sold.free,
        })
    }

    /// `inventory.stock.released`.
    pub(super) fn released(&self, returned: &Returned) -> Event {
        Event::InventoryStockReleased(StockReleased {
            order_id: self.order_id.to_owned(),
            reservation_id: self.reservation(),
            quantity_released: returned.quantity,
            reason: returned.reason,
            new_available_stock: returned.free,
            released_at: returned.at.rfc3339(),
        })
    }

    /// The timer's event: inventory asks itself for the release.
    pub(super) fn expiry(&self, saga_id: &str) -> Event {
        Event::InventoryStockRelease(StockReleaseRequested {
            order_id: self.order_id.to_owned(),
            reservation_id: self.reservation(),
            reason: ReleaseReason::ReservationExpired,
            saga_id: saga_id.to_owned(),
        })
    }

    /// The timer's name.
    pub(super) fn expiry_name(&self) -> String {
        format!("expiry/{}", self.order_id)
    }
}
