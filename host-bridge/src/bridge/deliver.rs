//! Hands events to the components of another host: `POST <target>/events/<component>`, and reads their verdicts.
//!
//! What keeps an event from being handled is told apart from what an event does to its handler: an outage of the target
//! spends no attempt, an event that breaks its component does. Where no verdict came and either could be the reason, the
//! component is asked something harmless: if it answers that, the event is to blame.

use super::answer::{Answered, read};
use super::request;
use crate::clock::Clock;
use crate::dispatch::{Delivery, Dispatch, Verdict};
use crate::manifest::{Application, Component};
use crate::observe::{Cause, Observer};
use crate::tokens::Signer;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Deliveries under way at once, over all components: more would only queue up in the target.
const MAX_IN_FLIGHT: usize = 128;
/// Longest to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an unused connection is kept: shorter than the targets keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Longest to wait for the answer to something harmless. The trigger gives a handling a second past its time.
const PROBE_TIMEOUT: Duration = Duration::from_millis(800);
/// Bytes of one answer: more than a handler may emit.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Characters of a response that is no answer, as the log shows it.
const SHOWN: usize = 300;

type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Why nothing can be delivered to a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--target {target}: {reason}")]
pub struct DeliveriesError {
    /// As given.
    pub target: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The components of another host, as something that handles events.
#[derive(Clone)]
pub struct Deliveries(Arc<Inner>);

struct Inner {
    routes: FxHashMap<String, (Arc<Component>, Uri)>,
    pool: Pool,
    signer: Arc<Signer>,
    slots: Semaphore,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

impl Deliveries {
    /// The components of `application` as `target` serves them; deliveries are signed by `signer`.
    ///
    /// # Errors
    /// Where `target` is no URL to POST to.
    pub fn new(
        application: &Application,
        target: &str,
        signer: Arc<Signer>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, DeliveriesError> {
        let base = target.trim_end_matches('/');
        let wrong = |reason: &str| DeliveriesError { target: target.to_owned(), reason: reason.to_owned() };
        let uri: Uri = base.parse().map_err(|_| wrong("expected an address such as http://127.0.0.1:3000"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.query().is_some() {
            return Err(wrong("expected an address such as http://127.0.0.1:3000"));
        }
        let mut routes = FxHashMap::default();
        for component in &application.components {
            let route = format!("{base}/events/{}", component.id);
            let route = route.parse().map_err(|_| wrong("its path cannot be extended by /events/<component>"))?;
            routes.insert(component.id.clone(), (Arc::new(component.clone()), route));
        }
        let slots = Semaphore::new(MAX_IN_FLIGHT);
        Ok(Self(Arc::new(Inner { routes, pool: pool(), signer, slots, clock, observer })))
    }
}

fn pool() -> Pool {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector =
        HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(connector);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IN_FLIGHT)
        .build(connector)
}

impl Dispatch for Deliveries {
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let inner = Arc::clone(&self.0);
        let Some((component, route)) = inner.routes.get(component).cloned() else {
            let reason = format!("there is no component `{component}`");
            return std::future::ready(Verdict::Unavailable { reason }).boxed();
        };
        async move {
            let Ok(_slot) = inner.slots.acquire().await else { return unavailable("the bridge is stopping") };
            let started = Instant::now();
            let verdict = inner.deliver(&component, &route, &delivery).await;
            inner.observer.invocation(&component.id, Cause::Event, outcome(&verdict), started.elapsed());
            verdict
        }
        .boxed()
    }
}

impl Inner {
    async fn deliver(&self, component: &Component, route: &Uri, delivery: &Delivery) -> Verdict {
        let within = component.events.as_ref().map_or(Duration::ZERO, |events| events.handler_timeout);
        let mut headers = request::headers(delivery);
        let Ok(token) = HeaderValue::from_str(&self.signer.authorization(&component.id, self.clock.now())) else {
            return unavailable("no token could be signed");
        };
        headers.insert(header::AUTHORIZATION, token);
        let exchange = self.post(route, headers, delivery.event.body.clone());
        match tokio::time::timeout(within, exchange).await {
            Ok(Ok((StatusCode::OK, body))) => {
                read(Answered { component, delivery, body: &body, now: self.clock.now() })
            }
            Ok(Ok((status, body))) => self.no_answer(route, component, (status, &body)).await,
            Ok(Err(Failed::Connect(why))) => unavailable(&format!("the target is not there: {why}")),
            Ok(Err(Failed::TooLarge)) => broken(&format!("its answer is larger than {MAX_ANSWER_BYTES} bytes")),
            Ok(Err(Failed::Broke(why))) => self.blame(route, &format!("the exchange broke off: {why}")).await,
            Err(_) => self.blame(route, &format!("no answer within {} ms", within.as_millis())).await,
        }
    }

    /// A response that is no answer of a handler.
    async fn no_answer(&self, route: &Uri, component: &Component, (status, body): (StatusCode, &[u8])) -> Verdict {
        let shown: String = String::from_utf8_lossy(body).chars().take(SHOWN).collect();
        let said = format!("{status}: {shown:?}");
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let component = component.id.as_str();
                tracing::error!(
                    component,
                    "the target does not accept the bridge's tokens ({said}): give it our public keys, and check both clocks"
                );
                unavailable(&format!("not authenticated: {said}"))
            }
            StatusCode::NOT_FOUND => unavailable(&format!("the target serves no {}: {said}", route.path())),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => unavailable(&said),
            status if status.is_server_error() => self.blame(route, &said).await,
            _ => broken(&format!("the component does not take deliveries: {said}")),
        }
    }

    /// Whose fault it is that there was no verdict: the event's, where the component is well otherwise.
    async fn blame(&self, route: &Uri, said: &str) -> Verdict {
        // Without a token: a component that is well refuses it, and nothing happens.
        let probe = tokio::time::timeout(PROBE_TIMEOUT, self.post(route, HeaderMap::new(), Bytes::new())).await;
        match probe {
            Ok(Ok((StatusCode::UNAUTHORIZED, _))) => broken(said),
            Ok(Ok((status, _))) => unavailable(&format!("{said}; the component is not well either ({status})")),
            Ok(Err(_)) | Err(_) => unavailable(&format!("{said}; the target does not answer either")),
        }
    }

    async fn post(&self, route: &Uri, headers: HeaderMap, body: Bytes) -> Result<(StatusCode, Bytes), Failed> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = route.clone();
        *request.headers_mut() = headers;
        let response: Response<Incoming> = self.pool.request(request).await.map_err(|error| Failed::of(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                Failed::TooLarge
            } else {
                Failed::Broke(error.to_string())
            }
        })?;
        Ok((status, body.to_bytes()))
    }
}

/// Why an exchange came to nothing.
enum Failed {
    /// Nothing was sent.
    Connect(String),
    /// It broke off.
    Broke(String),
    /// The answer is no answer any more.
    TooLarge,
}

impl Failed {
    fn of(error: &hyper_util::client::legacy::Error) -> Self {
        let why = chain(error);
        if error.is_connect() { Self::Connect(why) } else { Self::Broke(why) }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn unavailable(reason: &str) -> Verdict {
    Verdict::Unavailable { reason: reason.to_owned() }
}

fn broken(reason: &str) -> Verdict {
    Verdict::Broken { reason: reason.to_owned() }
}

fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done(_) => "ok",
        Verdict::Retry { .. } => "retry",
        Verdict::Reject(_) => "reject",
        Verdict::Broken { .. } => "error",
        Verdict::Unavailable { .. } => "unavailable",
    }
}
