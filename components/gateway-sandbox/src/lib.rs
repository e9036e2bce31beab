//! gateway-sandbox promises: what a payment gateway promises. One charge a key, whatever is repeated; a void that holds
//! for what comes later; a ledger that says what was taken and given back. [`serve`] runs over any ports, so the same
//! gateway is a component here and a process of its own elsewhere.

mod account;
mod api;
mod journal;
mod store;
#[cfg(test)]
mod tests;
mod view;

use kit::http::{Request, Response};
use kit::{Event, Failure, Metadata, Output, Ports, Worker, worker};

/// How the gateway keeps silent where its bank never answers (`tok_timeout`).
#[expect(async_fn_in_trait, reason = "a component runs on one thread; a process wraps it as it likes")]
pub trait Silence {
    /// Returns when nobody waits for the answer any more, or when it has lasted long enough.
    async fn hold(&self);
}

/// Longer than any caller waits.
#[cfg(target_family = "wasm")]
const LONG: std::time::Duration = std::time::Duration::from_secs(30);

/// A component's silence: it sleeps until its host ends the call. Natively it does not wait: a test sees the 504 that
/// would come at last.
#[derive(Debug, Clone, Copy)]
pub struct UntilGivenUp;

impl Silence for UntilGivenUp {
    async fn hold(&self) {
        #[cfg(target_family = "wasm")]
        std::thread::sleep(LONG);
    }
}

/// Answers one request to the gateway.
pub async fn serve<P: Ports, S: Silence>(ports: &P, silence: &S, request: &Request) -> Response {
    api::serve(ports, silence, request).await
}

/// The component.
#[derive(Debug)]
pub struct GatewaySandbox;

impl Worker for GatewaySandbox {
    const COMPONENT: &'static str = "gateway-sandbox";

    async fn handle<P: Ports>(_ports: &P, _meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        worker::unexpected(Self::COMPONENT, &event)
    }

    async fn serve<P: Ports>(ports: &P, request: Request) -> Response {
        serve(ports, &UntilGivenUp, &request).await
    }
}

#[cfg(target_family = "wasm")]
guest::export!(http GatewaySandbox);
