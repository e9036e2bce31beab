//! Runs components: one Wasmtime engine, compiled code kept on disk, instances reused, every invocation bounded.

mod beliefs;
mod cache;
mod component;
mod config;
mod events;
mod failure;
mod http;
mod instance;
mod invocation;
mod load;
mod load_error;
mod permits;
mod pool;

pub use beliefs::{Belief, Beliefs};
pub use component::Loaded;
pub use config::{EngineOptions, Ticker};
pub use events::WasmDispatch;
pub use failure::Failure;
pub use invocation::{Invocation, MAX_CALL_DEPTH, NestError, Origin};
pub use load::{App, Progress};
pub use load_error::LoadError;

use crate::bus::EventBus;
use crate::clock::Clock;
use crate::durability::Durability;
use crate::host::Manners;
use crate::keyvalue::KeyValue;
use crate::observe::Observer;
use std::sync::Arc;

/// What the host does for its guests, behind its ports.
#[derive(Clone)]
pub struct Services {
    /// Where guests keep state.
    pub key_value: Arc<dyn KeyValue>,
    /// Where guests publish by `events_url`.
    pub bus: Arc<dyn EventBus>,
    /// What everything that leaves the process waits for.
    pub durability: Arc<dyn Durability>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
    /// How it behaves where hosts differ.
    pub manners: Manners,
}
