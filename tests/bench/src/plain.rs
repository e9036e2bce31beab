//! Plain HTTP: one component that answers every request with the same text, served by our host and by `wasmtime serve`, with
//! an instance a request and with instances used again; beside them axum with that text.

use crate::options::Options;
use crate::process::{self, Running};
use crate::reads::sustained;
use crate::report::Report;
use crate::target::{Kind, Target};
use crate::{floor, machine};
use anyhow::{Context as _, Result, ensure};
use artifacts::free_address;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Requests an instance serves: one each, and as many as make the start of an instance no matter.
const REUSE: [u32; 2] = [1, 1_000];

/// One round: each contender in turn.
///
/// # Errors
/// Where one does not start, or does not answer.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let wasm = artifacts::workspace().join("target/wasm32-wasip2/guest/guest_plain.wasm");
    let program = wasmtime()?;
    for reuse in REUSE {
        let instances = if reuse == 1 { "an instance a request" } else { &format!("{reuse} requests an instance") };
        let own = ours(options, report, &wasm, reuse, &format!("a4co, {instances}")).await?;
        let (server, listen) = serve(&program, &wasm, reuse).await?;
        let name = format!("wasmtime serve, {instances}");
        let theirs = one(options, report, &name, listen, || process::cpu_micros(server.id())).await?;
        report.value(&format!("requests a second, of wasmtime serve's, {instances}"), own / theirs, "×");
    }
    let (server, listen) = floor::server().await?;
    one(options, report, "axum, native", listen, || process::cpu_micros(server.id())).await?;
    Ok(())
}

async fn ours(options: &Options, report: &mut Report, wasm: &Path, reuse: u32, name: &str) -> Result<f64> {
    let state = tempfile::tempdir()?;
    let target = Target::start_on(options, Kind::Host, &manifest(&state, wasm, reuse)?, state.path()).await?;
    let rate = one(options, report, name, target.listen, || target.cpu_micros()).await?;
    target.stop()?;
    Ok(rate)
}

/// The peer with the component, and where it listens.
async fn serve(program: &Path, wasm: &Path, reuse: u32) -> Result<(Running, SocketAddr)> {
    let listen = free_address();
    let mut command = Command::new(program);
    command.args(["serve", "-Scli", "--addr", &listen.to_string()]);
    command.args(["--max-instance-reuse-count", &reuse.to_string()]).arg(wasm);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok((Running::serving(&mut command, listen).await?, listen))
}

async fn one(
    options: &Options,
    report: &mut Report,
    name: &str,
    listen: SocketAddr,
    cpu: impl Fn() -> Result<u64>,
) -> Result<f64> {
    let path = || "/".to_owned();
    let served = sustained(listen, path, options.duration, cpu).await.with_context(|| format!("asking {name}"))?;
    report.value(&format!("{name}: requests"), served.rate, "/s");
    report.value(&format!("{name}: CPU a request"), served.cpu, "µs");
    Ok(served.rate)
}

/// An application of the component alone.
fn manifest(folder: &TempDir, wasm: &Path, reuse: u32) -> Result<PathBuf> {
    let text = format!(
        r#"spin_manifest_version = 2

[application]
name = "plain"
version = "0.1.0"

[[trigger.http]]
route = "/..."
component = "plain"

[component.plain]
source = "{}"

[component.plain.tool.host]
reuse_http = {reuse}
"#,
        wasm.display()
    );
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// The peer's program, of the Wasmtime that our host is built on; built from its crate where it is not there yet.
fn wasmtime() -> Result<PathBuf> {
    let version = machine::locked("wasmtime");
    let root = artifacts::workspace().join(format!("target/peers/wasmtime-{version}"));
    let program = root.join("bin/wasmtime");
    if !program.is_file() {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "wasmtime-cli", "--locked", "--quiet", "--no-default-features", "--version", &version]);
        cargo.args(["--features", "run,serve,compile,parallel-compilation,pooling-allocator,component-model-async"]);
        cargo.arg("--root").arg(&root).env("CARGO_TARGET_DIR", root.join("build"));
        let output = cargo.output().with_context(|| format!("{cargo:?}"))?;
        ensure!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(program)
}
