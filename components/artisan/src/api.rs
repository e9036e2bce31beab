//! The routes of artisans.

mod bodies;
mod check;

use crate::desk;
use crate::domain::{ArtisanState, Artisans, Listing, Listings, Refused, Registered, Verification, name, sells};
use crate::nearby::{self, MAX_LATITUDE, MAX_RADIUS_KM};
use bodies::{ListBody, RegisterBody, StatusBody, VerifyBody};
use check::Checks;
use kit::Event;
use kit::aggregate;
use kit::events::artisan::{ArtisanRegistered, ArtisanStatus, ProductListRequested};
use kit::events::common::Coordinates;
use kit::http::{Page, Problem, Request, Response, page_of, read_body};
use kit::ids::is_id;
use kit::inbox::Refusal;
use kit::ports::Ports;
use kit::submit::{ANYBODY, Answer, Draft, submit};
use serde::Serialize;

/// Answers a request below `/api/v1/artisans`.
pub async fn serve<P: Ports>(ports: &P, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answer = match (request.method.as_str(), segments.as_slice()) {
        // Before anything makes a key of it.
        (_, ["api", "v1", "artisans", id, ..]) if !is_id(id) => Err(unknown(id)),
        ("POST", ["api", "v1", "artisans"]) => Ok(register(ports, request).await),
        ("GET", ["api", "v1", "artisans", "nearby"]) => near(ports, request).await,
        ("GET", ["api", "v1", "artisans", id]) => show(ports, id).await,
        ("POST", ["api", "v1", "artisans", id, "verify"]) => Ok(verify(ports, request, id).await),
        ("POST", ["api", "v1", "artisans", id, "status"]) => Ok(change_status(ports, request, id).await),
        ("POST", ["api", "v1", "artisans", id, "products"]) => Ok(list_product(ports, request, id).await),
        ("GET", ["api", "v1", "artisans", id, "orders"]) => orders(ports, request, id).await,
        ("GET", ["api", "v1", "artisans", id, "low-stock"]) => low_stock(ports, request, id).await,
        (method, ["api", "v1", "artisans"] | ["api", "v1", "artisans", _, "verify" | "status" | "products"]) => {
            Err(Problem::method_not_allowed(method, "POST"))
        }
        (method, ["api", "v1", "artisans", _] | ["api", "v1", "artisans", _, "orders" | "low-stock"]) => {
            Err(Problem::method_not_allowed(method, "GET"))
        }
        _ => Err(Problem::not_found(&format!("nothing is served at {}", request.path()))),
    };
    answer.unwrap_or_else(Response::from)
}

/// An artisan as HTTP shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtisanView<'a> {
    artisan_id: &'a str,
    status: ArtisanStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<&'a Verification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    automatic_reactivation_date: Option<&'a str>,
    #[serde(flatten)]
    profile: &'a ArtisanRegistered,
}

fn artisan_response(status: u16, id: &str, artisan: &Registered) -> Response {
    let view = ArtisanView {
        artisan_id: id,
        status: artisan.status,
        verification: artisan.verification.as_ref(),
        automatic_reactivation_date: artisan.reactivation.as_deref(),
        profile: &artisan.profile,
    };
    Response::json(status, &view)
}

async fn load<P: Ports>(ports: &P, id: &str) -> Result<Registered, Problem> {
    aggregate::read::<ArtisanState, P>(ports, id)
        .await?
        .and_then(|(state, _)| state.registered)
        .ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(&format!("no artisan is registered under {id}"))
}

/// `unknown-artisan` is a 404, every other business no a 409.
fn refused(id: &str, refusal: &Refusal) -> Response {
    if refusal.code == Refused::UNKNOWN_ARTISAN { unknown(id).into() } else { Problem::refused(refusal).into() }
}

async fn show<P: Ports>(ports: &P, id: &str) -> Result<Response, Problem> {
    Ok(artisan_response(200, id, &load(ports, id).await?))
}

/// What a registration is answered with: `{artisanId, status}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegisteredView<'a> {
    artisan_id: &'a str,
    status: &'a str,
}

