//! RFC 9457 problems: how the host itself says no over HTTP.

use crate::host::outgoing::full;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use wasmtime_wasi_http::WasiBody;

/// Seconds a client waits after a 503.
const RETRY_AFTER_SECONDS: &str = "1";

/// A refusal or failure of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status; its reason phrase is the problem's title.
    pub status: StatusCode,
    /// What failed, on what, and what to do next. Nothing of the host's inside.
    pub detail: String,
    /// By which the log can be searched.
    pub correlation_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
}

impl Problem {
    /// A problem that no request is known of.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), correlation_id: None }
    }

    /// The same, findable in the log.
    #[must_use]
    pub fn correlated(mut self, correlation_id: &str) -> Self {
        self.correlation_id = Some(correlation_id.to_owned());
        self
    }

    /// As `application/problem+json`, with `Retry-After` where it is a 503.
    #[must_use]
    pub fn into_response(self) -> Response<WasiBody> {
        let body = Body {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            correlation_id: self.correlation_id.as_deref(),
        };
        let mut response = Response::new(full(serde_json::to_vec(&body).unwrap_or_default().into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}
