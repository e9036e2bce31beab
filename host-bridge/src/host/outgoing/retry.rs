//! Which calls may be made again, and when.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full, Limited};
use std::time::Duration;
use wasmtime_wasi_http::{Error, WasiBody};

/// Further attempts after the first.
const RETRIES: u32 = 2;
/// The first pause; each further one doubles.
const BASE_DELAY: Duration = Duration::from_millis(100);
/// Bytes of a body that are kept for another attempt.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// A request, to be sent once or several times.
pub(super) enum Attempts {
    /// Not idempotent: one attempt, its body streams.
    Once(Option<Request<WasiBody>>),
    /// Idempotent: its body is kept.
    Several {
        /// Everything but the body.
        parts: Box<Parts>,
        /// The body.
        body: Bytes,
        /// Attempts made.
        made: u32,
    },
}

impl Attempts {
    /// Decides by method and headers.
    ///
    /// # Errors
    /// Where the body of an idempotent request cannot be read or is too large to keep.
    pub(super) async fn of(request: Request<WasiBody>) -> Result<Self, Error> {
        if !is_idempotent(request.method(), request.headers()) {
            return Ok(Self::Once(Some(request)));
        }
        let (parts, body) = request.into_parts();
        let body = if body.is_end_stream() { Bytes::new() } else { collect(body).await? };
        Ok(Self::Several { parts: Box::new(parts), body, made: 0 })
    }

    /// The next attempt's request.
    pub(super) fn next(&mut self) -> Option<Request<WasiBody>> {
        match self {
            Self::Once(request) => request.take(),
            Self::Several { made, .. } if *made > RETRIES => None,
            Self::Several { parts, body, made } => {
                *made += 1;
                let body = if body.is_empty() { empty() } else { full(body.clone()) };
                Some(Request::from_parts(parts.as_ref().clone(), body))
            }
        }
    }

    /// How long to wait before the next attempt; `None` where there is none.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Several { made, .. } if (1..=RETRIES).contains(made) => {
                BASE_DELAY.checked_mul(1 << (made - 1).min(16))
            }
            Self::Once(_) | Self::Several { .. } => None,
        }
    }
}

/// Whether an attempt's end leaves hope for another.
pub(super) fn is_transient(result: &Result<Response<WasiBody>, Error>) -> bool {
    match result {
        Ok(response) => matches!(
            response.status(),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        ),
        Err(error) => !matches!(error, Error::HttpRequestDenied | Error::DestinationIpProhibited | Error::LoopDetected),
    }
}

fn is_idempotent(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE)
        || headers.contains_key("idempotency-key")
}

async fn collect(body: WasiBody) -> Result<Bytes, Error> {
    let collected = Limited::new(body, MAX_KEPT_BYTES).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(_) => Error::HttpRequestBodySize(u64::try_from(MAX_KEPT_BYTES).ok()),
    })
}

/// A body of these bytes.
pub(crate) fn full(bytes: Bytes) -> WasiBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
