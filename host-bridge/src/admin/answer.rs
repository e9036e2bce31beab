//! How the admin routes answer: JSON, or an RFC 9457 problem.

use crate::bus::BusError;
use crate::durability::Stalled;
use axum::extract::rejection::QueryRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// What a route returns.
pub(super) type Answer = Result<Response, Refusal>;

/// A problem.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

impl From<BusError> for Refusal {
    fn from(error: BusError) -> Self {
        let status = match error {
            BusError::NoStream(_) => StatusCode::UNPROCESSABLE_ENTITY,
            BusError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BusError::StreamFull(_) => StatusCode::INSUFFICIENT_STORAGE,
            BusError::NotFound(_) => StatusCode::NOT_FOUND,
            BusError::Held(_) => StatusCode::CONFLICT,
            BusError::Lost(_) | BusError::Unknown(_) | BusError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<Stalled> for Refusal {
    fn from(stalled: Stalled) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, stalled.to_string())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(error: QueryRejection) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = serde_json::json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// `value` as a JSON answer.
pub(super) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
