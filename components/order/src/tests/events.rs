//! The events that an order hears of.

use kit::Event;
use kit::events::Metadata;
use kit::time::Millis;
use serde_json::{Value, json};

pub const ORDER: &str = "o1";
pub const NOW: Millis = Millis(1_768_473_000_000);
pub const TEXT: &str = "2026-01-15T10:30:00.000Z";

fn event(subject: &str, data: &Value) -> Event {
    Event::read(subject, &data.to_string()).unwrap()
}

pub fn meta(from: &str, source: &str, sequence: u64) -> Metadata {
    Metadata {
        event_id: format!("{source}-{sequence}"),
        event_version: 1,
        aggregate_id: from.to_owned(),
        aggregate_version: None,
        occurred_at: TEXT.to_owned(),
        correlation_id: "correlation".to_owned(),
        causation_id: "cause".to_owned(),
        saga_id: None,
        source: source.to_owned(),
        sequence,
        key: ORDER.to_owned(),
        attempt: 1,
        delivered_at: NOW.0,
    }
}

pub fn created() -> Event {
    created_for("c1")
}

pub fn created_for(customer: &str) -> Event {
    let item = |product: &str| json!({"productId": product, "artisanId": "a1", "quantity": 2, "unitPrice": 1250, "productName": "Aceite"});
    event(
        "order.created",
        &json!({
            "customerId": customer, "items": [item("p1"), item("p2")], "totalAmount": 5000, "currency": "EUR",
            "deliveryAddress": {"street": "Calle Maestra 12", "city": "Jaén", "postalCode": "23001"},
            "orderType": "delivery", "createdAt": TEXT, "paymentMethodId": "tok_ok"
        }),
    )
}

pub fn confirm() -> Event {
    event("order.confirm", &json!({"paymentReference": "txn-1", "confirmedAt": TEXT, "sagaId": "s"}))
}

/// The saga's.
pub fn cancel() -> Event {
    event(
        "order.cancel",
        &json!({"reason": "payment-failed", "cancelledAt": TEXT, "sagaId": "s", "cancelledBy": "system",
                "refundRequired": false, "compensationActions": ["stock-released"]}),
    )
}

/// As little as a command may say.
pub fn cancel_bare() -> Event {
    event("order.cancel", &json!({"reason": "customer-request", "cancelledAt": TEXT, "sagaId": "s"}))
}

pub fn deliver() -> Event {
    event("order.deliver", &json!({"deliveredAt": TEXT, "deliveryMethod": "courier", "recipientName": "Lucía"}))
}

pub fn reserved() -> Event {
    event(
        "inventory.stock.reserved",
        &json!({"orderId": ORDER, "artisanId": "a1", "quantityReserved": 2, "remainingStock": 1,
                "reservationExpiry": TEXT, "reservationId": "r", "unitPrice": 1250}),
    )
}

pub fn sold() -> Event {
    event(
        "inventory.stock.sold",
        &json!({"orderId": ORDER, "reservationId": "r", "quantitySold": 2, "remainingStock": 1}),
    )
}

pub fn released(reason: &str) -> Event {
    event(
        "inventory.stock.released",
        &json!({"orderId": ORDER, "reservationId": "r", "quantityReleased": 2, "reason": reason,
                "newAvailableStock": 3, "releasedAt": TEXT}),
    )
}

pub fn initiated() -> Event {
    event(
        "payment.initiated",
        &json!({"orderId": ORDER, "customerId": "c1", "amount": 5000, "currency": "EUR", "paymentMethod": "card",
                "paymentGateway": "sandbox", "merchantReference": ORDER, "initiatedAt": TEXT}),
    )
}

pub fn succeeded() -> Event {
    event(
        "payment.succeeded",
        &json!({"orderId": ORDER, "transactionId": "txn-1", "gatewayTransactionId": "gw", "amount": 5000,
                "currency": "EUR", "processedAt": TEXT, "paymentGateway": "sandbox", "gatewayFee": 1,
                "marketplaceFee": 1, "artisanAmount": 4998}),
    )
}

pub fn failed(attempt: u32) -> Event {
    event(
        "payment.failed",
        &json!({"orderId": ORDER, "errorCode": "busy", "errorMessage": "try later", "retryable": true,
                "failedAt": TEXT, "attemptNumber": attempt, "maxAttempts": 3}),
    )
}

pub fn refunded() -> Event {
    event(
        "payment.refunded",
        &json!({"originalPaymentId": "pay", "orderId": ORDER, "refundAmount": 5000, "refundReason": "r",
                "processedAt": TEXT, "gatewayRefundId": "g", "refundMethod": "original", "processingTime": 3}),
    )
}
