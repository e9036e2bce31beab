//! The only code of a component that talks to a Wasm host: bindings, the ports over them, and `export!`.
#![cfg(target_family = "wasm")]

mod allocator;
#[doc(hidden)]
pub mod bindings;
mod bodies;
mod calls;
mod convert;
mod manners;
mod ports;

pub use ports::Host;

use allocator::FreeLists;
use kit::events::{Event, Failure, Metadata, Output};
use kit::http::{Request, Response};
use kit::{Ports, Worker, bridge};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

#[global_allocator]
static ALLOCATOR: FreeLists<talc::wasm::WasmDynamicTalc> = FreeLists::new(talc::wasm::new_wasm_dynamic_allocator());

/// Handles an event with a worker. What `export!` calls.
///
/// # Errors
/// The worker's.
pub fn handle<W: Worker>(meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
    spin_sdk::http::run(W::handle(&Host::of::<W>(), meta, event))
}

/// Serves a request with a worker that is driven by events, a bridge's deliveries among them. What `export!` calls.
pub async fn serve<W: Worker>(request: IncomingRequest, out: ResponseOutparam) {
    served::<W>(request, out, async |host: &Host, request| {
        if bridge::is_delivery::<W>(&request) {
            return bridge::deliver::<W, _>(host, &request).await;
        }
        W::serve(host, request).await
    })
    .await;
}

/// Serves a request with a worker that no event drives. What `export!` calls.
pub async fn serve_http<W: Worker>(request: IncomingRequest, out: ResponseOutparam) {
    served::<W>(request, out, async |host: &Host, request| W::serve(host, request).await).await;
}

async fn served<W: Worker>(
    request: IncomingRequest,
    out: ResponseOutparam,
    serve: impl AsyncFnOnce(&Host, Request) -> Response,
) {
    let host = Host::of::<W>();
    let response = match convert::request_in(&request) {
        Ok(request) => serve(&host, identified(&host, request)).await,
        Err(problem) => problem.into(),
    };
    if let Err(why) = convert::answer(out.into_inner(), response) {
        host.warn(&format!("the answer could not be sent: {why}"));
    }
}

/// The request with a correlation id, its own or a new one.
fn identified(host: &Host, request: Request) -> Request {
    match request.header("x-correlation-id") {
        Some(_) => request,
        None => request.with_header("x-correlation-id", &host.new_id()),
    }
}

/// Makes a component of a [`Worker`]. `export!(W)` exports the event handler and HTTP, `export!(http W)` HTTP alone.
#[macro_export]
macro_rules! export {
    (http $worker:ty) => {
        $crate::export!(@serve $worker, serve_http);
    };
    (@serve $worker:ty, $serve:ident) => {
        #[expect(unsafe_code, clippy::all, missing_docs, reason = "generated bindings")]
        mod component {
            use super::*;

            #[spin_sdk::http_component]
            async fn serve(request: spin_sdk::http::IncomingRequest, out: spin_sdk::http::ResponseOutparam) {
                $crate::$serve::<$worker>(request, out).await;
            }
        }
    };
    ($worker:ty) => {
        $crate::export!(@serve $worker, serve);

        #[expect(unsafe_code, reason = "generated bindings")]
        mod handler {
            use super::*;

            struct Handler;

            impl $crate::bindings::exports::a4co::marketplace::event_handler::Guest for Handler {
                fn handle(
                    meta: kit::events::Metadata,
                    event: kit::events::Event,
                ) -> Result<Vec<kit::events::Output>, kit::events::Failure> {
                    $crate::handle::<$worker>(meta, event)
                }
            }

            $crate::bindings::export_worker!(Handler with_types_in $crate::bindings);
        }
    };
}
