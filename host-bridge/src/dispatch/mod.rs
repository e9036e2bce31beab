//! One event through one component: what goes in, what comes out. No transport, no state of its own.

mod cases;
mod checks;
mod contract;
pub(crate) mod emission;
pub mod handler;
mod metadata;
pub(crate) mod outcome;
mod shape;
pub(crate) mod typed;
mod wire;

#[cfg(test)]
mod tests;

pub use cases::{Case, Cases};
pub use handler::HandlerPlan;

pub use delivery::{Delivery, Effect, Rejection, Timer, Verdict};
use futures::future::BoxFuture;

/// Runs events through components. Implemented by the Wasm engine and by the simulation.
pub trait Dispatch: Send + Sync + 'static {
    /// Runs one. Never panics and always answers: whatever the guest does becomes a verdict.
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict>;
}
