//! What is measured, how long, and against what.

use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The arguments as typed.
#[derive(Debug, clap::Parser)]
#[command(about = "Measures the host from outside", args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) options: Typed,
    #[command(subcommand)]
    pub(crate) hidden: Option<Hidden>,
}

/// What this program is to itself: a process for the baseline.
#[derive(Debug, clap::Subcommand)]
pub enum Hidden {
    /// Serve the application natively
    #[command(hide = true)]
    ServeNative {
        #[arg(long)]
        manifest: PathBuf,
        #[arg(long)]
        state_dir: PathBuf,
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Serve a fixed answer over axum
    #[command(hide = true)]
    ServeFixed {
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Run the no-op loop natively
    #[command(hide = true)]
    NoopNative {
        #[arg(long)]
        manifest: PathBuf,
        #[arg(long)]
        state_dir: PathBuf,
    },
}

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Measure {
    /// Complete orders: throughput, latency, against the native baseline
    Orders,
    /// A handler that does nothing: events a second, CPU an event
    Noop,
    /// GET availability: requests a second
    Reads,
    /// Search over a large catalogue: latency
    Search,
    /// Process start, idle memory, sizes of the components
    Start,
    /// CPU an order as log, stores and aggregates grow
    Scale,
    /// What the machine gives to anybody: raw axum, raw SQLite commits
    Floor,
    /// The same over a NATS server: no-op against a plain client, orders fast and safe, bridged, two processes, a backlog
    Nats,
    /// One answer to every request: against `wasmtime serve`, built from its crate the first time, and axum
    Plain,
    /// The order's saga, against Restate with its SDKs for JavaScript and Rust
    Peers,
}

impl Measure {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Noop => "noop",
            Self::Reads => "reads",
            Self::Search => "search",
            Self::Start => "start",
            Self::Scale => "scale",
            Self::Floor => "floor",
            Self::Nats => "nats",
            Self::Plain => "plain",
            Self::Peers => "peers",
        }
    }

    /// How often it is measured: one that fills a log of its own first, or tells medians itself, once.
    pub fn rounds(self, options: &Options) -> usize {
        match self {
            Self::Search | Self::Start | Self::Scale => 1,
            Self::Orders | Self::Noop | Self::Reads | Self::Floor | Self::Nats | Self::Plain | Self::Peers => {
                options.rounds
            }
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Typed {
    /// What to measure; where nothing is named everything but `plain` and `peers`, whose peers are built or fetched first
    #[arg(value_enum)]
    measures: Vec<Measure>,
    /// Rounds, in each of which all contenders take their turn; the table has the medians
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Seconds of sustained load
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The same in minutes, for the long run of `orders`
    #[arg(long, conflicts_with = "seconds")]
    minutes: Option<u64>,
    /// Buyers at once in the closed loop
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Orders a second in the open loop
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Orders of `scale`
    #[arg(long, default_value_t = 5_000)]
    orders: usize,
    /// Events of `noop`
    #[arg(long, default_value_t = 50_000)]
    events: usize,
    /// Products of `search`
    #[arg(long, default_value_t = 50_000)]
    products: usize,
    /// Leave the native baseline out
    #[arg(long)]
    without_native: bool,
    /// Another manifest of the marketplace, to compare settings [default: the workspace's spin.toml]
    #[arg(long)]
    manifest: Option<PathBuf>,
    /// Take the components as they are built
    #[arg(long)]
    no_build: bool,
    /// Where the figures go, too
    #[arg(long)]
    json: Option<PathBuf>,
}

/// The options, resolved.
#[derive(Debug)]
pub struct Options {
    /// What to measure.
    pub measures: Vec<Measure>,
    /// How often each is measured.
    pub rounds: usize,
    /// How long load is sustained.
    pub duration: Duration,
    /// Buyers at once.
    pub clients: usize,
    /// Orders a second in the open loop.
    pub rate: u32,
    /// Orders of `scale`.
    pub orders: usize,
    /// Events of `noop`.
    pub events: usize,
    /// Products of `search`.
    pub products: usize,
    /// Whether to measure the baseline too.
    pub native: bool,
    /// Where the figures go.
    pub json: PathBuf,
    /// The host's binary.
    pub host: PathBuf,
    /// The marketplace's manifest.
    pub manifest: PathBuf,
    /// Compiled components, kept between runs.
    pub cache: PathBuf,
}

impl Options {
    /// Fills in what was left out, and builds the components.
    ///
    /// # Errors
    /// Where a number makes no sense, or the host is not built.
    pub fn resolve(typed: Typed) -> Result<Self> {
        use clap::ValueEnum as _;
        ensure!(
            typed.clients > 0 && typed.rate > 0 && typed.rounds > 0,
            "--clients, --rate and --rounds: expected at least 1"
        );
        ensure!(typed.orders >= 2_000, "--orders: expected at least 2000, to compare thousands");
        ensure!(typed.events >= 1_000, "--events: expected at least 1000");
        let target = artifacts::workspace().join("target");
        let host = match std::env::var_os("A4CO_BIN") {
            Some(path) => PathBuf::from(path),
            None => artifacts::binary("a4co"),
        };
        ensure!(host.is_file(), "{} is not there: run `cargo build --release`", host.display());
        if !typed.no_build {
            artifacts::marketplace();
            artifacts::build(&["guest-counter", "guest-plain", "guest-purchase"]);
        }
        std::fs::create_dir_all(&target).with_context(|| format!("creating {}", target.display()))?;
        let alone = |measure: &Measure| !matches!(measure, Measure::Plain | Measure::Peers);
        let all = || Measure::value_variants().iter().copied().filter(alone).collect();
        let measures = if typed.measures.is_empty() { all() } else { typed.measures };
        Ok(Self {
            measures,
            rounds: typed.rounds,
            duration: typed.minutes.map_or(Duration::from_secs(typed.seconds), |m| Duration::from_secs(m * 60)),
            clients: typed.clients,
            rate: typed.rate,
            orders: typed.orders,
            events: typed.events,
            products: typed.products,
            native: !typed.without_native,
            json: typed.json.unwrap_or_else(|| target.join("bench.json")),
            host,
            manifest: typed.manifest.unwrap_or_else(|| artifacts::workspace().join("spin.toml")),
            cache: target.join("bench-cache"),
        })
    }
}
