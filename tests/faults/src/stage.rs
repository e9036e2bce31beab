//! The host, its gateway and what the host notes of itself: everything a fault test stands on.

use crate::{Gateway, Unsynced, Vitals};
use anyhow::Result;
use end_to_end::{Host, Settings, Shop};
use std::path::PathBuf;
use tempfile::TempDir;

/// A running marketplace with its gateway outside.
#[derive(Debug)]
pub struct Stage {
    /// The host.
    pub host: Host,
    /// The gateway.
    pub gateway: Gateway,
    /// The view of customers.
    pub shop: Shop,
    /// What the host has written and not synced, where its environment makes it tell.
    pub unsynced: Unsynced,
    folder: TempDir,
}

impl Stage {
    /// Starts both. With `preloaded` the host tells what it has not synced.
    ///
    /// # Errors
    /// Where one does not start.
    pub async fn set(preloaded: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let gateway = Gateway::start(folder.path()).await?;
        let unsynced = Unsynced::at(folder.path().join("unsynced"));
        let mut settings = Settings::default()
            .with("gateway_url", &gateway.url())
            .with("payment_retry_delay", "50ms")
            .with("gateway_retry_delay", "200ms");
        let mut note = |name: &str, file: &str| {
            settings.environment.push((name.to_owned(), folder.path().join(file).display().to_string()));
        };
        note("A4CO_VITALS", "vitals");
        if preloaded {
            note("A4CO_HOLD_SYNC", "hold");
            settings.environment.extend(unsynced.environment());
        }
        let host = Host::start(settings).await?;
        let shop = Shop::new(host.client());
        Ok(Self { host, gateway, shop, unsynced, folder })
    }

    /// How far the host has come, or had when it died.
    ///
    /// # Errors
    /// Where it has noted nothing.
    pub fn vitals(&self) -> Result<Vitals> {
        Vitals::read(&self.folder.path().join("vitals"))
    }

    /// While this file exists, a preloaded host begins no sync.
    #[must_use]
    pub fn hold(&self) -> PathBuf {
        self.folder.path().join("hold")
    }

    /// Where the database is.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.host.state_dir().join("state")
    }
}
