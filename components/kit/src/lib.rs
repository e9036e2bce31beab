//! What every component is written with: the event types, the decider, aggregates over a key-value port, HTTP bodies.
//!
//! Nothing here knows a host. A component depends on this crate alone, so it also runs as plain Rust: in unit tests,
//! in the exploration of the saga, in the simulation and as the native baseline of the benchmark.

pub mod aggregate;
pub mod bridge;
pub mod check;
pub mod claims;
pub mod events;
pub mod http;
pub mod ids;
pub mod inbox;
pub mod json;
pub mod keys;
pub mod memory;
pub mod ports;
pub mod projection;
pub mod submit;
pub mod time;
pub mod token;
pub mod wire;
pub mod worker;

pub use events::{Event, Failure, Metadata, Output};
pub use ports::Ports;
pub use worker::Worker;
