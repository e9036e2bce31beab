//! What happens while the disk is full: the writer tries the same batch again until there is room, what would change
//! anything is refused, and what is on disk is read as ever.
//!
//! Memory stays right meanwhile: it is ahead of the disk as it always is by a batch, and nobody is told of it before.

use super::Store;
use crate::durability::{Durability as _, Stalled, Watermark};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// How long the writer waits until it tries again.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// Whether there is room, for whoever would write and whoever waits.
#[derive(Debug)]
pub(super) struct Room(watch::Sender<Option<Stalled>>);

impl Default for Room {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Room {
    /// There is none; told once.
    pub(super) fn ran_out(&self, file: &Path, error: &dyn std::fmt::Display) {
        let why = Stalled::new(format!(
            "there is no room to write to {} ({error}): make room on its disk, and it goes on by itself",
            file.display()
        ));
        self.0.send_if_modified(|now| {
            let news = now.is_none();
            if news {
                tracing::error!("{why}. Until then what would change something is refused.");
                *now = Some(why);
            }
            news
        });
    }

    /// There is some again, or was all the time.
    pub(super) fn is_there(&self, file: &Path) {
        let news = self.0.send_if_modified(|now| now.take().is_some());
        if news {
            tracing::info!("there is room to write to {} again", file.display());
        }
    }
}

impl Store {
    /// Why nothing can be written now; `None` where it can.
    pub(crate) fn stalled(&self) -> Option<Stalled> {
        self.inner.room.0.borrow().clone()
    }

    /// Fails where nothing can be written now: what would change something must not be begun.
    ///
    /// # Errors
    /// Why.
    pub(crate) fn writable(&self) -> Result<(), Stalled> {
        self.stalled().map_or(Ok(()), Err)
    }

    /// Waits until `watermark` is on disk.
    ///
    /// # Errors
    /// Where nothing can be written now.
    pub(crate) async fn flushed_to(&self, watermark: Watermark) -> Result<(), Stalled> {
        let mut room = self.inner.room.0.subscribe();
        let stalled = async {
            let stalled = room.wait_for(Option::is_some).await.ok().and_then(|stalled| stalled.clone());
            match stalled {
                Some(stalled) => stalled,
                // The store is gone, and with it whoever could tell.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.durable(watermark) => Ok(()),
            stalled = stalled => Err(stalled),
        }
    }

    /// Waits until all that has happened is on disk.
    ///
    /// # Errors
    /// Where nothing can be written now.
    pub(crate) async fn all_flushed(&self) -> Result<(), Stalled> {
        self.flushed_to(self.latest()).await
    }
}
