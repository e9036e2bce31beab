//! `a4co bridge`: runs a bridge until it is told to stop.

use super::{Bridge, BridgeParts, Keys};
use crate::manifest::Application;
use anyhow::Context as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long what is under way may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(20);

/// How a bridge is run.
#[derive(Debug, Clone)]
pub struct BridgeOptions {
    /// The host that serves the components: `http://127.0.0.1:3000`.
    pub target: String,
    /// The folder of the key files.
    pub keys: PathBuf,
    /// Where components publish.
    pub listen: SocketAddr,
    /// Where operators are served.
    pub admin_listen: SocketAddr,
    /// No start-up screen.
    pub quiet: bool,
}

/// Runs a bridge for `application` over `parts`.
///
/// # Errors
/// Where it cannot start (each message says what to do), or where a part of it ends by itself.
pub async fn run(application: &Application, options: &BridgeOptions, parts: BridgeParts) -> anyhow::Result<()> {
    let keys = Keys::load(&options.keys, application)?;
    let publish = bind(options.listen, "--listen").await?;
    let admin = bind(options.admin_listen, "--admin-listen").await?;
    let (published, administered) = (publish.local_addr()?, admin.local_addr()?);
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let bridge = Bridge { target: options.target.clone(), keys, publish, admin };
    let mut running = bridge.start(application, parts).await?;
    if !options.quiet {
        let screen = format!(
            "{} {} is bridged\n\n  target       {}\n  publish      http://{published}  (events_url)\n  \
             operators    http://{administered}  (/metrics /events /dlq /consumers)\n",
            application.name, application.version, options.target
        );
        // A closed standard output is no reason to stop delivering.
        let _closed = std::io::stdout().write_all(screen.as_bytes());
    }
    let outcome = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        what = running.failed() => Err(anyhow::anyhow!("deliveries stopped by themselves ({what}): please report this")),
    };
    tracing::info!("stopping: what is under way may end");
    running.shutdown(DRAIN).await?;
    outcome
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another program there? stop it, or take another address with {flag}")
    })
}
