//! payment promises: the money of an order is taken at most once, and once a refund was asked for it is with the
//! customer again, whatever the gateway does or does not answer, and whatever is repeated or comes late.

mod api;
pub mod domain;
mod drive;
mod gateway;
#[cfg(test)]
mod tests;

use kit::http::{Request, Response};
use kit::{Event, Failure, Metadata, Output, Ports, Worker, worker};

/// The component.
#[derive(Debug)]
pub struct Payment;

impl Worker for Payment {
    const COMPONENT: &'static str = "payment";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        match event {
            Event::PaymentProcess(_) | Event::PaymentRefund(_) | Event::PaymentResume(_) => {
                drive::handle(ports, &meta, &event).await
            }
            other => worker::unexpected(Self::COMPONENT, &other),
        }
    }

    async fn serve<P: Ports>(ports: &P, request: Request) -> Response {
        api::serve(ports, &request).await
    }
}

#[cfg(target_family = "wasm")]
guest::export!(Payment);
