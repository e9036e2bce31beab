//! Notifications over the ports in memory: who is told what, once, whatever the order of arrival.

use super::Notification;
use crate::text::money;
use kit::http::Request;
use kit::json::{Value, json};
use kit::memory::{Memory, block_on};
use kit::time::Millis;
use kit::{Event, Failure, Metadata, Ports, Worker};

const NOW: Millis = Millis(1_768_473_000_000);

/// An event of the order `o-1` by customer `c-1`, or of anybody else named in it.
fn event(subject: &str) -> (String, Event) {
    let now = NOW.rfc3339();
    let (id, data) = match subject {
        "order.created" => {
            let item = json!({"productId": "p-1", "artisanId": "art-1", "quantity": 2, "unitPrice": 2_950,
                "productName": "Cuenco de Úbeda"});
            let address = json!({"street": "s", "city": "c", "postalCode": "23400"});
            let data = json!({"customerId": "c-1", "items": [item], "totalAmount": 123_450, "currency": "EUR",
                "deliveryAddress": address, "orderType": "delivery", "createdAt": now});
            ("o-1", data)
        }
        "order.confirmed" => {
            let data = json!({"confirmedAt": now, "estimatedDeliveryDate": "2026-01-20T10:00:00.000Z",
                "paymentReference": "t", "artisanNotified": true});
            ("o-1", data)
        }
        "order.cancelled" => {
            let data = json!({"reason": "customer-request", "cancelledAt": now, "refundRequired": true,
                "refundAmount": 5_900, "cancelledBy": "c-1", "compensationActions": []});
            ("o-1", data)
        }
        "order.delivered" => {
            ("o-1", json!({"deliveredAt": now, "deliveryMethod": "courier", "recipientName": "Ana Ruiz"}))
        }
        "inventory.stock.reserved" => {
            let data = json!({"orderId": "o-1", "artisanId": "art-1", "quantityReserved": 2, "remainingStock": 1,
                "reservationExpiry": now, "reservationId": "r", "unitPrice": 2_950});
            ("p-1", data)
        }
        "payment.succeeded" => {
            let data = json!({"orderId": "o-1", "transactionId": "t", "gatewayTransactionId": "g", "amount": 5_900,
                "currency": "EUR", "processedAt": now, "paymentGateway": "sandbox", "gatewayFee": 0,
                "marketplaceFee": 0, "artisanAmount": 5_900});
            ("pay-1", data)
        }
        "payment.failed" => {
            let data = json!({"orderId": "o-1", "errorCode": "declined", "errorMessage": "m", "retryable": false,
                "failedAt": now, "attemptNumber": 1, "maxAttempts": 3});
            ("pay-1", data)
        }
        "payment.refunded" => {
            let data = json!({"originalPaymentId": "pay-1", "orderId": "o-1", "refundAmount": 5_900,
                "refundReason": "r", "processedAt": now, "gatewayRefundId": "g", "refundMethod": "original",
                "processingTime": 5});
            ("ref-1", data)
        }
        other => event_of_person(other, &now),
    };
    (id.to_owned(), Event::read(subject, &data.to_string()).unwrap())
}

fn event_of_person(subject: &str, now: &str) -> (&'static str, Value) {
    match subject {
        "inventory.stock.low" => {
            let data = json!({"currentStock": 1, "warningThreshold": 5, "criticalThreshold": 2, "artisanId": "art-1",
                "productName": "Cuenco de Úbeda", "category": "ceramica", "averageDailySales": 1.5,
                "estimatedStockoutDate": now});
            ("p-1", data)
        }
        "user.registered" => {
            let data = json!({"email": "ana@example.org", "firstName": "Ana", "lastName": "Ruiz",
                "registrationDate": now, "registrationSource": "web", "preferredLanguage": "es",
                "marketingConsent": false});
            ("c-1", data)
        }
        "user.profile.updated" => {
            let data = json!({"changedFields": ["email"], "previousValues": {}, "newValues": {}, "updatedAt": now,
                "updatedBy": "c-1"});
            ("c-1", data)
        }
        "user.preferences.changed" => {
            let notifications = json!({"email": true, "sms": false, "push": false, "orderUpdates": true,
                "promotions": false, "newsletter": false});
            let shopping = json!({"favoriteCategories": [], "maxDeliveryRadius": 10, "preferredDeliveryTime": "am",
                "priceAlerts": false});
            let privacy = json!({"shareLocation": false, "sharePreferences": false, "allowTracking": false});
            let preferences = json!({"notifications": notifications, "shopping": shopping, "privacy": privacy});
            ("c-1", json!({"preferences": preferences, "updatedAt": now}))
        }
        "artisan.verified" => {
            let address = json!({"street": "s", "city": "c", "province": "Jaén", "postalCode": "23400",
                "coordinates": {"lat": 38, "lng": -3}});
            let data = json!({"businessName": "Alfar", "contactEmail": "a@b", "contactPhone": "1",
                "businessAddress": address, "specialties": [], "craftingTechniques": [], "certifications": [],
                "verificationLevel": "master", "verifiedAt": now, "verifiedBy": "a", "backgroundCheckPassed": true,
                "insuranceValidated": true});
            ("art-1", data)
        }
        "artisan.status.changed" => {
            let data = json!({"previousStatus": "active", "newStatus": "suspended", "reason": "seguro caducado",
                "changedAt": now, "changedBy": "a", "impactedProducts": []});
            ("art-1", data)
        }
        "artisan.product.listed" => {
            let data = json!({"artisanId": "art-1", "productName": "Cuenco de Úbeda", "category": "ceramica",
                "subcategory": "cuencos", "description": "d", "price": 5_900, "currency": "EUR", "initialStock": 1,
                "craftingTime": 1, "materials": [], "customizable": false, "listedAt": now});
            ("p-1", data)
        }
        other => panic!("no such event here: {other}"),
    }
}

