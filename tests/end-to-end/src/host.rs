//! The host as a process: started, waited for, killed, started again on the same state.

use crate::{Client, eventually};
use anyhow::{Context as _, Result, ensure};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How a host is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The manifest; the marketplace's where there is none.
    pub manifest: Option<PathBuf>,
    /// `--variable name=value`.
    pub variables: Vec<(String, String)>,
    /// Environment.
    pub environment: Vec<(String, String)>,
    /// Further arguments of `a4co up`.
    pub arguments: Vec<String>,
}

impl Settings {
    /// The same with a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running host. Dropping it kills it.
#[derive(Debug)]
pub struct Host {
    settings: Settings,
    state: TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
    child: Child,
}

impl Host {
    /// Starts the marketplace on a new state directory and waits until it is ready.
    ///
    /// # Errors
    /// Where it does not become ready; its log is in the message.
    pub async fn start(settings: Settings) -> Result<Self> {
        let state = tempfile::tempdir().context("a state directory")?;
        let (listen, admin) = (free_address()?, free_address()?);
        let child = spawn(&settings, state.path(), listen, admin)?;
        let host = Self { settings, state, listen, admin, child };
        host.ready().await?;
        Ok(host)
    }

    /// The public listener.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(format!("http://{}", self.listen))
    }

    /// The public listener's address.
    #[must_use]
    pub fn client_address(&self) -> String {
        self.listen.to_string()
    }

    /// The admin listener.
    #[must_use]
    pub fn admin(&self) -> Client {
        Client::new(format!("http://{}", self.admin))
    }

    /// The admin listener's URL, for the command line.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs `a4co` against it, as an operator does; standard output.
    ///
    /// # Errors
    /// Where the command fails; what it said is in the message.
    pub fn operate(&self, arguments: &[&str]) -> Result<String> {
        let output =
            Command::new(artifacts::binary("a4co")).args(arguments).args(["--admin", &self.admin_url()]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "a4co {arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// All it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.state.path().join("host.log")).unwrap_or_default()
    }

    /// `kill -9`, and waits for the end.
    ///
    /// # Errors
    /// Where it had ended by itself before.
    pub fn kill(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the host had ended by itself:\n{}", self.log());
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop and waits until it has drained.
    ///
    /// # Errors
    /// Where it does not end, or not cleanly.
    pub async fn stop(&mut self) -> Result<()> {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(killed.success(), "the host had ended by itself:\n{}", self.log());
        let status = eventually("the host stops", async || self.child.try_wait().ok().flatten()).await?;
        ensure!(status.success(), "the host ended with {status}:\n{}", self.log());
        Ok(())
    }

    /// Starts it again on the same state and addresses.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.settings, self.state.path(), self.listen, self.admin)?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        let admin = self.admin();
        let ready = eventually("the host is ready", async || {
            admin.get("/readyz").await.ok().filter(|reply| reply.status == 200).map(|_| ())
        });
        ready.await.with_context(|| self.log())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _may_be_gone = self.child.wait();
    }
}

fn spawn(settings: &Settings, state: &Path, listen: SocketAddr, admin: SocketAddr) -> Result<Child> {
    let manifest = settings.manifest.clone().unwrap_or_else(artifacts::marketplace);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(state.join("host.log"))?;
    let mut command = Command::new(artifacts::binary("a4co"));
    command
        .arg("up")
        .arg("--manifest")
        .arg(manifest)
        .args(["--listen", &listen.to_string(), "--admin-listen", &admin.to_string()])
        .arg("--state-dir")
        .arg(state.join("state"))
        .arg("--cache-dir")
        .arg(artifacts::workspace().join("target/tmp/compiled"))
        .args(&settings.arguments)
        .envs(settings.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    for (name, value) in &settings.variables {
        command.arg("--variable").arg(format!("{name}={value}"));
    }
    command.spawn().context("starting a4co")
}

/// An address nobody listens on. Another process could take it before we do; tests would say so.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
