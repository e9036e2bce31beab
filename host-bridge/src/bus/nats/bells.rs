//! Bells: what changed on the server is told at once to whoever waits for it. They only wake; what changed is then read,
//! and whoever waits looks from time to time by itself, so that a bell that was not heard costs seconds and nothing else.

use super::BusError;
use super::core::Core;
use futures::StreamExt as _;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// The bells of one process.
#[derive(Debug, Default)]
pub(super) struct Bells {
    /// Somebody let go of a consumer.
    pub freed: Bell,
    /// An operator paused or resumed a consumer.
    pub control: Bell,
    /// A dead letter was replayed.
    pub replays: Bell,
}

/// One bell.
#[derive(Debug, Default)]
pub(super) struct Bell(watch::Sender<u64>);

impl Bell {
    /// Rings it.
    pub(super) fn ring(&self) {
        self.0.send_modify(|rung| *rung += 1);
    }

    /// Hears it from now on.
    pub(super) fn hear(&self) -> Ear {
        Ear(self.0.subscribe())
    }
}

/// Which of the bells.
type Which = fn(&Bells) -> &Bell;

/// Somebody who listens.
#[derive(Debug)]
pub(super) struct Ear(watch::Receiver<u64>);

impl Ear {
    /// Returns when the bell rang since the last call, or rings.
    pub(super) async fn rung(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Rings the bells of `core` for what is told on the server.
pub(super) async fn listen(core: &Arc<Core>) -> Result<(), BusError> {
    let heard: [(String, Which); 3] = [
        (core.names.freed(), |bells| &bells.freed),
        (core.names.control_changes(), |bells| &bells.control),
        (core.names.all_replays(), |bells| &bells.replays),
    ];
    for (subject, bell) in heard {
        let subscribed = core.nats.client().subscribe(subject.clone()).await;
        let mut told = subscribed.map_err(|error| BusError::Unavailable(format!("{subject}: {error}")))?;
        let (weak, stopping): (Weak<Core>, _) = (Arc::downgrade(core), core.stopping.clone());
        tokio::spawn(async move {
            while let Some(Some(_)) = stopping.run_until_cancelled(told.next()).await {
                let Some(core) = weak.upgrade() else { return };
                bell(&core.bells).ring();
            }
        });
    }
    Ok(())
}
