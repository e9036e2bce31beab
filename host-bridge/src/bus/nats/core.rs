//! What all parts of the bus share: the connection, the names, the streams, and who this process is.

use super::bells::Bells;
use super::holding::Holding;
use super::layout::{self, Buckets};
use super::lease::Sighting;
use super::names::Names;
use super::nodes::Nodes;
use super::timers::Driver;
use super::{BusError, NatsBusOptions};
use crate::bus::{Fired, StreamConfig};
use crate::clock::Clock;
use crate::nats::Nats;
use async_nats::jetstream::stream::{Info, Stream};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a stream was created anew.
const LOOK: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Core {
    pub nats: Nats,
    pub names: Names,
    pub node: String,
    pub clock: Arc<dyn Clock>,
    /// The application's streams.
    pub streams: Vec<StreamConfig>,
    pub buckets: Buckets,
    pub nodes: Nodes,
    pub bells: Bells,
    pub timers: Driver,
    pub fired: Option<Fired>,
    /// What this process holds, by the name of the consumer.
    pub holdings: Mutex<HashMap<String, Arc<Holding>>>,
    pub ticks: AtomicU64,
    pub stopping: CancellationToken,
    sightings: Mutex<HashMap<String, Sighting>>,
    incarnations: Mutex<HashMap<String, u64>>,
}

impl Core {
    /// Connects the parts; creates or verifies what the host keeps on the server.
    pub(super) async fn open(nats: Nats, options: NatsBusOptions) -> Result<Arc<Self>, BusError> {
        let names = Names::new(&options.prefix)?;
        let buckets = layout::ensure(&nats, &names).await?;
        let stopping = CancellationToken::new();
        let core = Arc::new(Self {
            nodes: Nodes::new(&options.node),
            bells: Bells::default(),
            timers: Driver::default(),
            fired: options.fired,
            holdings: Mutex::default(),
            ticks: AtomicU64::new(0),
            sightings: Mutex::default(),
            incarnations: Mutex::default(),
            nats,
            names,
            node: options.node,
            clock: options.clock,
            streams: options.streams,
            buckets,
            stopping,
        });
        for stream in &core.streams {
            core.look_at(&stream.name).await?;
        }
        super::bells::listen(&core).await?;
        super::nodes::live(&core).await?;
        tokio::spawn(core.clone().watch_streams());
        Ok(core)
    }

    /// The stream's configuration in the manifest.
    pub(super) fn stream(&self, name: &str) -> Result<&StreamConfig, BusError> {
        let found = self.streams.iter().find(|stream| stream.name == name);
        found.ok_or_else(|| BusError::NotFound(format!("stream {name}")))
    }

    /// A handle of a stream, to read single messages from its leader.
    pub(super) async fn reading(&self, name: &str) -> Result<Stream<()>, BusError> {
        let found = self.nats.jetstream().get_stream_no_info(name).await;
        found.map_err(|error| BusError::Unavailable(format!("stream {name}: {error}")))
    }

    /// The stream's incarnation, as it was seen last.
    pub(super) async fn incarnation(&self, stream: &str) -> Result<u64, BusError> {
        let known = self.incarnations.lock().get(stream).copied();
        match known {
            Some(incarnation) => Ok(incarnation),
            None => Ok(layout::incarnation(&self.look_at(stream).await?)),
        }
    }

    /// Asks the server for a stream, and notes its incarnation.
    pub(super) async fn look_at(&self, stream: &str) -> Result<Info, BusError> {
        let info = layout::info(&self.nats, stream).await?;
        self.incarnations.lock().insert(stream.to_owned(), layout::incarnation(&info));
        Ok(info)
    }

    /// What is known of a position after `revision` was seen.
    pub(super) fn sight(&self, key: &str, revision: u64) -> Sighting {
        let mut sightings = self.sightings.lock();
        let sighting = Sighting::next(sightings.get(key).copied(), revision, tokio::time::Instant::now());
        sightings.insert(key.to_owned(), sighting);
        sighting
    }

    /// A position could not be seen: what was known of it says nothing any more about whether its holder lives. An outage
    /// of the server is none of the holder's.
    pub(super) fn lose_sight(&self, key: &str) {
        self.sightings.lock().remove(key);
    }

    /// Notes streams that were deleted and created anew, so that what is published to them is told the right source.
    async fn watch_streams(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.stopping.cancelled() => return,
            }
            for stream in &self.streams {
                if !self.nats.is_up() {
                    break;
                }
                if let Err(error) = self.look_at(&stream.name).await {
                    tracing::warn!(stream = stream.name, %error, "a stream cannot be seen");
                }
            }
        }
    }
}
