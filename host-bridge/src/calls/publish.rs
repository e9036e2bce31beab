//! `POST http://events.spin.internal/{subject}`: a component publishes one event and is told where it lies. The bridge
//! offers the same to the components of another host.

use crate::bus::{BusError, EventBus, Receipt};
use crate::durability::Durability;
use crate::engine::Invocation;
use crate::event::{Event, Headers};
use crate::failpoint::{self, Point};
use crate::host::outgoing::full;
use crate::manifest::Component;
use crate::observe::Observer;
use crate::problem::Problem;
use crate::subject::{Subject, SubjectPattern};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use std::sync::Arc;
use wasmtime_wasi_http::WasiBody;

/// Longest `traceparent`: a W3C one has 55 characters.
const MAX_TRACEPARENT_BYTES: usize = 128;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The correlation of a request from outside that was refused before its event was read.
const UNKNOWN: &str = "-";

/// One component's right to publish.
pub struct Publisher {
    component: Arc<str>,
    granted: Vec<SubjectPattern>,
    event_bytes: usize,
    bus: Arc<dyn EventBus>,
    observer: Arc<dyn Observer>,
}

/// Why an event was not published.
enum Refusal {
    /// It is not one, or not this component's to publish.
    Request(Box<Problem>),
    /// The bus did not take it.
    Bus(BusError),
}

impl From<Box<Problem>> for Refusal {
    fn from(problem: Box<Problem>) -> Self {
        Self::Request(problem)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Request(problem) => *problem,
            Refusal::Bus(error) => refused(&error),
        }
    }
}

/// The answer to a publish.
#[derive(Debug, Serialize)]
struct Published<'a> {
    stream: &'a str,
    source: String,
    sequence: u64,
    duplicate: bool,
}

impl Publisher {
    /// As `component`'s manifest entry grants.
    #[must_use]
    pub fn new(component: &Component, bus: Arc<dyn EventBus>, observer: Arc<dyn Observer>) -> Self {
        Self {
            component: component.id.as_str().into(),
            granted: component.events.as_ref().map(|events| events.publish.clone()).unwrap_or_default(),
            event_bytes: component.limits.event_bytes,
            bus,
            observer,
        }
    }

    /// Publishes for a guest of this process; every outcome is a response. The caller's watermark comes to cover the
    /// event, nothing waits here.
    pub async fn publish(&self, invocation: &Invocation, request: Request<WasiBody>) -> Response<WasiBody> {
        match self.accept(request).await {
            Ok(receipt) => {
                invocation.observe(receipt.watermark);
                self.answer(&receipt).unwrap_or_else(|problem| self.refuse(*problem, invocation.correlation_id()))
            }
            Err(refusal) => {
                if let Refusal::Bus(error @ (BusError::Unknown(_) | BusError::Unavailable(_))) = &refusal {
                    invocation.met_outage(error);
                }
                self.refuse(refusal.into(), invocation.correlation_id())
            }
        }
    }

    /// Publishes for somebody outside: the answer leaves once the event is on disk.
    pub async fn publish_durably<B>(&self, request: Request<B>, durability: &dyn Durability) -> Response<WasiBody>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let receipt = match self.accept(request).await {
            Ok(receipt) => receipt,
            Err(refusal) => return self.refuse(refusal.into(), UNKNOWN),
        };
        if let Err(stalled) = durability.flushed(receipt.watermark).await {
            return self.refuse(Problem::new(StatusCode::SERVICE_UNAVAILABLE, stalled.to_string()), UNKNOWN);
        }
        self.answer(&receipt).unwrap_or_else(|problem| self.refuse(*problem, UNKNOWN))
    }

    fn refuse(&self, problem: Problem, correlation_id: &str) -> Response<WasiBody> {
        let (component, status) = (&*self.component, problem.status.as_u16());
        tracing::warn!(component, correlation_id, status, "publish refused: {}", problem.detail);
        problem.into_response()
    }

    async fn accept<B>(&self, request: Request<B>) -> Result<Receipt, Refusal>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let (parts, body) = request.into_parts();
        if parts.method != Method::POST {
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "events are published with POST");
            return Err(Refusal::Request(problem.into()));
        }
        let subject = self.granted_subject(parts.uri.path())?;
        let headers = event_headers(&parts.headers)?;
        let event = Arc::new(Event::new(subject, self.read(body).await?, headers));
        if let Err(error) = event.envelope() {
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
            return Err(Refusal::Request(problem.into()));
        }
        self.passes(Point::BeforePublish).await?;
        let receipt = self.bus.publish(Arc::clone(&event)).await.map_err(Refusal::Bus)?;
        if !receipt.duplicate {
            self.observer.published(&self.component, &event);
        }
        self.passes(Point::AfterPublish).await?;
        Ok(receipt)
    }

    async fn passes(&self, point: Point) -> Result<(), Refusal> {
        let fails = failpoint::reached(point, &self.component).await.fails();
        if fails { Err(Refusal::Bus(BusError::Unknown("a failpoint".to_owned()))) } else { Ok(()) }
    }

    fn granted_subject(&self, path: &str) -> Result<Subject, Box<Problem>> {
        let subject = Subject::new(path.trim_start_matches('/'))
            .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
        if self.granted.iter().any(|pattern| pattern.matches(subject.as_str())) {
            return Ok(subject);
        }
        let detail = format!("`{}` may not publish `{subject}`: add it to its `publish` list", self.component);
        Err(Problem::new(StatusCode::FORBIDDEN, detail).into())
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Box<Problem>>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let collected = Limited::new(body, self.event_bytes).collect().await;
        collected.map(http_body_util::Collected::to_bytes).map_err(|_| {
            let detail = format!("the event was not read whole, or is larger than {} bytes", self.event_bytes);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into()
        })
    }

    /// `source` is what this component's own consumer will be told of the event, so that both can be matched.
    fn answer(&self, receipt: &Receipt) -> Result<Response<WasiBody>, Box<Problem>> {
        let body = serde_json::to_vec(&Published {
            stream: &receipt.stream,
            source: format!("{}/{}#{}", self.component, receipt.stream, receipt.incarnation),
            sequence: receipt.sequence,
            duplicate: receipt.duplicate,
        });
        let body = body.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let mut response = Response::new(full(body.into()));
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

fn event_headers(headers: &HeaderMap) -> Result<Headers, Box<Problem>> {
    let text = |name| headers.get(name).map(|value| value.to_str().ok()).map(Option::unwrap_or_default);
    let aggregate_version = text("aggregate-version").map(str::parse).transpose().map_err(|_| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the header Aggregate-Version is no whole number ≥ 0")
    })?;
    let traceparent = text("traceparent").filter(|text| !text.is_empty() && text.len() <= MAX_TRACEPARENT_BYTES);
    Ok(Headers { aggregate_version, traceparent: traceparent.map(str::to_owned) })
}

fn refused(error: &BusError) -> Problem {
    let status = match error {
        BusError::NoStream(_) | BusError::NotFound(_) => StatusCode::UNPROCESSABLE_ENTITY,
        BusError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        BusError::StreamFull(_) => StatusCode::INSUFFICIENT_STORAGE,
        BusError::Held(_) | BusError::Lost(_) | BusError::Unknown(_) | BusError::Unavailable(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    Problem::new(status, error.to_string())
}
