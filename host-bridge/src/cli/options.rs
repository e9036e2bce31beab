//! What the arguments mean, checked.

use super::args::{
    AdminArgs, Args, BridgeArgs, Command, ConsumersCommand, DlqCommand, EventsCommand, ManifestArgs, StreamsArgs,
    StreamsCommand, UpArgs,
};
use super::consumers::ConsumersRequest;
use super::dead_letters::DeadLettersRequest;
use super::events::EventsRequest;
use super::keys::KeysRequest;
use super::nats::{NatsArgs, NatsOptions};
use super::streams::StreamsOptions;
use crate::bridge::BridgeOptions;
use crate::logging::LogFormat;
use crate::manifest::Given;
use crate::migrate::MigrateOptions;
use crate::subject::{Subject, SubjectPattern};
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;

/// What to do.
#[derive(Debug)]
pub enum Options {
    /// Run the application.
    Up(UpOptions),
    /// Deliver events to another host.
    Bridge(BridgeCommand),
    /// Check the manifest.
    Check {
        /// The manifest.
        manifest: PathBuf,
        /// Variables from outside.
        given: Given,
    },
    /// Ask a running host.
    Client(ClientOptions),
    /// Show or set up streams.
    Streams(StreamsOptions),
    /// Manage keys.
    Keys(KeysRequest),
    /// Move an embedded state into NATS.
    Migrate(MigrateOptions),
    /// Make a state directory from a backup.
    Restore(RestoreOptions),
    /// Print completions.
    Completions(clap_complete::Shell),
}

/// How to run the application.
#[derive(Debug)]
pub struct UpOptions {
    /// The manifest.
    pub manifest: PathBuf,
    /// Variables from outside.
    pub given: Given,
    /// Build first.
    pub build: bool,
    /// No events: HTTP alone, as Spin serves it.
    pub http_only: bool,
    /// Where the application is served.
    pub listen: SocketAddr,
    /// Where operators are served.
    pub admin_listen: SocketAddr,
    /// Where state is kept; need not exist yet.
    pub state_dir: PathBuf,
    /// Where compiled code is kept; need not exist yet.
    pub cache_dir: PathBuf,
    /// How log lines look.
    pub log_format: LogFormat,
    /// No progress and no screen.
    pub quiet: bool,
    /// Where events and state lie, if not in the state directory.
    pub nats: Option<NatsOptions>,
}

