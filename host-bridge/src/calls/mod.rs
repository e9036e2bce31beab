//! Calls that never leave the process: `http://<component>.spin.internal/…` and `http://events.spin.internal/…`.

mod component;
mod publish;

pub use publish::Publisher;

use crate::engine::Invocation;
use futures::future::BoxFuture;
use http::{Request, Response};
use std::sync::Arc;
use wasmtime_wasi_http::{Error, WasiBody};

/// The reserved domain of hosts that are answered in process.
const DOMAIN: &str = ".spin.internal";
/// The host that publishes; no component may have this id.
pub const EVENTS_HOST: &str = "events";

/// A host that is answered in process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Internal<'a> {
    /// The publish endpoint.
    Events,
    /// A component's HTTP handler.
    Component(&'a str),
}

impl<'a> Internal<'a> {
    /// Whether `host` (lower case) is one.
    #[must_use]
    pub fn of(scheme: &str, host: &'a str) -> Option<Self> {
        match host.strip_suffix(DOMAIN)? {
            _ if scheme != "http" => None,
            EVENTS_HOST => Some(Self::Events),
            component => Some(Self::Component(component)),
        }
    }

    /// The component, if it is one.
    #[must_use]
    pub fn component(self) -> Option<&'a str> {
        match self {
            Self::Component(id) => Some(id),
            Self::Events => None,
        }
    }
}

/// Who answers calls between components.
pub trait Callees: Send + Sync + 'static {
    /// Runs the HTTP handler of `callee`, on the caller's time and path.
    ///
    /// # Errors
    /// What the calling guest is told where there is no response.
    fn call<'a>(
        &'a self,
        callee: &'a str,
        request: Request<WasiBody>,
        caller: Arc<Invocation>,
    ) -> BoxFuture<'a, Result<Response<WasiBody>, Error>>;

    /// The route template of `callee` that `path` matches, for metrics.
    fn endpoint(&self, callee: &str, path: &str) -> Option<&str>;
}
