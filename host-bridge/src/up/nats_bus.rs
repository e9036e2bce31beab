//! The event bus over NATS.

use crate::bus::{BusError, EventBus, StreamConfig};
use crate::clock::Clock;
use crate::nats::Nats;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Who asks for it, and for which application.
pub(super) struct Node {
    /// This process, over restarts.
    pub(super) id: String,
    /// What the names of our own streams and buckets begin with.
    pub(super) prefix: String,
}

/// An open bus.
pub(super) struct OpenBus {
    pub(super) bus: Arc<dyn EventBus>,
    /// Lets go of what it holds, so that other nodes need not wait for it.
    pub(super) close: BoxFuture<'static, ()>,
}

/// Opens it; the streams are there.
pub(super) async fn open(
    nats: Nats,
    clock: Arc<dyn Clock>,
    streams: Vec<StreamConfig>,
    node: Node,
) -> Result<OpenBus, BusError> {
    let _ = (nats, clock, streams);
    Err(BusError::Unavailable(format!("events over NATS are not in this build (node {}, {})", node.id, node.prefix)))
}
