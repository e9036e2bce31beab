//! Vendored WIT is what upstream has, but for its comments and the line that names the package.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests")]

use artifacts::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ours, and the same below the WIT folder of `spin-sdk`, which carries what Spin itself offers.
const VENDORED: [(&str, &str); 6] = [
    ("wit/deps/keyvalue/store.wit", "keyvalue-2024-10-17/store.wit"),
    ("wit/deps/keyvalue/atomic.wit", "keyvalue-2024-10-17/atomic.wit"),
    ("wit/deps/keyvalue/batch.wit", "keyvalue-2024-10-17/batch.wit"),
    ("host-bridge/wit/deps/spin/key-value.wit", "spin@2.0.0/key-value.wit"),
    ("host-bridge/wit/deps/spin/variables.wit", "spin@2.0.0/variables.wit"),
    ("host-bridge/wit/deps/config/store.wit", "wasi-runtime-config-2024-09-27/store.wit"),
];

/// Where cargo keeps the source of `spin-sdk`.
fn upstream() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "wasm32-wasip2"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let sdk = packages.find(|package| package["name"] == "spin-sdk").unwrap();
    Path::new(sdk["manifest_path"].as_str().unwrap()).parent().unwrap().join("wit/deps")
}

/// The words of a WIT file, without comments and without the package's name.
fn words(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let lines = lines.filter(|line| !line.starts_with("package "));
    lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

#[test]
fn vendored_interfaces_are_those_of_upstream() {
    let upstream = upstream();
    for (ours, theirs) in VENDORED {
        assert_eq!(words(&workspace().join(ours)), words(&upstream.join(theirs)), "{ours}");
    }
}
