//! The state of a running application, behind its ports: in the state directory, or in NATS.

use super::nats_bus::{self, OpenBus};
use crate::bus::embedded::EmbeddedBus;
use crate::bus::nats::NatsBusOptions;
use crate::bus::{EventBus, Fired};
use crate::cli::{NatsOptions, UpOptions};
use crate::clock::{Clock, SystemClock};
use crate::durability::{AtOnce, Durability};
use crate::engine::Services;
use crate::failpoint;
use crate::host::Manners;
use crate::keyvalue::KeyValue;
use crate::keyvalue::embedded::EmbeddedKeyValue;
use crate::keyvalue::nats::{NatsKeyValue, Place};
use crate::manifest::Application;
use crate::metrics::Metrics;
use crate::nats::streams::{self, Alarms, Keeper, Standings};
use crate::nats::{Nats, Preset};
use crate::node;
use crate::store::{DATABASE, DirectoryLock, Store, StoreOptions};
use anyhow::Context as _;
use futures::future::{BoxFuture, FutureExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// Environment variable with the path of a file in which the store notes how far it has come, for tests of crashes and
/// for diagnosis: see the store's `vitals`.
const VITALS: &str = "A4CO_VITALS";
/// What an answer to a client guarantees, in words.
const EMBEDDED: &str = "an answer is on disk before it is sent (SQLite WAL, synchronous=FULL)";

/// The state of a running application, behind its ports.
pub(super) struct State {
    pub(super) key_value: Arc<dyn KeyValue>,
    pub(super) bus: Arc<dyn EventBus>,
    pub(super) durability: Arc<dyn Durability>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) storage: Arc<Storage>,
    closing: Option<BoxFuture<'static, ()>>,
}

/// What is under the ports.
pub(super) enum Storage {
    /// The state directory.
    Embedded(Arc<Store>),
    /// A NATS server or cluster.
    Nats {
        nats: Nats,
        alarms: Arc<Alarms>,
        /// The directory holds this node's id: no other process may be the same node.
        _lock: DirectoryLock,
        _keeper: AbortOnDropHandle<()>,
    },
}

impl State {
    /// Opens what the options say.
    pub(super) async fn open(application: &Application, options: &UpOptions) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let metrics = Arc::new(Metrics::new());
        let state = match &options.nats {
            None => Self::embedded(application, &options.state_dir, clock, metrics)?,
            Some(nats) => Self::nats(application, (nats, &options.state_dir), clock, metrics).await?,
        };
        if let Some(text) = std::env::var_os(failpoint::VARIABLE) {
            failpoint::arm(&text.to_string_lossy(), state.durability.clone())?;
        }
        Ok(state)
    }

    fn embedded(
        application: &Application,
        directory: &Path,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let mut store_options = StoreOptions::new(clock.clone(), application.streams.clone());
        store_options.vitals = std::env::var_os(VITALS).map(PathBuf::from);
        let counted = metrics.clone();
        store_options.flushed = Some(Arc::new(move |took, changes| counted.flushed(took, changes)));
        store_options.expiries = application.expiries.clone();
        store_options.fired = Some(counted_as_fired(&metrics));
        let store = Store::open(directory, store_options)?;
        Ok(Self {
            key_value: Arc::new(EmbeddedKeyValue::new(store.clone())),
            bus: Arc::new(EmbeddedBus::new(store.clone())),
            durability: store.clone(),
            clock,
            metrics,
            storage: Arc::new(Storage::Embedded(store)),
            closing: None,
        })
    }

    /// Opens NATS, whatever the state directory holds.
    pub(super) async fn nats(
        application: &Application,
        (options, directory): (&NatsOptions, &Path),
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let lock = DirectoryLock::take(directory)?;
        if directory.join(DATABASE).exists() {
            let directory = directory.display();
            tracing::warn!("{directory} holds the state of an embedded host, which is not used with --nats");
        }
        let id = node::id(directory, clock.now())?;
        let nats = Nats::connect(&options.settings).await?;
        if nats.preset() == Preset::Safe && !nats.is_clustered() {
            tracing::warn!("--durability {}", nats.preset().meaning(false));
        }
        streams::provision(&nats, &application.wanted_streams()).await?;
        let place = Place { prefix: options.prefix.clone(), application: application.name.clone() };
        let key_value = NatsKeyValue::new(nats.clone(), place).expiring(application.expiries.clone());
        let at = || format!("the key-value stores at {}", nats.servers());
        key_value.prepare(&application.stores()).await.with_context(at)?;
        let bus = NatsBusOptions {
            prefix: options.prefix.clone(),
            node: id,
            streams: application.streams.clone(),
            clock: clock.clone(),
            fired: Some(counted_as_fired(&metrics)),
        };
        let bus = nats_bus::open(nats.clone(), bus).await;
        let OpenBus { bus, close } = bus.with_context(|| format!("the event bus at {}", nats.servers()))?;
        let asked = bus.clone();
        let standings: Standings = Arc::new(move || {
            let bus = asked.clone();
            async move { bus.consumers().await }.boxed()
        });
        let keeper = Keeper::new(nats.clone(), standings, application.streams.clone(), metrics.clone());
        let alarms = keeper.alarms();
        let _keeper = AbortOnDropHandle::new(tokio::spawn(keeper.run()));
        Ok(Self {
            key_value: Arc::new(key_value),
            bus,
            durability: Arc::new(AtOnce),
            clock,
            metrics,
            storage: Arc::new(Storage::Nats { nats, alarms, _lock: lock, _keeper }),
            closing: Some(close),
        })
    }

    /// Brings what is in memory to disk, and lets go of what other processes could have.
    pub(super) async fn close(self) {
        if let Some(closing) = self.closing {
            closing.await;
        }
        if let Storage::Embedded(store) = &*self.storage {
            tokio::task::block_in_place(|| store.close());
        }
    }

    /// What the host does for its guests.
    pub(super) fn services(&self) -> Services {
        Services {
            key_value: self.key_value.clone(),
            bus: self.bus.clone(),
            durability: self.durability.clone(),
            clock: self.clock.clone(),
            observer: self.metrics.clone(),
            manners: Manners::Own,
        }
    }
}

