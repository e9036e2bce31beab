//! A component, ready to run: compiled, linked, with its permits and its idle instances.

use super::Services;
use super::cache::Digest256;
use super::events::Handler;
use super::permits::{IDLE_HTTP, Permits};
use super::pool::Pool;
use crate::host::{Guest, HostState};
use std::sync::Arc;
use tokio::time::Instant;
use wasmtime::component::{Func, InstancePre};
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};

/// A component that can be invoked.
pub struct Loaded {
    pub(super) guest: Arc<Guest>,
    pub(super) digest: Digest256,
    pub(super) pre: InstancePre<HostState>,
    pub(super) http: Option<ProxyPre<HostState>>,
    pub(super) http_idle: Pool<Proxy>,
    pub(super) handler: Option<Handler>,
    pub(super) event_idle: Pool<Func>,
    pub(super) permits: Permits,
    pub(super) services: Services,
}

/// What linking found out about a component.
pub(super) struct Linked {
    pub(super) digest: Digest256,
    pub(super) pre: InstancePre<HostState>,
    pub(super) http: Option<ProxyPre<HostState>>,
    pub(super) handler: Option<Handler>,
}

impl Loaded {
    pub(super) fn new(guest: Arc<Guest>, linked: Linked, services: Services) -> Self {
        let limits = &guest.component().limits;
        let concurrency = guest.component().events.as_ref().map_or(0, |events| events.concurrency);
        // An instance of WASI 0.3 serves one request as well: reuse is declared for 0.2 and means the same there.
        Self {
            http_idle: Pool::new(IDLE_HTTP.min(limits.http_concurrency), limits.reuse_http, limits.handles),
            event_idle: Pool::new(concurrency, limits.reuse_events, limits.handles),
            permits: Permits::of_component(limits.http_concurrency),
            digest: linked.digest,
            pre: linked.pre,
            http: linked.http,
            handler: linked.handler,
            guest,
            services,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        self.guest.id()
    }

    /// What the manifest says of it.
    #[must_use]
    pub fn manifest(&self) -> &crate::manifest::Component {
        self.guest.component()
    }

    /// SHA-256 of its `.wasm`, hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it exports an HTTP handler.
    #[must_use]
    pub fn serves_http(&self) -> bool {
        self.http.is_some()
    }

    /// Whether it exports an event handler.
    #[must_use]
    pub fn handles_events(&self) -> bool {
        self.handler.is_some()
    }

    /// Lets go of instances that have been idle for long.
    pub(super) fn trim(&self, now: Instant) {
        self.http_idle.trim(now);
        self.event_idle.trim(now);
    }
}
