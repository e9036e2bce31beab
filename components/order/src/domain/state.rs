//! What an order knows.

use kit::aggregate::State;
use kit::events::order::{OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where an order stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not placed, as far as was heard.
    #[default]
    Absent,
    /// Placed.
    Pending,
    /// Paid: it stands.
    Confirmed,
    /// It will not be fulfilled. Final.
    Cancelled,
    /// With its customer. Final.
    Delivered,
}

/// What inventory reported of an item. Later ones win: the same report may come again at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stock {
    /// Set aside.
    Reserved,
    /// Set aside for too long: free again, unless the sale renews it.
    Expired,
    /// Sold.
    Sold,
    /// Given back, or never taken.
    Released,
}

/// What payment reported. Later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaymentStatus {
    /// The gateway was asked, and what it said is not known here.
    Initiated,
    /// An attempt failed, another one follows.
    Retrying,
    /// Not taken.
    Failed,
    /// Taken.
    Succeeded,
    /// Given back, or never taken.
    Refunded,
}

/// The payment as it was last reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentReport {
    /// Its id.
    pub payment_id: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The attempt that failed last; 0 before that.
    #[serde(default)]
    pub failed_attempt: u32,
    /// The transaction, once the money was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Minor units that went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded_amount: Option<u64>,
}

/// A fact that was told, and the version it was told with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told<T> {
    /// The order's version after it.
    pub version: u64,
    /// What was told.
    pub fact: T,
}

/// An order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id, once it was placed: the answer to its placing is written from the state alone.
    #[serde(default)]
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// What was ordered; `None` where only reports or a cancellation came so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<OrderCreated>,
    /// The page of the customer's list it is on.
    #[serde(default)]
    pub page: usize,
    /// Once confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Told<OrderConfirmed>>,
    /// Once cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Told<OrderCancelled>>,
    /// It was cancelled before it was heard of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tombstone: bool,
    /// Once delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Told<OrderDelivered>>,
    /// What inventory reported, by product.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stock: BTreeMap<String, Stock>,
    /// What payment reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentReport>,
}

impl Order {
    /// Whether every item is sold.
    #[must_use]
    pub fn is_sold(&self) -> bool {
        self.created.as_ref().is_some_and(|created| {
            created.items.iter().all(|item| self.stock.get(&item.product_id) == Some(&Stock::Sold))
        })
    }

    /// Whether money was taken, as far as was heard.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        let succeeded = self.payment.as_ref().is_some_and(|payment| payment.status == PaymentStatus::Succeeded);
        succeeded || matches!(self.status, Status::Confirmed | Status::Delivered)
    }
}

impl State for Order {
    const KIND: &'static str = "order";
    const FORMAT: u32 = 2;

    fn upcast(format: u32, state: Value) -> Result<Value, String> {
        match format {
            1 => stock_by_product(state),
            other => Err(format!("no way from format {other} of an order")),
        }
    }
}

/// Format 1 had `reserved`, `sold` and `released`, each a list of products, for `stock` by product.
fn stock_by_product(mut state: Value) -> Result<Value, String> {
    let object = state.as_object_mut().ok_or("the state is no object")?;
    let mut stock = serde_json::Map::new();
    for name in ["reserved", "sold", "released"] {
        let Some(products) = object.remove(name) else { continue };
        let products: Vec<String> = serde_json::from_value(products).map_err(|error| format!("{name}: {error}"))?;
        stock.extend(products.into_iter().map(|product| (product, json!(name))));
    }
    object.insert("stock".to_owned(), Value::Object(stock));
    Ok(state)
}
