//! Whether an operator has paused a consumer, in whichever process: followed while the consumer is held.

use super::core::Core;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often it is looked by itself.
const LOOK: Duration = Duration::from_secs(5);

/// See the module. Dropping it ends the following.
#[derive(Debug)]
pub(super) struct Paused {
    told: watch::Receiver<bool>,
    following: JoinHandle<()>,
}

impl Paused {
    /// Follows the flag of a consumer, which is `now`.
    pub(super) fn follow(core: &Arc<Core>, (component, stream): (&str, &str), now: bool) -> Self {
        let (sender, told) = watch::channel(now);
        let name = (component.to_owned(), stream.to_owned());
        let following = tokio::spawn(follow(Arc::downgrade(core), name, sender));
        Self { told, following }
    }

    /// Whether it is paused.
    pub(super) fn is_on(&self) -> bool {
        *self.told.borrow()
    }

    /// Returns at the next change.
    pub(super) async fn changed(&self) {
        let now = self.is_on();
        let mut told = self.told.clone();
        if told.wait_for(|told| *told != now).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// For whoever follows it too.
    pub(super) fn told(&self) -> watch::Receiver<bool> {
        self.told.clone()
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(core: Weak<Core>, (component, stream): (String, String), sender: watch::Sender<bool>) {
    let Some(mut control) = core.upgrade().map(|core| core.bells.control.hear()) else { return };
    loop {
        tokio::select! {
            () = control.rung() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        let Some(core) = core.upgrade() else { return };
        // Where it cannot be asked, it stays as it was.
        if let Ok(paused) = core.is_paused(&component, &stream).await {
            sender.send_if_modified(|told| std::mem::replace(told, paused) != paused);
        }
    }
}
