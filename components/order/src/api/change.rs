//! `POST …/{id}/cancel` and `…/deliver`: commands to an order that exists.

use super::{check_id, find, view};
use crate::domain::{Order, Ordering, Status, too_late_to_cancel};
use kit::events::order::{CancellationReason, DeliveryMethod, OrderCancelRequested, OrderDeliverRequested, OrderType};
use kit::http::{Problem, Request, Response, read_body};
use kit::submit::{ANYBODY, Answer, Draft, submit};
use kit::time::Millis;
use kit::{Event, Ports, ids};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Longest text of a delivery, in bytes, and most photographs: they are kept with the order.
const MAX_TEXT: usize = 1_000;
const MAX_PHOTOS: usize = 20;
/// Best rating of a delivery.
const MAX_RATING: f64 = 5.0;

/// Body of `POST /api/v1/orders/{id}/cancel`; may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelBody {
    /// Why; by default `customer-request`.
    #[serde(default)]
    pub reason: Option<CancellationReason>,
    /// Who; by default the customer.
    #[serde(default)]
    pub cancelled_by: Option<String>,
}

/// Body of `POST /api/v1/orders/{id}/deliver`; may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliverBody {
    /// When; by default now.
    #[serde(default)]
    pub delivered_at: Option<String>,
    /// By whom; by default a courier, or the customer where the order is to be fetched.
    #[serde(default)]
    pub delivery_method: Option<DeliveryMethod>,
    /// Who took the goods; by default the customer.
    #[serde(default)]
    pub recipient_name: Option<String>,
    /// The signature, or where it is kept.
    #[serde(default)]
    pub recipient_signature: Option<String>,
    /// Where the photographs are kept.
    #[serde(default)]
    pub delivery_photos: Option<Vec<String>>,
    /// What the carrier noted.
    #[serde(default)]
    pub delivery_notes: Option<String>,
    /// The customer's rating, 0 to 5.
    #[serde(default)]
    pub quality_rating: Option<f64>,
}

/// Cancels an order.
pub(super) async fn cancel<P: Ports>(ports: &P, request: &Request, order_id: &str) -> Response {
    let build = async || {
        let (order, _) = find(ports, order_id).await?;
        let body: CancelBody = read_optional(request)?;
        if let Some(who) = &body.cancelled_by {
            check_id("cancelledBy", who)?;
        }
        let customer = order.created.as_ref().map(|created| created.customer_id.clone());
        let command = OrderCancelRequested {
            reason: body.reason.unwrap_or(CancellationReason::CustomerRequest),
            cancelled_at: ports.now().rfc3339(),
            saga_id: ids::saga(order_id),
            cancelled_by: body.cancelled_by.or(customer),
            refund_required: Some(order.is_paid()),
            refund_amount: None,
            compensation_actions: None,
        };
        Ok(draft(order_id, Event::OrderCancel(command)))
    };
    let said = |said: Answer<'_, Order>| match said {
        // The command's delivery and later ones went first: only the state can tell what came of it.
        Answer::Done(_, order) if order.status == Status::Delivered => Problem::refused(&too_late_to_cancel()).into(),
        said => answer(order_id, said),
    };
    submit::<Ordering, _, _, _>(ports, request, ANYBODY, build, said).await
}

/// Marks an order delivered.
pub(super) async fn deliver<P: Ports>(ports: &P, request: &Request, order_id: &str) -> Response {
    let build = async || {
        let (order, _) = find(ports, order_id).await?;
        let command = delivery(&order, read_optional(request)?, ports.now())?;
        Ok(draft(order_id, Event::OrderDeliver(command)))
    };
    submit::<Ordering, _, _, _>(ports, request, ANYBODY, build, |said| answer(order_id, said)).await
}

fn draft(order_id: &str, event: Event) -> Draft {
    Draft { aggregate_id: order_id.to_owned(), saga_id: Some(ids::saga(order_id)), event }
}

/// The order after the command; 409 where its state forbade it.
fn answer(order_id: &str, answer: Answer<'_, Order>) -> Response {
    let (status, order) = match answer {
        Answer::Done(_, order) => (200, order),
        Answer::Accepted(_, order) => (202, order),
        Answer::Refused(refusal, _) => return Problem::refused(refusal).into(),
    };
    match view::of(order_id, &order) {
        Some(view) => Response::json(status, &view),
        None => super::unknown(order_id).into(),
    }
}

fn read_optional<T: DeserializeOwned + Default>(request: &Request) -> Result<T, Problem> {
    if request.body.is_empty() { Ok(T::default()) } else { read_body(request) }
}

fn delivery(order: &Order, body: DeliverBody, now: Millis) -> Result<OrderDeliverRequested, Problem> {
    let delivered_at = match body.delivered_at {
        None => now,
        Some(text) => Millis::parse(&text).ok_or_else(|| {
            Problem::invalid_field("deliveredAt", "expected RFC 3339, such as 2026-01-15T10:30:00.000Z")
        })?,
    };
    let texts = [
        ("recipientName", &body.recipient_name),
        ("recipientSignature", &body.recipient_signature),
        ("deliveryNotes", &body.delivery_notes),
    ];
    for (field, text) in texts {
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
            return Err(Problem::invalid_field(field, format!("expected at most {MAX_TEXT} bytes")));
        }
    }
    let photos = body.delivery_photos.as_deref().unwrap_or_default();
    if photos.len() > MAX_PHOTOS || photos.iter().any(|photo| photo.len() > MAX_TEXT) {
        let expected = format!("expected at most {MAX_PHOTOS} of at most {MAX_TEXT} bytes");
        return Err(Problem::invalid_field("deliveryPhotos", expected));
    }
    if body.quality_rating.is_some_and(|rating| !(0.0..=MAX_RATING).contains(&rating)) {
        return Err(Problem::invalid_field("qualityRating", format!("expected 0 to {MAX_RATING}")));
    }
    let created = order.created.as_ref();
    let fetched = created.is_some_and(|created| created.order_type == OrderType::Pickup);
    let method = if fetched { DeliveryMethod::Pickup } else { DeliveryMethod::Courier };
    Ok(OrderDeliverRequested {
        delivered_at: delivered_at.rfc3339(),
        delivery_method: body.delivery_method.unwrap_or(method),
        recipient_name: body
            .recipient_name
            .or_else(|| created.map(|created| created.customer_id.clone()))
            .unwrap_or_default(),
        recipient_signature: body.recipient_signature,
        delivery_photos: body.delivery_photos,
        delivery_notes: body.delivery_notes,
        quality_rating: body.quality_rating,
    })
}
