//! `POST http://events.spin.internal/{subject}`: a component publishes one event and is told where it lies.

use crate::bus::{BusError, EventBus, Receipt};
use crate::engine::{Invocation, Services};
use crate::event::{Event, Headers};
use crate::failpoint::{self, Point};
use crate::host::outgoing::full;
use crate::manifest::Component;
use crate::observe::Observer;
use crate::problem::Problem;
use crate::subject::{Subject, SubjectPattern};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use std::sync::Arc;
use wasmtime_wasi_http::WasiBody;

/// Longest `traceparent`: a W3C one has 55 characters.
const MAX_TRACEPARENT_BYTES: usize = 128;

/// One component's right to publish.
pub struct Publisher {
    component: Arc<str>,
    granted: Vec<SubjectPattern>,
    event_bytes: usize,
    bus: Arc<dyn EventBus>,
    observer: Arc<dyn Observer>,
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
    pub fn new(component: &Component, services: &Services) -> Self {
        Self {
            component: component.id.as_str().into(),
            granted: component.events.as_ref().map(|events| events.publish.clone()).unwrap_or_default(),
            event_bytes: component.limits.event_bytes,
            bus: Arc::clone(&services.bus),
            observer: Arc::clone(&services.observer),
        }
    }

    /// Publishes; every outcome is a response. The caller's watermark comes to cover the event, nothing waits here.
    pub async fn publish(&self, invocation: &Invocation, request: Request<WasiBody>) -> Response<WasiBody> {
        match self.tried(invocation, request).await {
            Ok(response) => response,
            Err(problem) => {
                tracing::warn!(
                    component = &*self.component,
                    correlation_id = invocation.correlation_id(),
                    status = problem.status.as_u16(),
                    "publish refused: {}",
                    problem.detail
                );
                problem.into_response()
            }
        }
    }

    async fn tried(
        &self,
        invocation: &Invocation,
        request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, Box<Problem>> {
        let (parts, body) = request.into_parts();
        if parts.method != Method::POST {
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "events are published with POST").into());
        }
        let subject = self.granted_subject(parts.uri.path())?;
        let headers = event_headers(&parts.headers)?;
        let event = Arc::new(Event::new(subject, self.read(body).await?, headers));
        if let Err(error) = event.envelope() {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into());
        }
        self.passes(Point::BeforePublish).await?;
        let published = self.bus.publish(Arc::clone(&event)).await;
        if let Err(error @ (BusError::Unknown(_) | BusError::Unavailable(_))) = &published {
            invocation.met_outage(error);
        }
        let receipt = published.map_err(|error| Box::new(refused(&error)))?;
        invocation.observe(receipt.watermark);
        if !receipt.duplicate {
            self.observer.published(&self.component, &event);
        }
        self.passes(Point::AfterPublish).await?;
        self.answer(&receipt)
    }

    async fn passes(&self, point: Point) -> Result<(), Box<Problem>> {
        if failpoint::reached(point, &self.component).await.fails() {
            return Err(Box::new(refused(&BusError::Unknown("a failpoint".to_owned()))));
        }
        Ok(())
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

    async fn read(&self, body: WasiBody) -> Result<Bytes, Box<Problem>> {
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
