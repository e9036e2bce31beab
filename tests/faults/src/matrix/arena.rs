//! What a row of the matrix stands on: the marketplace in its setup, its servers, and the proxies between them.

use super::fault::{Fault, Setup};
use crate::{Proxy, Stage, plain};
use anyhow::{Context as _, Result};
use artifacts::nats::NatsServer;
use async_nats::jetstream;
use end_to_end::{Client, Host, Manifest, Settings, eventually};
use std::net::SocketAddr;

/// Streams, as the manifest subscribes them.
const STREAMS: [(&str, &str); 6] = [
    ("ORDERS", "order.>"),
    ("INVENTORY", "inventory.>"),
    ("PAYMENTS", "payment.>"),
    ("USERS", "user.>"),
    ("ARTISANS", "artisan.>"),
    ("SAGAS", "saga.>"),
];
/// How long NATS knows a repeat, where repeats past that are the fault.
const WINDOW: &str = "1s";
/// Messages of the stream that is filled to its limit.
const LIMIT: &str = "20_000";
/// Events that customers at work leave unsettled at any time.
const CALM: u64 = 100;
/// Lines of a log that an error shows.
const LINES: usize = 40;

/// See the module.
#[derive(Debug)]
pub struct Arena {
    /// The marketplace, its gateway and its users.
    pub stage: Stage,
    /// Another process beside it, on the same servers.
    pub(super) second: Option<Host>,
    /// Its NATS servers: none, one or three.
    pub(super) servers: Vec<NatsServer>,
    /// Between what delivers and NATS.
    to_nats: Option<Proxy>,
    /// Between the bridge and the application.
    to_application: Option<Proxy>,
    /// A plain client of the servers.
    plain: Option<jetstream::Context>,
    setup: Setup,
    _manifest: Option<Manifest>,
}

impl Arena {
    /// Sets up what `faults` need.
    ///
    /// # Errors
    /// Where something does not start.
    pub async fn set(setup: Setup, faults: &[Fault]) -> Result<Self> {
        let servers = match setup {
            Setup::Embedded => Vec::new(),
            Setup::Nats | Setup::Bridge => vec![NatsServer::start()],
            Setup::Cluster => NatsServer::cluster(),
        };
        let urls = servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",");
        let plain = if servers.is_empty() { None } else { Some(jetstream::new(plain::connect(&urls).await?)) };
        if let (Setup::Cluster, Some(plain)) = (setup, &plain) {
            found_each_other(plain).await?;
        }
        let to_nats = match servers.first().filter(|_| faults.iter().any(|fault| fault.needs_proxy())) {
            Some(server) => Some(Proxy::start(server.address()).await?),
            None => None,
        };
        let manifest = manifest(faults)?;
        let mut settings = settings(setup, manifest.as_ref());
        settings.nats = match &to_nats {
            Some(proxy) => Some(format!("nats://{}", proxy.address())),
            None => (!servers.is_empty()).then_some(urls),
        };
        let to_application = proxied(&mut settings, faults).await?;
        let stage = Stage::set_with(settings, faults.iter().any(|fault| fault.needs_library())).await?;
        let second = match faults.iter().any(|fault| fault.needs_second()) {
            true => Some(Host::start(stage.host.settings().clone()).await?),
            false => None,
        };
        Ok(Self { stage, second, servers, to_nats, to_application, plain, setup, _manifest: manifest })
    }

    /// Which processes there are.
    pub(super) fn setup(&self) -> Setup {
        self.setup
    }

    /// Where customers come in.
    pub(super) fn doors(&self) -> Vec<Client> {
        [Some(&self.stage.host), self.second.as_ref()].into_iter().flatten().map(Host::client).collect()
    }

    /// The proxy in front of NATS.
    pub(super) fn to_nats(&self) -> Result<&Proxy> {
        self.to_nats.as_ref().context("this arena has no proxy in front of NATS")
    }

    /// The proxy in front of the application.
    pub(super) fn to_application(&self) -> Result<&Proxy> {
        self.to_application.as_ref().context("this arena has no proxy in front of the application")
    }

    /// A plain client of NATS.
    pub(super) fn plain(&self) -> Result<&jetstream::Context> {
        self.plain.as_ref().context("an embedded host has no server")
    }

    /// One of the two processes.
    pub(super) fn host(&mut self, number: u32) -> Result<&mut Host> {
        if number.is_multiple_of(2) {
            return Ok(&mut self.stage.host);
        }
        self.second.as_mut().context("this arena has one process")
    }

    /// Events that are not settled.
    pub(super) async fn behind(&self) -> Result<u64> {
        let consumers = self.stage.host.admin().get("/consumers").await?;
        let items = consumers.json["items"].as_array().context("consumers")?;
        Ok(items.iter().filter_map(|item| item["pending"].as_u64()).sum())
    }

    /// Waits until the line that an earlier fault left is worked off: recovery is to be that of one fault, not of a hail in
    /// which what was in hand at each death is tried alone.
    pub(super) async fn calm(&self) -> Result<()> {
        eventually("the line is worked off", async || (self.behind().await.ok()? < CALM).then_some(())).await
    }

    /// Whether who delivers, now dead, has left events behind that are not acknowledged; embedded, writes that were not
    /// flushed too.
    pub(super) async fn died_amid_work(&self) -> Result<bool> {
        match &self.plain {
            None => Ok(self.stage.vitals()?.is_amid_work()),
            Some(plain) => Ok(plain::unsettled(plain).await? > 0),
        }
    }

    /// Keeps what the processes have logged so far under `target/faults/`: a round was late.
    pub(super) fn keep_log(&self, name: &str) -> Result<()> {
        let folder = artifacts::workspace().join("target/faults");
        std::fs::create_dir_all(&folder)?;
        let logs = [Some(&self.stage.host), self.second.as_ref()].into_iter().flatten().map(Host::log);
        std::fs::write(folder.join(format!("{name}.log")), logs.collect::<Vec<_>>().join("\n--\n"))?;
        Ok(())
    }

    /// What the processes logged last.
    pub(super) fn last_lines(&self) -> String {
        let hosts = [Some(&self.stage.host), self.second.as_ref()];
        let tail = |host: &Host| {
            let log = host.log();
            let lines: Vec<_> = log.lines().rev().take(LINES).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        hosts.into_iter().flatten().map(tail).collect::<Vec<_>>().join("\n--\n")
    }
}

