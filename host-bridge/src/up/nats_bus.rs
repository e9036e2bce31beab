//! The event bus over NATS, opened and closed.

use crate::bus::nats::{NatsBus, NatsBusOptions};
use crate::bus::{BusError, EventBus};
use crate::nats::Nats;
use futures::future::{BoxFuture, FutureExt as _};
use std::sync::Arc;

/// An open bus.
pub(super) struct OpenBus {
    pub(super) bus: Arc<dyn EventBus>,
    /// Lets go of what it holds, so that other nodes need not wait for it.
    pub(super) close: BoxFuture<'static, ()>,
}

/// Opens it; the application's streams are there.
pub(super) async fn open(nats: Nats, options: NatsBusOptions) -> Result<OpenBus, BusError> {
    let bus = NatsBus::open(nats, options).await?;
    if bus.import().is_unfinished().await? {
        return Err(BusError::Unavailable(
            "a migration to it has not come to its end: run `a4co migrate` again".into(),
        ));
    }
    let closing = bus.clone();
    Ok(OpenBus { bus: Arc::new(bus), close: async move { closing.close().await }.boxed() })
}
