//! A bridge over a bus of its own, and a process that serves the marketplace over HTTP alone, as Spin would.

use a4co_host::bridge::{Bridge, BridgeParts, Keys, Running};
use a4co_host::bus::embedded::EmbeddedBus;
use a4co_host::clock::{Clock, SystemClock};
use a4co_host::manifest::{self, Given};
use a4co_host::metrics::Metrics;
use a4co_host::store::{Store, StoreOptions};
use a4co_host::tokens::{self, BRIDGE};
use anyhow::{Context as _, Result};
use end_to_end::{Client, Host, Settings, Shop};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Components that publish from their HTTP handlers, each with a key of its own.
const PUBLISHERS: [&str; 4] = ["artisan", "inventory", "order", "saga"];

/// Both sides, and the keys they know each other by.
pub struct Stage {
    /// The process that plays Spin.
    pub target: Host,
    /// Its users.
    pub shop: Shop,
    /// The bridge's operators.
    pub admin: Client,
    /// Where components publish.
    pub publish: Client,
    keys: TempDir,
    bridge: Option<Running>,
    store: Arc<Store>,
    _state: TempDir,
}

impl Stage {
    /// Starts both sides; `settings` are the target's.
    ///
    /// # Errors
    /// Where one of them does not start.
    pub async fn start(settings: Settings) -> Result<Self> {
        let (keys, state) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for party in PUBLISHERS.into_iter().chain([BRIDGE]) {
            tokens::generate(keys.path(), party)?;
        }
        let (publish, admin) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let (published, administered) = (url(&publish)?, url(&admin)?);
        let target = Host::start(target_settings(settings, keys.path(), &published)?).await?;

        let application = manifest::load(&artifacts::marketplace(), &Given::new(BTreeMap::new()))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let store = Store::open(state.path(), StoreOptions::new(clock.clone(), application.streams.clone()))?;
        let parts = BridgeParts {
            bus: Arc::new(EmbeddedBus::new(store.clone())),
            durability: store.clone(),
            clock,
            metrics: Arc::new(Metrics::new()),
            away: Arc::new(|| None),
        };
        let bridge = Bridge {
            target: format!("http://{}", target.client_address()),
            keys: Keys::load(keys.path(), &application)?,
            publish,
            admin,
        };
        let bridge = Some(bridge.start(&application, parts).await?);
        let shop = Shop::new(target.client());
        let (admin, publish) = (Client::new(administered), Client::new(published));
        Ok(Self { target, shop, admin, publish, keys, bridge, store, _state: state })
    }

    /// The private key set of a party, as its owner has it.
    ///
    /// # Errors
    /// Where there is none.
    pub fn private_keys(&self, party: &str) -> Result<String> {
        let path = tokens::private_path(self.keys.path(), party);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Stops the bridge and lets what is under way end.
    ///
    /// # Errors
    /// Where it does not end cleanly.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(bridge) = self.bridge.take() {
            bridge.shutdown(Duration::from_secs(10)).await?;
        }
        tokio::task::block_in_place(|| self.store.close());
        self.target.stop().await
    }
}

fn url(listener: &TcpListener) -> Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// What an operator would set on Spin.
fn target_settings(mut settings: Settings, keys: &Path, published: &str) -> Result<Settings> {
    let read = |path: std::path::PathBuf| std::fs::read_to_string(&path).with_context(|| path.display().to_string());
    settings.arguments.push("--http-only".to_owned());
    settings = settings.with("events_url", published).with("bridge_keys", &read(tokens::public_path(keys, BRIDGE))?);
    for party in PUBLISHERS {
        settings = settings.with(&format!("{party}_key"), &read(tokens::private_path(keys, party))?);
    }
    Ok(settings)
}