/// What the manifest sends this component.
const HEARD: [&str; 15] = [
    "order.created",
    "order.confirmed",
    "order.cancelled",
    "order.delivered",
    "inventory.stock.reserved",
    "inventory.stock.low",
    "payment.succeeded",
    "payment.failed",
    "payment.refunded",
    "user.registered",
    "user.profile.updated",
    "user.preferences.changed",
    "artisan.verified",
    "artisan.status.changed",
    "artisan.product.listed",
];

fn meta(id: &str, event_id: &str, at: Millis) -> Metadata {
    Metadata {
        event_id: event_id.to_owned(),
        event_version: 1,
        aggregate_id: id.to_owned(),
        aggregate_version: None,
        occurred_at: at.rfc3339(),
        correlation_id: "correlation".to_owned(),
        causation_id: "cause".to_owned(),
        saga_id: None,
        source: "memory".to_owned(),
        sequence: 1,
        key: id.to_owned(),
        attempt: 1,
        delivered_at: NOW.0,
    }
}

/// Hears an event whose id is its subject; later ones of [`HEARD`] happened later.
fn hear(memory: &Memory, subject: &str) {
    let place = HEARD.iter().position(|heard| *heard == subject).unwrap() as u64;
    let (id, event) = event(subject);
    let heard = block_on(Notification::handle(memory, meta(&id, subject, NOW.plus(place)), event));
    assert_eq!(heard, Ok(vec![]), "{subject}");
}

fn get(memory: &Memory, target: &str) -> (u16, Value) {
    let response = block_on(Notification::serve(memory, Request::get(target)));
    (response.status, kit::json::from_slice(&response.body).unwrap())
}

/// Event and body of each notification of a person, newest first.
fn told(memory: &Memory, query: &str) -> Vec<(String, String)> {
    let (status, page) = get(memory, &format!("/api/v1/notifications?pageSize=100&{query}"));
    assert_eq!(status, 200, "{page}");
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    page["items"].as_array().unwrap().iter().map(|item| (text(item, "event"), text(item, "body"))).collect()
}

#[test]
fn each_event_is_told_once_to_whom_it_concerns() {
    let memory = Memory::at(NOW);
    for subject in HEARD.into_iter().chain(HEARD) {
        hear(&memory, subject);
    }
    let subjects = |user: &str| -> Vec<String> {
        told(&memory, &format!("userId={user}")).into_iter().map(|(event, _)| event).collect()
    };
    let of_artisan = ["artisan.product.listed", "artisan.status.changed", "artisan.verified", "inventory.stock.low"];
    assert_eq!(subjects("art-1"), of_artisan);
    let mut of_customer: Vec<_> = HEARD.into_iter().filter(|subject| !of_artisan.contains(subject)).collect();
    of_customer.reverse();
    assert_eq!(subjects("c-1"), of_customer);
    assert!(subjects("c-2").is_empty());
}

