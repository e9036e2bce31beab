//! The routes of the saga: look at one, list those that are stuck, and take care of one of them.

mod view;

use crate::domain::{Fulfilment, Phase, Saga};
use crate::stuck;
use kit::aggregate::aggregate_key;
use kit::events::saga::{Resolution, SagaResolveRequested};
use kit::http::{Page, Problem, Request, Response, page_of, read_body};
use kit::submit::{ANYBODY, Answer, Draft, submit};
use kit::{Event, Ports, aggregate, ids};
use serde::Deserialize;

pub use view::{SagaView, StuckView};

/// Longest name and longest note of a person, in bytes: they are kept with the saga.
const MAX_NAME: usize = 128;
const MAX_NOTES: usize = 2_000;

/// Body of `POST /api/v1/sagas/{orderId}/resolve`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolveBody {
    /// `retry` sends the unconfirmed compensations again; `resolve` closes the saga as failed.
    pub resolution: Resolution,
    /// Who says so.
    pub resolved_by: String,
    /// What there is to note.
    #[serde(default)]
    pub notes: Option<String>,
}

/// Serves `/api/v1/sagas/…`.
pub async fn serve<P: Ports>(ports: &P, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["api", "v1", "sagas"]) => list(ports, request).await.unwrap_or_else(Into::into),
        ("GET", ["api", "v1", "sagas", order_id]) => show(ports, order_id).await.unwrap_or_else(Into::into),
        ("POST", ["api", "v1", "sagas", order_id, "resolve"]) => resolve(ports, request, order_id).await,
        (method, ["api", "v1", "sagas"] | ["api", "v1", "sagas", _]) => {
            Problem::method_not_allowed(method, "GET").into()
        }
        (method, ["api", "v1", "sagas", _, "resolve"]) => Problem::method_not_allowed(method, "POST").into(),
        _ => Problem::not_found(&format!("nothing is served at {}", request.path())).into(),
    }
}

async fn show<P: Ports>(ports: &P, order_id: &str) -> Result<Response, Problem> {
    let (saga, version) = find(ports, order_id).await?;
    Ok(Response::json(200, &SagaView::of(order_id, &saga)).with_header("etag", &format!("\"{version}\"")))
}

/// `?state=stuck`: the sagas that need a person, those first that have been stuck for longest.
async fn list<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    if request.query("state").as_deref() != Some("stuck") {
        return Err(Problem::invalid_field("state", "expected `stuck`: only sagas that need a person are listed"));
    }
    let (page, page_size) = page_of(request)?;
    let (order_ids, total) = stuck::longest(ports, (page - 1).saturating_mul(page_size), page_size).await?;
    let keys: Vec<String> = order_ids.iter().map(|id| aggregate_key::<Saga>(id)).collect();
    let mut items = Vec::with_capacity(keys.len());
    for (order_id, bytes) in order_ids.iter().zip(ports.get_many(&keys).await?) {
        let Some(bytes) = bytes else { continue };
        let saga = aggregate::parse::<Saga>(&bytes)
            .map_err(|why| Problem::internal(&format!("the saga of {order_id} cannot be read: {why}")))?;
        items.push(StuckView::of(order_id, &saga.state));
    }
    Ok(Response::json(200, &Page { items, page, page_size, total }))
}

async fn find<P: Ports>(ports: &P, order_id: &str) -> Result<(Saga, u64), Problem> {
    if !ids::is_id(order_id) {
        return Err(Problem::invalid_field("orderId", "expected 1 to 128 of A-Z a-z 0-9 - _ ."));
    }
    let found = aggregate::read::<Saga, P>(ports, order_id).await?;
    found
        .filter(|(saga, _)| saga.phase != Phase::Absent)
        .ok_or_else(|| Problem::not_found(&format!("there is no saga of order {order_id}")))
}

async fn resolve<P: Ports>(ports: &P, request: &Request, order_id: &str) -> Response {
    let build = async || {
        find(ports, order_id).await?;
        Ok(Draft {
            aggregate_id: order_id.to_owned(),
            saga_id: Some(ids::saga(order_id)),
            event: Event::SagaResolve(order(ports, read_body(request)?)?),
        })
    };
    let answer = |answer: Answer<'_, Saga>| match answer {
        Answer::Done(_, saga) => Response::json(200, &SagaView::of(order_id, &saga)),
        Answer::Accepted(_, saga) => Response::json(202, &SagaView::of(order_id, &saga)),
        Answer::Refused(refusal, _) => Problem::refused(refusal).into(),
    };
    submit::<Fulfilment, _, _, _>(ports, request, ANYBODY, build, answer).await
}

/// What the person orders, checked.
fn order<P: Ports>(ports: &P, body: ResolveBody) -> Result<SagaResolveRequested, Problem> {
    if body.resolved_by.trim().is_empty() || body.resolved_by.len() > MAX_NAME {
        return Err(Problem::invalid_field("resolvedBy", format!("expected 1 to {MAX_NAME} bytes")));
    }
    if body.notes.as_ref().is_some_and(|notes| notes.len() > MAX_NOTES) {
        return Err(Problem::invalid_field("notes", format!("expected at most {MAX_NOTES} bytes")));
    }
    Ok(SagaResolveRequested {
        resolution: body.resolution,
        resolved_by: body.resolved_by,
        resolved_at: ports.now().rfc3339(),
        notes: body.notes,
    })
}
