//! Problem details (RFC 9457): how every refusal and failure looks over HTTP.

use super::Response;
use crate::inbox::Refusal;
use serde::{Deserialize, Serialize};

/// A problem. Its type is `urn:a4co:problem:<code>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// What kind of problem, for programs: `insufficient-stock`.
    pub code: String,
    /// What exactly, for people.
    pub detail: String,
    /// Which fields are wrong.
    pub errors: Vec<FieldError>,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Its path: `items[1].quantity`.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

impl Problem {
    /// A problem.
    #[must_use]
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: &str) -> Self {
        Self::new(404, "not-found", detail)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed(method: &str) -> Self {
        Self::new(405, "method-not-allowed", format!("{method} is not served here"))
    }

    /// 422 with the fields that are wrong.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|e| format!("{}: {}", e.field, e.reason)).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(422, "invalid-request", detail) }
    }

    /// 422 for one field.
    #[must_use]
    pub fn invalid_field(field: &str, reason: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.to_owned(), reason: reason.into() }])
    }

    /// 500: a defect of ours.
    #[must_use]
    pub fn internal(detail: &str) -> Self {
        Self::new(500, "internal-error", detail)
    }

    /// 503 with `Retry-After`: something we need is away.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(503, "unavailable", detail) }
    }

    /// 409: a business no.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Self {
        Self::new(409, &refusal.code, refusal.detail.clone())
    }
}

impl From<crate::ports::StoreError> for Problem {
    fn from(error: crate::ports::StoreError) -> Self {
        Self::unavailable(format!("the store did not answer: {}", error.0))
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let body = Body {
            r#type: format!("urn:a4co:problem:{}", problem.code),
            title: title(problem.status),
            status: problem.status,
            detail: &problem.detail,
            code: &problem.code,
            errors: &problem.errors,
        };
        let mut response = Self {
            status: problem.status,
            headers: vec![("content-type".into(), "application/problem+json".into())],
            body: serde_json::to_vec(&body).unwrap_or_default(),
        };
        if let Some(seconds) = problem.retry_after {
            response = response.with_header("retry-after", &seconds.to_string());
        }
        response
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        422 => "Unprocessable Content",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}