#[test]
fn a_fact_that_is_told_again_is_no_news() {
    let memory = Memory::at(NOW);
    hear(&memory, "order.created");
    // Cancelled twice by two requests: the order says so twice, in the same words and as of the same version.
    for (subject, version) in [("order.cancelled", Some(4)), ("payment.refunded", None)] {
        for event_id in ["first", "second"] {
            let (id, event) = event(subject);
            let meta = Metadata { aggregate_version: version, ..meta(&id, &format!("{subject}-{event_id}"), NOW) };
            assert_eq!(block_on(Notification::handle(&memory, meta, event)), Ok(vec![]));
        }
    }
    let subjects: Vec<_> = told(&memory, "userId=c-1").into_iter().map(|(event, _)| event).collect();
    assert_eq!(subjects.iter().filter(|subject| *subject == "order.cancelled").count(), 1, "{subjects:?}");
    assert_eq!(subjects.iter().filter(|subject| *subject == "payment.refunded").count(), 1, "{subjects:?}");
}

#[test]
fn what_comes_before_the_order_is_told_when_the_order_comes() {
    let memory = Memory::at(NOW);
    hear(&memory, "payment.succeeded");
    hear(&memory, "inventory.stock.reserved");
    assert!(told(&memory, "userId=c-1").is_empty());
    hear(&memory, "order.created");
    let bodies: Vec<_> = told(&memory, "userId=c-1").into_iter().map(|(_, body)| body).collect();
    let expected = [
        "Hemos cobrado 59,00 € por el pedido o-1. Gracias.",
        "Hemos apartado 2 piezas de «Cuenco de Úbeda» para el pedido o-1.",
        "Tu pedido o-1 por 1.234,50 € está en marcha. Te avisaremos cuando se confirme.",
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn repeats_write_nothing() {
    let memory = Memory::at(NOW);
    for subject in HEARD {
        hear(&memory, subject);
    }
    let before = memory.snapshot();
    for subject in HEARD.into_iter().rev() {
        hear(&memory, subject);
    }
    assert_eq!(memory.snapshot(), before);
}

#[test]
fn a_crash_after_the_number_was_given_lists_the_order_once() {
    let memory = Memory::at(NOW);
    hear(&memory, "order.created");
    let whole = memory.snapshot();
    // As if the process had died between giving the number and writing it into the thread, and into the list.
    let thread = String::from_utf8(whole["order/o-1"].clone()).unwrap().replace(",\"number\":0", "");
    assert!(!thread.contains("number"), "{thread}");
    block_on(memory.set("order/o-1", thread.into_bytes())).unwrap();
    block_on(memory.delete("place/c-1/0")).unwrap();
    hear(&memory, "order.created");
    assert_eq!(memory.snapshot(), whole);
}

#[test]
fn one_orders_notifications_are_its_customers_alone() {
    let memory = Memory::at(NOW);
    for subject in ["order.created", "payment.failed", "user.registered"] {
        hear(&memory, subject);
    }
    assert_eq!(told(&memory, "userId=c-1&orderId=o-1").len(), 2);
    assert!(told(&memory, "userId=c-2&orderId=o-1").is_empty());
}

#[test]
fn lists_are_paged_and_bad_parameters_are_named() {
    let memory = Memory::at(NOW);
    for subject in ["order.created", "order.confirmed", "order.delivered"] {
        hear(&memory, subject);
    }
    let (_, page) = get(&memory, "/api/v1/notifications?userId=c-1&pageSize=2&page=2");
    assert_eq!((&page["total"], &page["items"][0]["event"]), (&json!(3), &json!("order.created")));
    for query in ["", "userId=a/b", "userId=c-1&page=0"] {
        assert_eq!(get(&memory, &format!("/api/v1/notifications?{query}")).0, 422, "{query}");
    }
    let post = block_on(Notification::serve(&memory, Request::post("/api/v1/notifications", "{}")));
    assert_eq!((post.status, get(&memory, "/api/v1/notifications/x").0), (405, 404));
}

#[test]
fn money_is_written_as_people_read_it() {
    let written = [(5_900, "EUR"), (5, "EUR"), (123_456_789, "EUR"), (0, "EUR"), (1_500, "JPY"), (1_050, "USD")]
        .map(|(minor, currency)| money(minor, currency));
    assert_eq!(written, ["59,00 €", "0,05 €", "1.234.567,89 €", "0,00 €", "1.500 JPY", "10,50 USD"]);
}

#[test]
fn a_newer_format_is_refused_clearly() {
    let memory = Memory::at(NOW);
    block_on(memory.set("order/o-1", br#"{"format":9,"view":{}}"#.to_vec())).unwrap();
    let (id, event) = event("order.confirmed");
    let refused = block_on(Notification::handle(&memory, meta(&id, "e", NOW), event));
    let Err(Failure::Reject(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("order/o-1") && why.contains("format 9"), "{why}");
}
