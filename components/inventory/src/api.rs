//! The routes of inventory: how many pieces there are, and correcting their number by hand.

use crate::domain::{Counts, Decisions, Stock};
use kit::events::inventory::{AdjustmentReason, InventoryAdjustRequested};
use kit::http::{FieldError, Items, Problem, Request, Response, ids_of, read_body};
use kit::submit::{Answer, Draft, submit};
use kit::{Event, Ports, aggregate, ids};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Longest text that a person may add, in bytes: it goes into every copy of the event.
const MAX_TEXT: usize = 1_000;

/// How many pieces of a product are where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Availability<'a> {
    product_id: &'a str,
    /// Free.
    available: u32,
    /// Set aside for orders.
    reserved: u32,
    /// Sold and not returned.
    sold: u32,
}

/// Body of an adjustment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Adjustment {
    /// The difference, negative for a loss, never 0.
    adjustment_quantity: i64,
    adjustment_reason: AdjustmentReason,
    /// Who corrects it.
    adjusted_by: String,
    notes: Option<String>,
    batch_number: Option<String>,
}

/// Answers a request.
pub(crate) async fn serve<P: Ports>(ports: &P, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["api", "v1", "inventory", "availability"]) => {
            availabilities(ports, request).await.unwrap_or_else(Response::from)
        }
        ("GET", ["api", "v1", "inventory", "availability", product]) => {
            availability(ports, product).await.unwrap_or_else(Response::from)
        }
        ("POST", ["api", "v1", "inventory", product, "adjustments"]) => {
            adjust(ports, request, product).await.unwrap_or_else(Response::from)
        }
        (method, ["api", "v1", "inventory", "availability"] | ["api", "v1", "inventory", "availability", _]) => {
            Problem::method_not_allowed(method, "GET").into()
        }
        (method, ["api", "v1", "inventory", _, "adjustments"]) => Problem::method_not_allowed(method, "POST").into(),
        _ => Problem::not_found(&format!("inventory serves nothing at {}", request.path())).into(),
    }
}

async fn availability<P: Ports>(ports: &P, product_id: &str) -> Result<Response, Problem> {
    let counts = listed(ports, product_id).await?;
    Ok(Response::json(200, &counted(product_id, counts)))
}

/// Those that are listed.
async fn availabilities<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let ids = ids_of(request, "productIds")?;
    let shown = shown(ports, &ids).await?;
    let items = ids.iter().zip(shown).filter_map(|(id, counts)| Some(counted(id, counts?))).collect();
    Ok(Response::json(200, &Items { items }))
}

async fn adjust<P: Ports>(ports: &P, request: &Request, product_id: &str) -> Result<Response, Problem> {
    let body: Adjustment = read_body(request)?;
    check(product_id, &body)?;
    let caller = body.adjusted_by.clone();
    let build = async || {
        listed(ports, product_id).await?;
        Ok(Draft {
            aggregate_id: product_id.to_owned(),
            saga_id: None,
            event: Event::InventoryAdjust(InventoryAdjustRequested {
                adjustment_quantity: body.adjustment_quantity,
                adjustment_reason: body.adjustment_reason,
                adjusted_by: body.adjusted_by,
                adjusted_at: ports.now().rfc3339(),
                notes: body.notes,
                batch_number: body.batch_number,
            }),
        })
    };
    let answer = |answer: Answer<'_, Stock>| match answer {
        Answer::Done(_, stock) => Response::json(200, &counted(product_id, stock.counts)),
        Answer::Refused(refusal, _) => Problem::refused(refusal).into(),
        Answer::Accepted(_, stock) => Response::json(202, &counted(product_id, stock.counts)),
    };
    Ok(submit::<Decisions, _, _, _>(ports, request, &caller, build, answer).await)
}

async fn listed<P: Ports>(ports: &P, product_id: &str) -> Result<Counts, Problem> {
    if !ids::is_id(product_id) {
        return Err(Problem::invalid_field("productId", "expected 1 to 128 of A-Z a-z 0-9 - _ ."));
    }
    let shown = shown(ports, &[product_id.to_owned()]).await?.pop().flatten();
    shown.ok_or_else(|| Problem::not_found(&format!("no product {product_id} is listed")))
}

/// The counts of products, in the order of their ids; `None` for one that is not listed.
async fn shown<P: Ports>(ports: &P, ids: &[String]) -> Result<Vec<Option<Counts>>, Problem> {
    /// Without the claims, of which a product in demand has many.
    #[derive(Deserialize)]
    struct Shown {
        listing: Option<IgnoredAny>,
        counts: Counts,
    }
    let found = aggregate::read_parts::<Stock, Shown, P>(ports, ids).await?;
    Ok(found.into_iter().map(|shown| shown.filter(|shown| shown.listing.is_some()).map(|shown| shown.counts)).collect())
}

fn counted(product_id: &str, counts: Counts) -> Availability<'_> {
    Availability { product_id, available: counts.available, reserved: counts.reserved, sold: counts.sold }
}

fn check(product_id: &str, body: &Adjustment) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, reason: &str| {
        errors.push(FieldError { field: field.to_owned(), reason: reason.to_owned() });
    };
    for (field, id) in [("productId", product_id), ("adjustedBy", &body.adjusted_by)] {
        if !ids::is_id(id) {
            wrong(field, "expected 1 to 128 of A-Z a-z 0-9 - _ .");
        }
    }
    if body.adjustment_quantity == 0 {
        wrong("adjustmentQuantity", "expected a difference, not 0");
    }
    for (field, text) in [("notes", &body.notes), ("batchNumber", &body.batch_number)] {
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
            wrong(field, &format!("expected at most {MAX_TEXT} bytes"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}
