//! An order as it is shown.

use crate::domain::{Order, PaymentReport, Status, Stock};
use kit::events::order::{DeliveryAddress, OrderCancelled, OrderConfirmed, OrderDelivered, OrderItem, OrderType};
use serde::Serialize;

/// An order, in answers and in lists.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderView<'a> {
    order_id: &'a str,
    customer_id: &'a str,
    /// `pending`, `confirmed`, `cancelled` or `delivered`.
    status: Status,
    items: Vec<ItemView<'a>>,
    /// Minor units.
    total_amount: u64,
    currency: &'a str,
    order_type: OrderType,
    delivery_address: &'a DeliveryAddress,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_delivery_date: Option<&'a str>,
    created_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<&'a PaymentReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation: Option<&'a OrderConfirmed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation: Option<&'a OrderCancelled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'a OrderDelivered>,
}

#[derive(Debug, Serialize)]
struct ItemView<'a> {
    #[serde(flatten)]
    line: &'a OrderItem,
    /// `reserved`, `sold` or `released`; absent until inventory reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<Stock>,
}

/// Shows an order; `None` where it was never placed.
pub(super) fn of<'a>(order_id: &'a str, order: &'a Order) -> Option<OrderView<'a>> {
    let created = order.created.as_ref()?;
    let stock = |product: &str| match order.stock.get(product).copied() {
        Some(Stock::Expired) => Some(Stock::Released),
        known => known,
    };
    Some(OrderView {
        order_id,
        customer_id: &created.customer_id,
        status: order.status,
        items: created.items.iter().map(|line| ItemView { line, stock: stock(&line.product_id) }).collect(),
        total_amount: created.total_amount,
        currency: &created.currency,
        order_type: created.order_type,
        delivery_address: &created.delivery_address,
        requested_delivery_date: created.requested_delivery_date.as_deref(),
        created_at: &created.created_at,
        payment_method_id: created.payment_method_id.as_deref(),
        payment: order.payment.as_ref(),
        confirmation: order.confirmed.as_ref().map(|told| &told.fact),
        cancellation: order.cancelled.as_ref().map(|told| &told.fact),
        delivery: order.delivered.as_ref().map(|told| &told.fact),
    })
}