async fn register<P: Ports>(ports: &P, request: &Request) -> Response {
    let body = match read_body::<RegisterBody>(request) {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    let id = body.artisan_id.clone().unwrap_or_else(|| ports.new_id());
    let caller = body.artisan_id.as_deref().filter(|id| is_id(id)).unwrap_or(ANYBODY);
    let build = async || {
        let profile = bodies::profile(&body, ports.now())?;
        if aggregate::read::<ArtisanState, P>(ports, &id).await?.is_some_and(|(state, _)| state.registered.is_some()) {
            return Err(Problem::refused(&Refused::ArtisanExists.refusal(&id)));
        }
        Ok(Draft { aggregate_id: id.clone(), saga_id: None, event: Event::ArtisanRegistered(profile) })
    };
    submit::<Artisans, P, _, _>(ports, request, caller, build, |answer| registration_answer(answer, &id)).await
}

fn registration_answer(answer: Answer<'_, ArtisanState>, id: &str) -> Response {
    let (status, id, standing) = match &answer {
        Answer::Refused(refusal, _) => return refused(id, refusal),
        Answer::Done(_, ArtisanState { registered: Some(artisan) }) => (201, artisan.id.as_str(), artisan.status),
        Answer::Done(..) | Answer::Accepted(..) => (202, id, ArtisanStatus::Pending),
    };
    let view = RegisteredView { artisan_id: id, status: name(standing) };
    Response::json(status, &view).with_header("location", &format!("/api/v1/artisans/{id}"))
}

async fn verify<P: Ports>(ports: &P, request: &Request, id: &str) -> Response {
    let build = async || {
        let command = read_body::<VerifyBody>(request)?.command(ports.now())?;
        load(ports, id).await?;
        Ok(Draft { aggregate_id: id.to_owned(), saga_id: None, event: Event::ArtisanVerify(command) })
    };
    submit::<Artisans, P, _, _>(ports, request, id, build, |answer| command_answer(answer, id)).await
}

async fn change_status<P: Ports>(ports: &P, request: &Request, id: &str) -> Response {
    let build = async || {
        let command = read_body::<StatusBody>(request)?.command(ports.now())?;
        load(ports, id).await?;
        Ok(Draft { aggregate_id: id.to_owned(), saga_id: None, event: Event::ArtisanStatusChange(command) })
    };
    submit::<Artisans, P, _, _>(ports, request, id, build, |answer| command_answer(answer, id)).await
}

fn command_answer(answer: Answer<'_, ArtisanState>, id: &str) -> Response {
    let (status, state) = match answer {
        Answer::Done(_, state) => (200, state),
        Answer::Accepted(_, state) => (202, state),
        Answer::Refused(refusal, _) => return refused(id, refusal),
    };
    match &state.registered {
        Some(artisan) => artisan_response(status, id, artisan),
        None => unknown(id).into(),
    }
}

/// What a listing is answered with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedView<'a> {
    product_id: &'a str,
}

async fn list_product<P: Ports>(ports: &P, request: &Request, artisan_id: &str) -> Response {
    let body = match read_body::<ListBody>(request) {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    let id = body.product_id.clone().unwrap_or_else(|| ports.new_id());
    let build = async || {
        let listing = bodies::listing(&body, artisan_id, ports.now())?;
        let artisan = load(ports, artisan_id).await?;
        if !sells(artisan.status) {
            let detail = format!("an artisan who is {} does not list products", name(artisan.status));
            return Err(Problem::new(409, "artisan-does-not-sell", detail));
        }
        if aggregate::read::<Listing, P>(ports, &id).await?.is_some_and(|(listing, _)| listing.owner.is_some()) {
            return Err(Problem::refused(&Refused::ProductExists.refusal(&id)));
        }
        Ok(Draft {
            aggregate_id: id.clone(),
            saga_id: None,
            event: Event::ArtisanProductList(ProductListRequested { listing }),
        })
    };
    submit::<Listings, P, _, _>(ports, request, artisan_id, build, |answer| listing_answer(answer, &id)).await
}

fn listing_answer(answer: Answer<'_, Listing>, id: &str) -> Response {
    let (status, id) = match &answer {
        Answer::Refused(refusal, _) => return refused(id, refusal),
        Answer::Done(_, Listing { owner: Some(owner) }) => (201, owner.product_id.as_str()),
        Answer::Done(..) | Answer::Accepted(..) => (202, id),
    };
    Response::json(status, &ListedView { product_id: id }).with_header("location", &format!("/api/v1/products/{id}"))
}

async fn near<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let (page, page_size) = page_of(request)?;
    let mut checks = Checks::default();
    let lat = checks.number(request, "lat", -MAX_LATITUDE..=MAX_LATITUDE);
    let lng = checks.number(request, "lng", -180.0..=180.0);
    let radius_km = checks.number(request, "radiusKm", 0.0..=MAX_RADIUS_KM);
    checks.done()?;
    let found = nearby::within(ports, Coordinates { lat, lng }, radius_km).await?;
    Ok(paged(found, page, page_size))
}

async fn orders<P: Ports>(ports: &P, request: &Request, id: &str) -> Result<Response, Problem> {
    let (page, page_size) = page_of(request)?;
    load(ports, id).await?;
    Ok(paged(desk::jobs(ports, id).await?, page, page_size))
}

async fn low_stock<P: Ports>(ports: &P, request: &Request, id: &str) -> Result<Response, Problem> {
    let (page, page_size) = page_of(request)?;
    load(ports, id).await?;
    Ok(paged(desk::warnings(ports, id).await?, page, page_size))
}

fn paged<T: Serialize>(all: Vec<T>, page: usize, page_size: usize) -> Response {
    let total = all.len();
    let items = all.into_iter().skip((page - 1).saturating_mul(page_size)).take(page_size).collect();
    Response::json(200, &Page { items, page, page_size, total })
}
