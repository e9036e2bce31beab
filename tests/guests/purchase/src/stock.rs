//! A product's pieces.

use crate::emit;
use crate::generated::example::purchase::delivery::{
    Event, Failure, Metadata, Output, PurchaseRefused, PurchaseReserved, StockReserveRequested,
};
use crate::state::change;
use serde::{Deserialize, Serialize};

/// How many pieces are where, and what was answered last: of one source only the last delivered event can come again.
#[derive(Default, Serialize, Deserialize)]
struct Stock {
    available: u64,
    reserved: u64,
    sequence: u64,
    refused: bool,
}

impl Stock {
    /// Whether the event is new; it counts as handled from here on.
    fn is_new(&mut self, meta: &Metadata) -> bool {
        let new = meta.sequence > self.sequence;
        self.sequence = self.sequence.max(meta.sequence);
        new
    }
}

/// More pieces.
pub(crate) fn restock(meta: &Metadata, quantity: u32) -> Result<Vec<Output>, Failure> {
    change("stock", &meta.key, |stock: &mut Stock| {
        if stock.is_new(meta) {
            stock.available += u64::from(quantity);
        }
        Vec::new()
    })
}

/// Sets pieces aside, or says that there are too few.
pub(crate) fn reserve(meta: &Metadata, request: &StockReserveRequested) -> Result<Vec<Output>, Failure> {
    let quantity = u64::from(request.quantity);
    change("stock", &meta.key, |stock: &mut Stock| {
        if stock.is_new(meta) {
            stock.refused = stock.available < quantity;
            if !stock.refused {
                stock.available -= quantity;
                stock.reserved += quantity;
            }
        }
        let event = match stock.refused {
            true => {
                let (product_id, code) = (Some(meta.key.clone()), "insufficient-stock".to_owned());
                Event::PurchaseRefused(PurchaseRefused { product_id, code })
            }
            false => {
                Event::PurchaseReserved(PurchaseReserved { product_id: meta.key.clone(), quantity: request.quantity })
            }
        };
        vec![emit(&request.order_id, event)]
    })
}

/// Puts pieces back.
pub(crate) fn release(meta: &Metadata, quantity: u32) -> Result<Vec<Output>, Failure> {
    change("stock", &meta.key, |stock: &mut Stock| {
        if stock.is_new(meta) {
            stock.available += u64::from(quantity);
            stock.reserved = stock.reserved.saturating_sub(u64::from(quantity));
        }
        Vec::new()
    })
}
