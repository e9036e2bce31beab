//! `POST /api/v1/orders`: checks the request, asks for prices, stock and the payment method, and places the order.

use super::{check_id, quote, view};
use crate::domain::{Order, Ordering};
use kit::events::order::{DeliveryAddress, OrderCreated, OrderType};
use kit::http::{FieldError, Problem, Request, Response, read_body};
use kit::submit::{Answer, Draft, submit};
use kit::time::Millis;
use kit::{Event, Ports, ids};
use serde::Deserialize;
use std::fmt::Display;

/// Most lines of an order: each costs a reservation.
const MAX_LINES: usize = 50;
const _: () = assert!(MAX_LINES <= kit::http::MAX_IDS, "all products of an order are asked for at once");
/// Most pieces of one product.
const MAX_QUANTITY: u32 = 1_000;
/// Longest line of an address, in bytes.
const MAX_TEXT: usize = 200;

/// Body of `POST /api/v1/orders`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceBody {
    /// Who orders.
    pub customer_id: String,
    /// What; lines of one product are merged.
    pub items: Vec<Line>,
    /// Delivery or pickup.
    pub order_type: OrderType,
    /// ISO 4217; every product has to be sold in it.
    pub currency: String,
    /// Where it goes.
    pub delivery_address: DeliveryAddress,
    /// The day the customer wishes, RFC 3339.
    #[serde(default)]
    pub requested_delivery_date: Option<String>,
    /// How the customer pays.
    pub payment_method_id: String,
}

/// One line of an order. It has no price: that is the product's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The product.
    pub product_id: String,
    /// Pieces, 1 to 1000.
    pub quantity: u32,
}

/// A product of an order, and the line that named it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) line: usize,
    pub(super) product_id: String,
    pub(super) quantity: u32,
}

/// Places an order.
pub(super) async fn place<P: Ports>(ports: &P, request: &Request) -> Response {
    let body = match read_body::<PlaceBody>(request).and_then(checked) {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    let caller = body.customer_id.clone();
    submit::<Ordering, _, _, _>(ports, request, &caller, async || draft(ports, body).await, answer).await
}

/// 201 with the order. A repeat with the same `Idempotency-Key` gets the same.
fn answer(answer: Answer<'_, Order>) -> Response {
    let (status, order) = match answer {
        Answer::Done(_, order) => (201, order),
        Answer::Accepted(_, order) => (202, order),
        Answer::Refused(refusal, _) => return Problem::refused(refusal).into(),
    };
    match view::of(&order.id, &order) {
        Some(view) => Response::json(status, &view).with_header("location", &format!("/api/v1/orders/{}", order.id)),
        None => Problem::internal("the order was placed and cannot be shown").into(),
    }
}

async fn draft<P: Ports>(ports: &P, body: PlaceBody) -> Result<Draft, Problem> {
    let wanted = merged(&body.items)?;
    let items = quote::items(ports, &wanted, &body.currency).await?;
    let total = quote::total(&items)?;
    quote::check_method(ports, &body, total).await?;
    Ok(Draft {
        aggregate_id: ports.new_id(),
        saga_id: None,
        event: Event::OrderCreated(OrderCreated {
            customer_id: body.customer_id,
            items,
            total_amount: total,
            currency: body.currency,
            delivery_address: body.delivery_address,
            order_type: body.order_type,
            requested_delivery_date: body.requested_delivery_date,
            created_at: ports.now().rfc3339(),
            payment_method_id: Some(body.payment_method_id),
        }),
    })
}

/// Checks every field, and names all that are wrong.
fn checked(mut body: PlaceBody) -> Result<PlaceBody, Problem> {
    let mut wrong = Wrong::default();
    for (field, id) in [("customerId", &body.customer_id), ("paymentMethodId", &body.payment_method_id)] {
        wrong.check(field, check_id(field, id).is_ok(), "expected 1 to 128 of A-Z a-z 0-9 - _ .");
    }
    let currency = body.currency.len() == 3 && body.currency.bytes().all(|byte| byte.is_ascii_uppercase());
    wrong.check("currency", currency, "expected an ISO 4217 code such as EUR");
    wrong.check("items", (1..=MAX_LINES).contains(&body.items.len()), format_args!("expected 1 to {MAX_LINES} lines"));
    for (place, line) in body.items.iter().enumerate().take(MAX_LINES) {
        wrong.check(
            &format!("items[{place}].productId"),
            ids::is_id(&line.product_id),
            "expected 1 to 128 of A-Z a-z 0-9 - _ .",
        );
        wrong.check(
            &format!("items[{place}].quantity"),
            (1..=MAX_QUANTITY).contains(&line.quantity),
            format_args!("expected 1 to {MAX_QUANTITY} pieces"),
        );
    }
    check_address(&body.delivery_address, &mut wrong);
    if let Some(date) = &body.requested_delivery_date {
        match Millis::parse(date) {
            Some(date) => body.requested_delivery_date = Some(date.rfc3339()),
            None => wrong.check("requestedDeliveryDate", false, "expected RFC 3339, such as 2026-01-15T10:30:00.000Z"),
        }
    }
    if wrong.errors.is_empty() { Ok(body) } else { Err(Problem::invalid(wrong.errors)) }
}

fn check_address(address: &DeliveryAddress, wrong: &mut Wrong) {
    for (field, text) in [("street", &address.street), ("city", &address.city), ("postalCode", &address.postal_code)] {
        let fits = !text.trim().is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        wrong.check(&format!("deliveryAddress.{field}"), fits, format_args!("expected 1 to {MAX_TEXT} bytes of text"));
    }
    if let Some(place) = &address.coordinates {
        wrong.check("deliveryAddress.coordinates.lat", place.lat.abs() <= 90.0, "expected −90 to 90 degrees");
        wrong.check("deliveryAddress.coordinates.lng", place.lng.abs() <= 180.0, "expected −180 to 180 degrees");
    }
}

/// Lines of one product as one.
fn merged(lines: &[Line]) -> Result<Vec<Wanted>, Problem> {
    let mut wanted: Vec<Wanted> = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        match wanted.iter_mut().find(|there| there.product_id == line.product_id) {
            Some(there) => there.quantity += line.quantity,
            None => wanted.push(Wanted { line: place, product_id: line.product_id.clone(), quantity: line.quantity }),
        }
    }
    match wanted.iter().find(|there| there.quantity > MAX_QUANTITY) {
        Some(Wanted { line, product_id, .. }) => Err(Problem::invalid_field(
            &format!("items[{line}].quantity"),
            format!("all lines of {product_id} together: expected at most {MAX_QUANTITY} pieces"),
        )),
        None => Ok(wanted),
    }
}

/// The fields that are wrong.
#[derive(Debug, Default)]
struct Wrong {
    errors: Vec<FieldError>,
}

impl Wrong {
    fn check(&mut self, field: &str, holds: bool, expected: impl Display) {
        if !holds {
            self.errors.push(FieldError { field: field.to_owned(), reason: expected.to_string() });
        }
    }
}