/// How to bridge to another host.
#[derive(Debug)]
pub struct BridgeCommand {
    /// The manifest.
    pub manifest: PathBuf,
    /// Variables from outside.
    pub given: Given,
    /// Where events lie.
    pub nats: NatsOptions,
    /// Where this bridge keeps who it is; need not exist yet.
    pub state_dir: PathBuf,
    /// The bridge.
    pub bridge: BridgeOptions,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// What to ask of which host.
#[derive(Debug)]
pub struct ClientOptions {
    /// Its admin listener.
    pub admin: Url,
    /// Answer in JSON.
    pub json: bool,
    /// What to ask.
    pub request: Request,
}

/// What can be asked.
#[derive(Debug)]
pub enum Request {
    /// About dead letters.
    DeadLetters(DeadLettersRequest),
    /// About events.
    Events(EventsRequest),
    /// About consumers.
    Consumers(ConsumersRequest),
    /// A backup to this absolute path.
    Backup(PathBuf),
}

/// Which backup goes where.
#[derive(Debug)]
pub struct RestoreOptions {
    /// The backup.
    pub file: PathBuf,
    /// The state directory to make.
    pub state_dir: PathBuf,
}

impl Options {
    /// Checks the arguments.
    ///
    /// # Errors
    /// Names the argument that cannot be, and what would be right.
    pub fn resolve(args: Args) -> anyhow::Result<Self> {
        Ok(match args.command {
            Command::Up(up) => Self::Up(UpOptions::resolve(up)?),
            Command::Bridge(args) => Self::Bridge(BridgeCommand::resolve(args)?),
            Command::Check(manifest) => Self::Check { given: given(&manifest)?, manifest: manifest.manifest },
            Command::Dlq(command) => dead_letters(command)?,
            Command::Events(command) => events(command)?,
            Command::Consumers(command) => consumers(command)?,
            Command::Migrate { manifest, state_dir, nats } => {
                let (nats, given) = (server(nats)?, given(&manifest)?);
                Self::Migrate(MigrateOptions { manifest: manifest.manifest, given, state_dir, nats })
            }
            Command::Streams(StreamsCommand::Plan(args)) => streams(args, false)?,
            Command::Streams(StreamsCommand::Apply(args)) => streams(args, true)?,
            Command::Keys(command) => Self::Keys(KeysRequest::resolve(command)?),
            Command::Backup { file, admin } => client(admin, Request::Backup(std::path::absolute(file)?))?,
            Command::Restore { file, state_dir } => Self::Restore(RestoreOptions { file, state_dir }),
            Command::Completions { shell } => Self::Completions(shell),
        })
    }
}

impl UpOptions {
    fn resolve(args: UpArgs) -> anyhow::Result<Self> {
        if args.listen == args.admin_listen && args.listen.port() != 0 {
            bail!("--listen and --admin-listen are both {}: give them different ports", args.listen);
        }
        Ok(Self {
            given: given(&args.manifest)?,
            manifest: args.manifest.manifest,
            build: args.build,
            http_only: args.http_only,
            listen: args.listen,
            admin_listen: args.admin_listen,
            cache_dir: args.cache_dir.unwrap_or_else(|| args.state_dir.join("cache")),
            state_dir: args.state_dir,
            log_format: args.log_format,
            quiet: args.quiet,
            nats: NatsOptions::resolve(args.nats)?,
        })
    }
}

impl BridgeCommand {
    fn resolve(args: BridgeArgs) -> anyhow::Result<Self> {
        if args.listen == args.admin_listen && args.listen.port() != 0 {
            bail!("--listen and --admin-listen are both {}: give them different ports", args.listen);
        }
        Ok(Self {
            given: given(&args.manifest)?,
            manifest: args.manifest.manifest,
            nats: server(args.nats)?,
            state_dir: args.state_dir,
            bridge: BridgeOptions {
                target: args.target,
                keys: args.keys,
                listen: args.listen,
                admin_listen: args.admin_listen,
                quiet: args.quiet,
            },
            log_format: args.log_format,
        })
    }
}

fn given(args: &ManifestArgs) -> anyhow::Result<Given> {
    let mut flags = BTreeMap::new();
    for text in &args.variables {
        let (name, value) = text.split_once('=').with_context(|| format!("--variable {text}: expected NAME=VALUE"))?;
        flags.insert(name.to_owned(), value.to_owned());
    }
    Ok(Given::new(flags))
}

fn streams(args: StreamsArgs, apply: bool) -> anyhow::Result<Options> {
    let (nats, given) = (server(args.nats)?, given(&args.manifest)?);
    Ok(Options::Streams(StreamsOptions { manifest: args.manifest.manifest, given, nats, apply }))
}

/// The server of a command that makes no sense without one.
fn server(args: NatsArgs) -> anyhow::Result<NatsOptions> {
    let missing = "--nats is missing: name the server, such as --nats nats://127.0.0.1:4222";
    NatsOptions::resolve(args)?.context(missing)
}

fn client(args: AdminArgs, request: Request) -> anyhow::Result<Options> {
    let wanted = "expected an address such as http://127.0.0.1:3001";
    let admin = Url::parse(&args.admin).with_context(|| format!("--admin {}: {wanted}", args.admin))?;
    if admin.scheme() != "http" || admin.host().is_none() {
        bail!("--admin {}: {wanted}", args.admin);
    }
    Ok(Options::Client(ClientOptions { admin, json: args.json, request }))
}

fn dead_letters(command: DlqCommand) -> anyhow::Result<Options> {
    let (admin, request) = match command {
        DlqCommand::List { limit, admin } => (admin, DeadLettersRequest::List { limit }),
        DlqCommand::Show { id, admin } => (admin, DeadLettersRequest::Show { id }),
        DlqCommand::Replay { ids, admin } => (admin, DeadLettersRequest::Replay { ids }),
        DlqCommand::Discard { ids, admin } => (admin, DeadLettersRequest::Discard { ids }),
    };
    client(admin, Request::DeadLetters(request))
}

fn events(command: EventsCommand) -> anyhow::Result<Options> {
    let (admin, request) = match command {
        EventsCommand::Tail { subject, admin } => {
            let subject = subject.as_deref().map(SubjectPattern::new).transpose().context("--subject")?;
            (admin, EventsRequest::Tail { subject })
        }
        EventsCommand::Show { correlation, admin } => (admin, EventsRequest::Show { correlation }),
        EventsCommand::Publish { subject, file, admin } => {
            (admin, EventsRequest::Publish { subject: Subject::new(&subject)?, file })
        }
    };
    client(admin, Request::Events(request))
}

fn consumers(command: ConsumersCommand) -> anyhow::Result<Options> {
    let (admin, request) = match command {
        ConsumersCommand::List { admin } => (admin, ConsumersRequest::List),
        ConsumersCommand::Pause { consumer, admin } => (admin, ConsumersRequest::set(&consumer, true)),
        ConsumersCommand::Resume { consumer, admin } => (admin, ConsumersRequest::set(&consumer, false)),
    };
    client(admin, Request::Consumers(request))
}
