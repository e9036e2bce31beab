//! A durable HTTP and event trigger for WebAssembly components: the library behind `a4co`.
//!
//! It knows nothing of any application: what a component handles is read from its own WIT.

pub mod admin;
pub mod bridge;
pub mod building;
pub mod bus;
pub mod calls;
pub mod cli;
pub mod clock;
pub mod dispatch;
pub mod durability;
pub mod engine;
pub mod failpoint;
pub mod host;
pub mod keyvalue;
pub mod logging;
pub mod manifest;
pub mod metrics;
pub mod migrate;
pub mod nats;
mod node;
pub mod observe;
pub mod problem;
pub mod store;
pub mod tokens;
pub mod trigger;
pub mod up;

pub use codec;
pub use delivery;
pub use delivery::{event, subject};
