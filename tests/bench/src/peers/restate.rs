//! Restate: its server from npm, one node with its defaults (each log write flushed, which is said explicitly), and the
//! saga served by one of its SDKs.

use super::purchase::{PRODUCTS, STOCK, two_products};
use crate::client::Connection;
use crate::orders::{Bought, Pace, Shop};
use crate::process::{self, Running};
use anyhow::{Context as _, Result, bail, ensure};
use artifacts::free_address;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);

/// Which of its SDKs serves the saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// `saga.mjs`.
    JavaScript,
    /// `rust/`.
    Rust,
}

/// A running server with the saga. Dropping it kills both processes.
#[derive(Debug)]
pub struct Restate {
    ingress: SocketAddr,
    server: Running,
    service: Running,
    _state: TempDir,
}

impl Restate {
    /// Starts both, and stocks the shelves.
    ///
    /// # Errors
    /// Where something is missing or does not start; the end of its log is in the message.
    pub async fn start(sdk: Sdk) -> Result<Self> {
        let mut command = service(sdk)?;
        let state = tempfile::tempdir()?;
        let (node, admin, ingress, served) = (free_address(), free_address(), free_address(), free_address());
        command.env("PORT", served.port().to_string());
        let service = spawn(&mut command, &state.path().join("service.log"))?;
        let mut command = Command::new(program()?);
        command.args(["--no-logo", "--base-dir"]).arg(state.path().join("data"));
        for (name, value) in [
            ("RESTATE_LISTEN_MODE", "tcp".to_owned()),
            ("RESTATE_BIND_PORT", node.port().to_string()),
            ("RESTATE_ADMIN__BIND_PORT", admin.port().to_string()),
            ("RESTATE_INGRESS__BIND_PORT", ingress.port().to_string()),
            ("RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC", "false".to_owned()),
            ("RESTATE_DISABLE_TELEMETRY", "true".to_owned()),
        ] {
            command.env(name, value);
        }
        let log = state.path().join("server.log");
        let server = spawn(&mut command, &log)?;
        let restate = Self { ingress, server, service, _state: state };
        let deployment = format!(r#"{{"uri":"http://{served}"}}"#);
        ready(admin, "/deployments", &deployment, &log).await?;
        restate.stock(&log).await?;
        Ok(restate)
    }

    async fn stock(&self, log: &Path) -> Result<()> {
        for product in 0..PRODUCTS {
            ready(self.ingress, &format!("/Stock/product-{product}/restock"), &STOCK.to_string(), log).await?;
        }
        Ok(())
    }

    /// Ends both.
    ///
    /// # Errors
    /// Where one has ended by itself before: its figures would be of something else. Where the server is still there
    /// afterwards: it would slow down whoever is measured next.
    pub fn stop(mut self) -> Result<()> {
        for (name, process) in [("the server", &mut self.server), ("the service", &mut self.service)] {
            ensure!(process.try_wait()?.is_none(), "{name} of Restate ended while it was measured");
        }
        let ingress = self.ingress;
        drop(self);
        ensure!(std::net::TcpStream::connect(ingress).is_err(), "a server of Restate still listens on {ingress}");
        Ok(())
    }
}

impl Shop for Restate {
    fn address(&self) -> SocketAddr {
        self.ingress
    }

    fn cpu_micros(&self) -> Result<u64> {
        Ok(process::cpu_micros(self.server.id())? + process::cpu_micros(self.service.id())?)
    }

    /// The answer comes when the saga has ended: nobody has to look.
    async fn buy(&self, connection: &mut Connection, _: Pace) -> Result<Bought> {
        let (first, second) = two_products();
        let id = uuid::Uuid::now_v7();
        let order = format!(
            r#"{{"orderId":"{id}","items":[{{"productId":"product-{first}","quantity":1}},{{"productId":"product-{second}","quantity":1}}],"amount":3400,"method":"tok_ok"}}"#
        );
        let began = Instant::now();
        let reply = connection.post("/Saga/place", order).await?;
        ensure!(reply.status == 200 && reply.text() == "\"confirmed\"", "{} {}", reply.status, reply.text());
        Ok(Bought { took: began.elapsed(), polls: 0 })
    }
}

/// Posts until it is taken: a server that starts refuses for a while.
async fn ready(address: SocketAddr, path: &str, body: &str, log: &Path) -> Result<()> {
    let began = Instant::now();
    let mut last = String::new();
    while began.elapsed() < START {
        match post(address, path, body).await {
            Ok(()) => return Ok(()),
            Err(error) => last = format!("{error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let end: Vec<&str> = said.lines().rev().take(5).collect();
    bail!("Restate does not take POST {path}: {last}\n{}", end.join("\n"))
}

async fn post(address: SocketAddr, path: &str, body: &str) -> Result<()> {
    let reply = Connection::open(address).await?.post(path, body.to_owned()).await?;
    ensure!((200..300).contains(&reply.status), "{} {}", reply.status, reply.text());
    Ok(())
}

fn spawn(command: &mut Command, log: &Path) -> Result<Running> {
    let file = std::fs::File::create(log)?;
    Running::spawn(command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file))
}

fn folder() -> PathBuf {
    artifacts::workspace().join("tests/bench/peers")
}

/// The server's program itself. What npm puts into `.bin` is a parent of it, which dies alone and whose CPU time says nothing.
fn program() -> Result<PathBuf> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "linux-x64",
        "aarch64" => "linux-arm64",
        other => bail!("npm has no server of Restate for Linux on {other}"),
    };
    let path = folder().join(format!("node_modules/@restatedev/restate-server-{machine}/bin/restate-server"));
    ensure!(path.is_file(), "{} is not there: remove node_modules beside it and run again", path.display());
    Ok(path)
}

/// What serves the saga, installed or built where it is not yet.
fn service(sdk: Sdk) -> Result<Command> {
    if !folder().join("node_modules/.bin/restate-server").exists() {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder()))?;
    }
    match sdk {
        Sdk::JavaScript => {
            let mut node = Command::new("node");
            node.arg("saga.mjs").current_dir(folder()).env("NODE_ENV", "production");
            Ok(node)
        }
        Sdk::Rust => {
            let target = artifacts::workspace().join("target/peers");
            let (source, built) = (folder().join("rust"), target.join("release/restate-saga"));
            // Asked before every round: a build waits for whoever else builds.
            if !["src/main.rs", "Cargo.lock"].iter().all(|file| is_newer(&built, &source.join(file))) {
                let mut cargo = Command::new("cargo");
                cargo.args(["build", "--release", "--locked", "--quiet"]).current_dir(source);
                run(cargo.env("CARGO_TARGET_DIR", &target))?;
            }
            Ok(Command::new(built))
        }
    }
}

fn is_newer(built: &Path, source: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    changed(built).zip(changed(source)).is_some_and(|(built, source)| built > source)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}: is it installed?"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
