//! What is measured: the host, or the native baseline, as a process on free ports with a state directory of its own.

use crate::client::Connection;
use crate::options::Options;
use crate::process::{self, Running};
use anyhow::{Context as _, Result, bail};
use artifacts::free_address;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start may take: the components may have to be compiled.
const START: Duration = Duration::from_secs(120);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `a4co up`.
    Host,
    /// The same components as plain Rust.
    Native,
}

impl Kind {
    /// For the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "a4co",
            Self::Native => "native",
        }
    }
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Target {
    /// Where the application is served.
    pub listen: SocketAddr,
    /// Where the host's operators are served.
    pub admin: SocketAddr,
    /// From the start of the process until it was ready.
    pub started_in: Duration,
    state: PathBuf,
    child: Running,
}

impl Target {
    /// Starts one of the two on the marketplace.
    ///
    /// # Errors
    /// Where it does not become ready; its log is in the message.
    pub async fn start(options: &Options, kind: Kind, state: &TempDir) -> Result<Self> {
        Self::start_on(options, kind, &options.manifest, state.path()).await
    }

    /// Starts one of the two on any manifest.
    ///
    /// # Errors
    /// As [`Target::start`].
    pub async fn start_on(options: &Options, kind: Kind, manifest: &Path, state: &Path) -> Result<Self> {
        let (listen, admin) = (free_address(), free_address());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(state.join("log"))?;
        let mut command = match kind {
            Kind::Host => host(options, admin),
            Kind::Native => native()?,
        };
        command.arg("--manifest").arg(manifest).args(["--listen", &listen.to_string()]);
        command.arg("--state-dir").arg(state.join("state"));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let began = Instant::now();
        let child = Running::spawn(&mut command)?;
        let mut target = Self { listen, admin, started_in: Duration::ZERO, state: state.to_owned(), child };
        target.ready(kind, began).await?;
        target.started_in = began.elapsed();
        Ok(target)
    }

    async fn ready(&mut self, kind: Kind, began: Instant) -> Result<()> {
        let address = if kind == Kind::Host { self.admin } else { self.listen };
        while began.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}:\n{}", self.log());
            }
            if let Ok(mut connection) = Connection::open(address).await
                && let Ok(reply) = connection.get("/readyz").await
                && (reply.status == 200 || kind == Kind::Native)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("it was not ready after {START:?}:\n{}", self.log())
    }

    /// All it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.state.join("log")).unwrap_or_default()
    }

    /// CPU time so far, in microseconds.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn cpu_micros(&self) -> Result<u64> {
        process::cpu_micros(self.child.id())
    }

    /// Resident memory in MiB.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn resident_mib(&self) -> Result<f64> {
        process::resident_mib(self.child.id())
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// Where it does not.
    pub fn stop(mut self) -> Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

fn host(options: &Options, admin: SocketAddr) -> Command {
    let mut command = Command::new(&options.host);
    command.args(["up", "--quiet", "--admin-listen", &admin.to_string()]);
    command.arg("--cache-dir").arg(&options.cache);
    command
}

fn native() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program's path")?);
    command.arg("serve-native");
    Ok(command)
}
