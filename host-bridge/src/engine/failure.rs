//! How an invocation fails, told apart by what its caller does next.

use crate::problem::Problem;
use http::StatusCode;
use wasmtime::Trap;

/// Why an invocation has no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No permit in time. Nothing ran: try again later.
    #[error("{0} is busy: no room to run it came free in time")]
    Overloaded(String),
    /// It ran out of time. It may have had effects.
    #[error("{0} did not finish in time")]
    Timeout(String),
    /// The guest trapped or hit a limit. It may have had effects.
    #[error("{component} broke: {reason}")]
    Broken {
        /// The component.
        component: String,
        /// The trap or the limit.
        reason: String,
    },
    /// An HTTP handler ended without a response, or with an error code instead.
    #[error("{component} gave no response: {reason}")]
    NoResponse {
        /// The component.
        component: String,
        /// What it did instead.
        reason: String,
    },
    /// The component does not handle what it was called for.
    #[error("{component} does not export {export}")]
    NotExported {
        /// The component.
        component: String,
        /// What is missing.
        export: &'static str,
    },
    /// The host itself failed; a defect.
    #[error("the host failed while {component} ran: {reason}")]
    Host {
        /// The component.
        component: String,
        /// What happened.
        reason: String,
    },
}

impl Failure {
    /// As a metric's label.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Overloaded(_) => "overload",
            Self::Timeout(_) => "timeout",
            Self::Broken { .. } => "trap",
            Self::NoResponse { .. } | Self::NotExported { .. } | Self::Host { .. } => "error",
        }
    }

    /// As an HTTP answer. Says nothing of the inside; that is for the log.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (status, detail) = match self {
            Self::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, "the service is busy: try again"),
            Self::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "the service did not answer in time"),
            Self::NotExported { .. } => (StatusCode::BAD_GATEWAY, "the component does not serve HTTP"),
            Self::Broken { .. } | Self::NoResponse { .. } | Self::Host { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the service failed: quote the correlation id when you report it")
            }
        };
        Problem::new(status, detail)
    }

    /// What Wasmtime's error means: out of time, or broken.
    #[must_use]
    pub fn from_wasmtime(component: &str, error: &wasmtime::Error) -> Self {
        if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) || error.is::<OutOfTime>() {
            return Self::Timeout(component.to_owned());
        }
        Self::Broken { component: component.to_owned(), reason: reason(error) }
    }
}

/// What the epoch callback raises once the deadline has passed.
#[derive(Debug, thiserror::Error)]
#[error("the deadline has passed")]
pub(super) struct OutOfTime;

/// The root cause in one line: backtraces are for the debug log.
fn reason(error: &wasmtime::Error) -> String {
    tracing::debug!(?error, "the guest broke");
    let cause = error.chain().last().map_or_else(|| error.to_string(), ToString::to_string);
    let line = cause.lines().next().unwrap_or("unknown");
    line.chars().take(300).collect()
}
