//! The native components over axum: an answer leaves once what it tells is on disk, as the host's do.

use super::world::{Seen, World};
use a4co_host::durability::Durability as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request as Incoming, State};
use http::{HeaderValue, Response as Answer, StatusCode};
use kit::http::{Problem, Request, Response};
use std::sync::Arc;

/// Largest body taken, in bytes.
const MAX_BODY_BYTES: usize = 1 << 20;

/// All routes of the application.
pub fn router(world: Arc<World>) -> Router {
    Router::new().fallback(serve).with_state(world)
}

async fn serve(State(world): State<Arc<World>>, incoming: Incoming) -> Answer<Body> {
    let (parts, body) = incoming.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else { return status(StatusCode::PAYLOAD_TOO_LARGE) };
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: Vec<(String, String)> =
        parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    if !parts.headers.contains_key("x-correlation-id") {
        headers.push(("x-correlation-id".to_owned(), uuid::Uuid::now_v7().to_string()));
    }
    let request = Request {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        headers,
        body: body.into(),
        timeout: None,
    };
    let (response, watermark) = answered(&world, request);
    world.store.durable(watermark).await;
    outgoing(response)
}

/// Not async: what is seen on the way is no matter of other threads.
fn answered(world: &World, request: Request) -> (Response, a4co_host::durability::Watermark) {
    let seen = Seen::default();
    let response = match world.route(request.path()) {
        Some(component) => world.serve(component, request, &seen),
        None => Problem::not_found("no component serves this").into(),
    };
    (response, seen.get())
}

fn outgoing(response: Response) -> Answer<Body> {
    let mut builder = Answer::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(response.body)).unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

fn status(status: StatusCode) -> Answer<Body> {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}
