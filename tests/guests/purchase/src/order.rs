//! An order and its saga.

use crate::emit;
use crate::generated::example::purchase::delivery::{
    ChargeTakeRequested, Event, Failure, Metadata, Output, StockReleaseRequested, StockReserveRequested,
};
use crate::state::change;
use serde::{Deserialize, Serialize};

/// Where an order is.
#[derive(Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    #[default]
    Pending,
    Confirmed,
    Cancelled,
}

/// An order.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    status: Status,
    items: Vec<Item>,
    amount: i64,
    method: String,
    /// Why it is cancelled.
    reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    product_id: String,
    quantity: u32,
    /// What came of its reservation; nothing yet where it is absent.
    reserved: Option<bool>,
}

/// Handles an order's event: what follows is said by the state after it, so a repeat says the same.
pub(crate) fn handle(meta: &Metadata, event: Event) -> Result<Vec<Output>, Failure> {
    change("order", &meta.key, |order: &mut Order| match &event {
        Event::PurchasePlaced(placed) => {
            let wanted = placed.items.iter();
            if order.items.is_empty() {
                order.amount = placed.amount;
                order.method.clone_from(&placed.method);
                order.items = wanted
                    .clone()
                    .map(|item| Item { product_id: item.product_id.clone(), quantity: item.quantity, reserved: None })
                    .collect();
            }
            wanted
                .map(|item| {
                    let request = StockReserveRequested { order_id: meta.key.clone(), quantity: item.quantity };
                    emit(&item.product_id, Event::StockReserve(request))
                })
                .collect()
        }
        Event::PurchaseReserved(reserved) => {
            order.answered(&reserved.product_id, true);
            order.next(meta)
        }
        Event::PurchaseRefused(refused) => {
            if let Some(product_id) = &refused.product_id {
                order.answered(product_id, false);
            }
            order.reason.get_or_insert_with(|| refused.code.clone());
            order.next(meta)
        }
        Event::PurchasePaid(_) => {
            order.status = Status::Confirmed;
            Vec::new()
        }
        _ => Vec::new(),
    })
}

impl Order {
    fn answered(&mut self, product_id: &str, reserved: bool) {
        if let Some(item) = self.items.iter_mut().find(|item| item.product_id == product_id) {
            item.reserved = Some(reserved);
        }
    }

    /// Once every reservation is answered: the money, or the way back.
    fn next(&mut self, meta: &Metadata) -> Vec<Output> {
        if self.items.iter().any(|item| item.reserved.is_none()) {
            return Vec::new();
        }
        if self.reason.is_none() {
            let request = ChargeTakeRequested { amount: self.amount, method: self.method.clone() };
            return vec![emit(&meta.key, Event::ChargeTake(request))];
        }
        self.status = Status::Cancelled;
        let reserved = self.items.iter().filter(|item| item.reserved == Some(true));
        reserved
            .map(|item| {
                let request = StockReleaseRequested { order_id: meta.key.clone(), quantity: item.quantity };
                emit(&item.product_id, Event::StockRelease(request))
            })
            .collect()
    }
}
