//! What the figures were measured on: no figure without it.

use serde_json::{Value, json};
use std::process::Command;

/// Machine, versions and commit.
pub fn describe() -> Value {
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": cpu_model(),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "a4co": env!("CARGO_PKG_VERSION"),
        "wasmtime": locked("wasmtime"),
        "sqlite": rusqlite::version(),
        "commit": commit(),
        "durability": "SQLite WAL, synchronous=FULL; an answer leaves once it is on disk",
    })
}

/// The load averages of 1, 5 and 15 minutes: what else the machine had to do.
pub fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn cpu_model() -> String {
    let info = read("/proc/cpuinfo");
    let line = info.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or_else(|| std::env::consts::ARCH.to_owned(), |line| line.trim_start_matches([' ', '\t', ':']).to_owned())
}

/// The version of a package in the workspace's lock file.
pub fn locked(package: &str) -> String {
    let lock = read(&artifacts::workspace().join("Cargo.lock").to_string_lossy());
    let lock: toml::Table = lock.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let found = packages.iter().find(|one| one.get("name").and_then(toml::Value::as_str) == Some(package));
    found.and_then(|one| one.get("version")?.as_str()).unwrap_or("?").to_owned()
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(artifacts::workspace()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "?".to_owned() };
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    if changed { format!("{commit} with changes") } else { commit }
}
