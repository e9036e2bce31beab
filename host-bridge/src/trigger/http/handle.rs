//! One request from outside: routed, bounded, run, and answered once its effects are on disk.

use super::body::{BoundedBody, DurableBody};
use super::headers::{self, CORRELATION_ID};
use crate::durability::Stalled;
use crate::engine::{App, Failure, Invocation, Loaded, Origin};
use crate::failpoint::{self, Point};
use crate::manifest::is_reserved;
use crate::problem::Problem;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime_wasi_http::WasiBody;

/// What is served.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) app: Arc<App>,
    /// Whether what is reserved for a bridge is served too.
    pub(super) bridged: bool,
}

/// Answers one request. Never fails: what goes wrong becomes a problem.
pub(super) async fn handle(site: &Site, request: Request<Incoming>, client: SocketAddr) -> Response<WasiBody> {
    let origin = headers::origin(request.headers(), site.app.services().clock.now());
    let correlation_id = origin.correlation_id.clone().unwrap_or_default();
    let mut response = match routed(site, request, client, origin).await {
        Ok(response) => response,
        Err(problem) => problem.correlated(&correlation_id).into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&correlation_id) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
}

async fn routed(
    Site { app, bridged }: &Site,
    request: Request<Incoming>,
    client: SocketAddr,
    origin: Origin,
) -> Result<Response<WasiBody>, Problem> {
    let (mut parts, body) = request.into_parts();
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let matched =
        Some(uri.path()).filter(|path| *bridged || !is_reserved(path)).and_then(|path| app.router().route(path));
    let matched = matched.ok_or_else(|| not_found(&uri))?;
    let component = app.component(matched.component).ok_or_else(|| not_found(&uri))?;
    let path = matched.pattern;
    headers::describe(&mut parts, &matched, client, &origin);
    let limits = &component.manifest().limits;
    let exceeded = Arc::new(AtomicBool::new(false));
    let declared =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limits.request_body_bytes) {
        return Err(too_large(component));
    }
    let body = BoundedBody::new(body, limits.request_body_bytes, Arc::clone(&exceeded)).boxed_unsync();
    let invocation = Invocation::root(Arc::clone(component.id()), limits.request_timeout, origin);
    let result = app.http(component, Request::from_parts(parts, body), Arc::clone(&invocation)).await;
    if exceeded.load(Ordering::Relaxed) {
        return Err(too_large(component));
    }
    if let Some(reason) = invocation.outage()
        && !copes(result.as_ref().ok())
    {
        return Err(out_of_reach(&invocation, reason));
    }
    let response = result.map_err(|failure| failed(&invocation, &failure))?;
    let (component, correlation_id) = (&**invocation.component(), invocation.correlation_id());
    tracing::debug!(component, correlation_id, %method, path, status = response.status().as_u16(), "request answered");
    held_back(app, response, invocation).await
}

/// The head waits for what the guest did before it, every chunk of the body for what it did since.
async fn held_back(
    app: &App,
    response: Response<WasiBody>,
    invocation: Arc<Invocation>,
) -> Result<Response<WasiBody>, Problem> {
    let durability = &app.services().durability;
    let watermark = invocation.watermark();
    if !durability.is_durable(watermark)
        && let Err(stalled) = durability.flushed(watermark).await
    {
        return Err(not_stored(&invocation, &stalled));
    }
    let _never_fails = failpoint::reached(Point::BeforeResponse, invocation.component()).await;
    Ok(response.map(|body| DurableBody::new(body, invocation, Arc::clone(durability)).boxed_unsync()))
}

/// What was done or seen is in memory alone, and may stay or not: nothing is said of it.
fn not_stored(invocation: &Invocation, stalled: &Stalled) -> Problem {
    tracing::debug!(component = &**invocation.component(), "answer withheld: {stalled}");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "nothing can be stored at the moment, and it is not certain whether this was: try again, with the same \
         Idempotency-Key where there was one",
    )
}

/// Whether an answer given during an outage is one the client can go by: it is about something else, or tells to come
/// again.
fn copes(response: Option<&Response<WasiBody>>) -> bool {
    response.is_some_and(|response| {
        !response.status().is_server_error() || response.headers().contains_key(header::RETRY_AFTER)
    })
}

fn out_of_reach(invocation: &Invocation, reason: &str) -> Problem {
    let correlation_id = invocation.origin().correlation_id.as_deref().unwrap_or("-");
    tracing::debug!(component = &**invocation.component(), correlation_id, "request refused: {reason}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "what the service needs is out of reach: try again")
}

fn not_found(uri: &Uri) -> Problem {
    let path: String = uri.path().chars().take(256).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("no route matches {path}"))
}

fn too_large(component: &Loaded) -> Problem {
    let most = component.manifest().limits.request_body_bytes;
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the request's body is larger than {most} bytes"))
}

fn failed(invocation: &Invocation, failure: &Failure) -> Problem {
    let (component, correlation_id) = (&**invocation.component(), invocation.correlation_id());
    tracing::warn!(component, correlation_id, "request failed: {failure}");
    failure.problem()
}