/// Counts what timers publish.
fn counted_as_fired(metrics: &Arc<Metrics>) -> Fired {
    let counted = metrics.clone();
    Arc::new(move |event| counted.published_by("timer", event))
}

impl Storage {
    /// Where it lies, in words.
    pub(super) fn place(&self, directory: &Path) -> String {
        match self {
            Self::Embedded(_) => directory.display().to_string(),
            Self::Nats { nats, .. } => format!("{} (this node: {})", nats.servers(), directory.display()),
        }
    }

    /// What an answer to a client guarantees, in words.
    pub(super) fn meaning(&self) -> &'static str {
        match self {
            Self::Embedded(_) => EMBEDDED,
            Self::Nats { nats, .. } => nats.preset().meaning(nats.is_clustered()),
        }
    }

    /// Why it cannot be used now; `None` where it can.
    pub(super) fn away(&self) -> Option<String> {
        match self {
            Self::Embedded(_) => None,
            Self::Nats { nats, .. } => nats.why_down(),
        }
    }

    /// Why nothing can be written now, though what is there is served.
    pub(super) fn stalled(&self) -> Option<String> {
        match self {
            Self::Embedded(store) => store.stalled().map(|stalled| stalled.to_string()),
            Self::Nats { .. } => None,
        }
    }

    /// What an operator should look at.
    pub(super) fn warnings(&self) -> Vec<String> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Nats { alarms, .. } => alarms.standing(),
        }
    }

    /// Sizes in bytes, by part.
    pub(super) fn sizes(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Embedded(store) => {
                let sizes = store.sizes();
                vec![
                    ("database", sizes.database_bytes),
                    ("wal", sizes.wal_bytes),
                    ("values_in_memory", sizes.cached_value_bytes),
                    ("events_in_memory", sizes.cached_event_bytes),
                ]
            }
            // What the server uses is the server's to tell.
            Self::Nats { .. } => Vec::new(),
        }
    }

    /// Writes a consistent copy to `file`; answers its size in bytes.
    pub(super) async fn backup(&self, file: &Path) -> anyhow::Result<u64> {
        match self {
            Self::Embedded(store) => {
                store.backup(file).await?;
                Ok(std::fs::metadata(file)?.len())
            }
            Self::Nats { nats, .. } => anyhow::bail!(
                "the state lies in NATS at {}: copy its streams and buckets with `nats account backup DIRECTORY`, or \
                 each with `nats stream backup`",
                nats.servers()
            ),
        }
    }
}
