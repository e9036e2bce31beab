//! The arguments as typed. [`super::Options`] is what they mean.

use super::nats::NatsArgs;
use crate::logging::LogFormat;
use clap::{CommandFactory, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A durable HTTP and event trigger for WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "a4co", version, about, propagate_version = true)]
pub struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the application of a spin.toml
    Up(UpArgs),
    /// Deliver events from NATS to the components of another host, such as Spin, over HTTP
    Bridge(BridgeArgs),
    /// Check a spin.toml without running it
    Check(ManifestArgs),
    /// Show, replay and discard events that could not be handled
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Follow, look up and publish events
    #[command(subcommand)]
    Events(EventsCommand),
    /// Show and stop the components' consumers
    #[command(subcommand)]
    Consumers(ConsumersCommand),
    /// Show and set up the application's streams on a NATS server
    #[command(subcommand)]
    Streams(StreamsCommand),
    /// Make, replace and show the keys that a bridge and its components know each other by
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Move the state of a stopped embedded host into NATS
    Migrate {
        #[command(flatten)]
        manifest: ManifestArgs,
        /// The state directory of the host; it must not be running
        #[arg(long, default_value = ".a4co")]
        state_dir: PathBuf,
        #[command(flatten)]
        nats: NatsArgs,
    },
    /// Write a consistent copy of a running host's state to a file
    Backup {
        /// The file to write; must not exist
        file: PathBuf,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Make a state directory from a backup (the host must not be running)
    Restore {
        /// The backup
        file: PathBuf,
        /// The state directory to make; must not hold a state yet
        #[arg(long, default_value = ".a4co")]
        state_dir: PathBuf,
    },
    /// Print a shell's completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ManifestArgs {
    /// The application's manifest
    #[arg(long, short = 'f', default_value = "spin.toml")]
    pub(super) manifest: PathBuf,
    /// A value for a variable of the application; else SPIN_VARIABLE_<NAME>, else its default
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    pub(super) variables: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct UpArgs {
    #[command(flatten)]
    pub(super) manifest: ManifestArgs,
    /// Run the manifest's build commands first
    #[arg(long)]
    pub(super) build: bool,
    /// Serve HTTP alone, as Spin would: events are delivered by a bridge to /events/<component>
    #[arg(long)]
    pub(super) http_only: bool,
    /// Where the application is served
    #[arg(long, default_value = "127.0.0.1:3000")]
    pub(super) listen: SocketAddr,
    /// Where operators are served: health, metrics, events, dead letters
    #[arg(long, default_value = "127.0.0.1:3001")]
    pub(super) admin_listen: SocketAddr,
    /// Where state and events are kept, and compiled code unless --cache-dir says otherwise
    #[arg(long, default_value = ".a4co")]
    pub(super) state_dir: PathBuf,
    /// Where compiled code is kept; it is native code, so let nobody else write there [default: STATE_DIR/cache]
    #[arg(long)]
    pub(super) cache_dir: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
    /// No progress, no start-up screen, nothing below a warning
    #[arg(long, short)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) nats: NatsArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct BridgeArgs {
    #[command(flatten)]
    pub(super) manifest: ManifestArgs,
    /// The host that serves the components
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    pub(super) target: String,
    /// Where components publish: what their variable events_url says
    #[arg(long, default_value = "127.0.0.1:7070")]
    pub(super) listen: SocketAddr,
    /// Where operators are served: health, metrics, events, dead letters
    #[arg(long, default_value = "127.0.0.1:7071")]
    pub(super) admin_listen: SocketAddr,
    /// The folder of the key files (`a4co keys generate`)
    #[arg(long, default_value = "keys")]
    pub(super) keys: PathBuf,
    /// Where this bridge keeps who it is; its events lie in NATS
    #[arg(long, default_value = ".a4co-bridge")]
    pub(super) state_dir: PathBuf,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
    /// No start-up screen, nothing below a warning
    #[arg(long, short)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) nats: NatsArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum StreamsCommand {
    /// Show what differs from the manifest, and what would be done
    Plan(StreamsArgs),
    /// Create what is missing and change what differs
    Apply(StreamsArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct StreamsArgs {
    #[command(flatten)]
    pub(super) manifest: ManifestArgs,
    #[command(flatten)]
    pub(super) nats: NatsArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct AdminArgs {
    /// The running host's admin listener
    #[arg(long, default_value = "http://127.0.0.1:3001")]
    pub(super) admin: String,
    /// JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum DlqCommand {
    /// List dead letters, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Show one, with its event
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Hand them once more to the component that failed, and to it alone
    Replay {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Forget them
    Discard {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// Follow what is published from now on
    Tail {
        /// Only subjects that match, such as 'order.>'
        #[arg(long)]
        subject: Option<String>,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Show all events of one correlation, in order
    Show {
        /// The correlation id
        correlation: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Publish a file as it is, malformed or not
    Publish {
        /// The subject
        subject: String,
        /// The file; `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConsumersCommand {
    /// List them: what is pending, and how old it is
    List {
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Hand nothing to a component until it is resumed
    Pause {
        /// COMPONENT, or COMPONENT/STREAM
        consumer: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Go on
    Resume {
        /// COMPONENT, or COMPONENT/STREAM
        consumer: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct KeysArgs {
    /// The folder of the key files
    #[arg(long, default_value = "keys")]
    pub(super) keys: PathBuf,
    /// JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make the first key of the bridge and of every component that may publish, or of the parties named
    Generate {
        /// a4co-bridge, or components
        parties: Vec<String>,
        /// The application's manifest
        #[arg(long, short = 'f', default_value = "spin.toml")]
        manifest: PathBuf,
        #[command(flatten)]
        keys: KeysArgs,
    },
    /// Give each party a new key that signs; the one before stays active until the next rotation
    Rotate {
        /// a4co-bridge, or components
        #[arg(required = true)]
        parties: Vec<String>,
        #[command(flatten)]
        keys: KeysArgs,
    },
    /// List the keys in the folder
    List {
        #[command(flatten)]
        keys: KeysArgs,
    },
    /// Print a party's public keys, as the other side is configured with
    Public {
        /// a4co-bridge, or a component
        party: String,
        /// The folder of the key files
        #[arg(long, default_value = "keys")]
        keys: PathBuf,
    },
}

/// The completion script of `shell`.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "a4co", &mut script);
    script
}