fn settings(setup: Setup, manifest: Option<&Manifest>) -> Settings {
    let mut settings = match setup {
        Setup::Embedded => Settings::embedded(),
        Setup::Nats => Settings::nats(),
        Setup::Bridge => Settings::bridged(),
        Setup::Cluster => {
            let arguments = ["--durability", "safe"].map(str::to_owned).to_vec();
            Settings { arguments, ..Settings::nats() }
        }
    };
    settings.manifest = manifest.map(Manifest::path);
    settings
}

/// The marketplace with what some faults need.
fn manifest(faults: &[Fault]) -> Result<Option<Manifest>> {
    let (full, duplicates) = (faults.contains(&Fault::FullStream), faults.contains(&Fault::Duplicates));
    if !full && !duplicates {
        return Ok(None);
    }
    let mut manifest = Manifest::copy(&artifacts::marketplace())?;
    for (name, subjects) in STREAMS.iter().filter(|_| duplicates) {
        let head = format!("{name} = {{ subjects = [\"{subjects}\"],");
        manifest.replace(&head, &format!("{head} duplicate_window = \"{WINDOW}\","))?;
    }
    if full {
        manifest.replace(
            "max_age = \"7d\", max_messages = 1_000_000",
            &format!("max_age = \"7d\", max_messages = {LIMIT}"),
        )?;
    }
    Ok(Some(manifest))
}

/// The proxy between bridge and application, where one is needed.
async fn proxied(settings: &mut Settings, faults: &[Fault]) -> Result<Option<Proxy>> {
    if !faults.contains(&Fault::PartitionApplication) {
        return Ok(None);
    }
    let listen: SocketAddr = artifacts::free_address();
    let proxy = Proxy::start(listen).await?;
    (settings.listen, settings.target) = (Some(listen), Some(proxy.address()));
    Ok(Some(proxy))
}

/// Waits until the servers of a cluster can keep a stream together.
async fn found_each_other(plain: &jetstream::Context) -> Result<()> {
    let config = jetstream::stream::Config {
        name: "MET".to_owned(),
        subjects: vec!["met".to_owned()],
        num_replicas: 3,
        ..Default::default()
    };
    eventually("the servers have found each other", async || plain.create_stream(config.clone()).await.ok()).await?;
    plain.delete_stream("MET").await?;
    Ok(())
}
