//! The connection pool to the world outside.

use super::address::{FilteringResolver, Reach};
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;
use wasmtime_wasi_http::{Error, WasiBody};

/// Longest to wait for a connection; the call's own deadline may be sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections kept per target.
const IDLE_PER_HOST: usize = 16;
/// Bytes of one response: more than a guest could hold.
const MAX_RESPONSE_BYTES: usize = 16 << 20;
/// Linux's `ENFILE` and `EMFILE`.
const NO_DESCRIPTOR: [i32; 2] = [23, 24];

type Pool = Client<HttpsConnector<HttpConnector<FilteringResolver>>, WasiBody>;

/// Two pools, one per reach: a connection made for a named host is never lent to a wildcard.
#[derive(Clone)]
pub(super) struct Outside {
    public: Pool,
    named: Pool,
}

impl Outside {
    pub(super) fn new() -> Self {
        Self { public: pool(Reach::Public), named: pool(Reach::Named) }
    }

    /// Sends one request. Redirects are the guest's business: each is a request of its own, checked again.
    pub(super) async fn send(&self, request: Request<WasiBody>, reach: Reach) -> Result<Response<WasiBody>, Unsent> {
        let pool = match reach {
            Reach::Public => &self.public,
            Reach::Named => &self.named,
        };
        let response = pool.request(request).await.map_err(|error| explain(&error))?;
        Ok(response.map(|body| Limited::new(body, MAX_RESPONSE_BYTES).map_err(body_failed).boxed_unsync()))
    }
}

fn pool(reach: Reach) -> Pool {
    let mut connector = HttpConnector::new_with_resolver(FilteringResolver(reach));
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector =
        HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(connector);
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE_PER_HOST).build(connector)
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum Unsent {
    /// This host has no file descriptor left for a connection: nothing of the target's doing.
    NoDescriptor,
    /// What the guest is told.
    Failed(Error),
}

fn explain(error: &hyper_util::client::legacy::Error) -> Unsent {
    let io = io_error(error);
    if io.and_then(io::Error::raw_os_error).is_some_and(|code| NO_DESCRIPTOR.contains(&code)) {
        return Unsent::NoDescriptor;
    }
    Unsent::Failed(match io.map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => Error::DestinationIpProhibited,
        Some(io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
        Some(io::ErrorKind::TimedOut) => Error::ConnectionTimeout,
        Some(io::ErrorKind::InvalidData) if error.is_connect() => Error::TlsProtocolError,
        Some(_) if error.is_connect() => Error::DestinationNotFound,
        Some(_) => Error::ConnectionTerminated,
        None if error.is_connect() => Error::DestinationUnavailable,
        None => Error::HttpProtocolError,
    })
}

fn io_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error);
        }
        next = error.source();
    }
    None
}

fn body_failed(error: Box<dyn StdError + Send + Sync>) -> Error {
    if error.is::<http_body_util::LengthLimitError>() {
        return Error::HttpResponseBodySize(u64::try_from(MAX_RESPONSE_BYTES).ok());
    }
    Error::HttpResponseIncomplete
}
