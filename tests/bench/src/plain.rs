//! Plain HTTP: one component that answers every request with the same text, served by our host and by `wasmtime serve`, with
//! an instance a request and with instances used again; beside them axum with that text.

use crate::floor;
use crate::options::Options;
use crate::process::{self, Running};
use crate::reads::read;
use crate::report::Report;
use crate::target::{Kind, Target};
use anyhow::{Context as _, Result, ensure};
use artifacts::free_address;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Load before the figures count.
const WARM_UP: Duration = Duration::from_secs(1);
/// Longest of each: a rate is steady soon.
const LONGEST: Duration = Duration::from_secs(8);
/// Requests an instance serves: one each, and as many as make the start of an instance no matter.
const REUSE: [u32; 2] = [1, 1_000];
/// The peer's release: of the Wasmtime that our host is built on.
const WASMTIME: &str = "48.0.8";

/// One round: each contender in turn.
///
/// # Errors
/// Where one does not start, or does not answer.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let wasm = artifacts::workspace().join("target/wasm32-wasip2/guest/guest_plain.wasm");
    let wasmtime = wasmtime()?;
    for reuse in REUSE {
        let instances =
            if reuse == 1 { "an instance a request".to_owned() } else { format!("{reuse} requests an instance") };
        let own = {
            let state = tempfile::tempdir()?;
            let target = Target::start_on(options, Kind::Host, &manifest(&state, &wasm, reuse)?, state.path()).await?;
            let rate =
                one(options, report, &format!("a4co, {instances}"), target.listen, || target.cpu_micros()).await?;
            target.stop()?;
            rate
        };
        let listen = free_address();
        let mut command = Command::new(&wasmtime);
        command.args([
            "serve",
            "-Scli",
            "--addr",
            &listen.to_string(),
            "--max-instance-reuse-count",
            &reuse.to_string(),
        ]);
        command.arg(&wasm).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Running::serving(&mut command, listen).await?;
        let cpu = || process::cpu_micros(server.id());
        let theirs = one(options, report, &format!("wasmtime serve, {instances}"), listen, cpu).await?;
        report.value(&format!("requests a second, of wasmtime serve's, {instances}"), own / theirs, "×");
    }
    let (server, listen) = floor::server().await?;
    one(options, report, "axum, native", listen, || process::cpu_micros(server.id())).await?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
async fn one(
    options: &Options,
    report: &mut Report,
    name: &str,
    listen: SocketAddr,
    cpu: impl Fn() -> Result<u64>,
) -> Result<f64> {
    let path = || "/".to_owned();
    read(listen, path, WARM_UP).await.with_context(|| format!("asking {name}"))?;
    let (before, duration) = (cpu()?, options.duration.min(LONGEST));
    let requests = read(listen, path, duration).await.with_context(|| format!("asking {name}"))?;
    let rate = requests as f64 / duration.as_secs_f64();
    report.value(&format!("{name}: requests"), rate, "/s");
    report.value(&format!("{name}: CPU a request"), cpu()?.saturating_sub(before) as f64 / requests as f64, "µs");
    Ok(rate)
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

/// The peer's program, built from its crate where it is not there yet.
fn wasmtime() -> Result<PathBuf> {
    let root = artifacts::workspace().join(format!("target/peers/wasmtime-{WASMTIME}"));
    let program = root.join("bin/wasmtime");
    if !program.is_file() {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "wasmtime-cli", "--locked", "--quiet", "--no-default-features", "--version", WASMTIME]);
        cargo.args(["--features", "run,serve,compile,parallel-compilation,pooling-allocator,component-model-async"]);
        cargo.arg("--root").arg(&root).env("CARGO_TARGET_DIR", root.join("build"));
        let output = cargo.output().with_context(|| format!("{cargo:?}"))?;
        ensure!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(program)
}
