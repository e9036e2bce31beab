//! Outgoing HTTP: who may call whom, for how long, how often; and what is answered within the process.

mod address;
mod allow;
mod breaker;
mod client;
mod retry;
mod send;

pub use allow::{AllowError, AllowList};
pub(crate) use retry::full;
pub use send::Outgoing;

use super::HostState;
use crate::engine::Invocation;
use client::Outside;
use http::{Request, Response};
use std::future::Future;
use std::sync::Arc;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// The host's connections to the world, shared by all components.
#[derive(Clone)]
pub struct Connections(Outside);

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Outside::new())
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::new()
    }
}

/// Where `wasi:http` asks us to send: one instance's way out, for the invocation it runs.
pub struct OutgoingHooks {
    outgoing: Arc<Outgoing>,
    invocation: Arc<Invocation>,
}

impl OutgoingHooks {
    /// The way out for a fresh instance.
    #[must_use]
    pub fn new(outgoing: Arc<Outgoing>, invocation: Arc<Invocation>) -> Self {
        Self { outgoing, invocation }
    }

    /// Another invocation runs now.
    pub fn begin(&mut self, invocation: Arc<Invocation>) {
        self.invocation = invocation;
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for OutgoingHooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let (outgoing, invocation) = (Arc::clone(&self.outgoing), Arc::clone(&self.invocation));
        Box::new(async move {
            let response = outgoing.send(invocation, request, options.unwrap_or_default()).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Io))
        })
    }
}

/// `wasi:http` 0.2, and 0.3 beside it on a concurrent engine.
pub(super) fn add_to_linker(linker: &mut Linker<HostState>, concurrent: bool) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    if concurrent {
        wasmtime_wasi_http::p3::add_to_linker(linker)?;
    }
    Ok(())
}
