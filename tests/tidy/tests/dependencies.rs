//! Rules about dependencies: none is named that nobody uses, and the host has the same ones alone and among the tests.
#![allow(clippy::unwrap_used, reason = "for tests")]

use std::collections::BTreeSet;
use std::process::Command;
use tidy::{Source, sources};

/// The manifests of the workspace. A peer of the bench is a workspace of its own, with versions of its own.
fn manifests() -> Vec<Source> {
    let elsewhere = |source: &Source| source.path.starts_with("tests/bench/peers/");
    sources(&["toml"]).into_iter().filter(|it| it.path.ends_with("Cargo.toml") && !elsewhere(it)).collect()
}

/// Names under the tables of a manifest whose name ends with `dependencies`, those of targets included.
fn named(manifest: &toml::Table, found: &mut BTreeSet<String>) {
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            found.extend(table.keys().cloned());
        } else if key != "workspace" {
            named(table, found);
        }
    }
}

#[test]
fn every_dependency_of_the_workspace_is_one_of_a_member() {
    let mut used = BTreeSet::new();
    let mut offered = BTreeSet::new();
    for source in manifests() {
        let manifest: toml::Table = source.text.parse().unwrap();
        named(&manifest, &mut used);
        if let Some(workspace) = manifest.get("workspace") {
            offered.extend(workspace["dependencies"].as_table().unwrap().keys().cloned());
        }
    }
    assert!(offered.len() > 40, "only {offered:?} found");
    let idle: Vec<_> = offered.difference(&used).collect();
    assert!(idle.is_empty(), "the workspace names these, and no member uses them: {idle:?}");
}

#[test]
fn versions_are_in_one_place() {
    for source in manifests().iter().filter(|source| source.path.contains('/')) {
        let members = source.text.lines().skip_while(|line| !line.contains("dependencies]"));
        let own: Vec<_> = members.filter(|line| line.contains("version =") && !line.trim().starts_with('#')).collect();
        assert!(own.is_empty(), "{}: versions are in the workspace's Cargo.toml: {own:?}", source.path);
    }
}

/// Packages with their features, as `cargo tree` resolves them for `whom`.
fn resolved(whom: &[&str]) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(artifacts::workspace()).args(["tree", "--offline", "--prefix", "none", "--format", "{p} [{f}]"]);
    let output = tree.args(whom).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

/// Otherwise the README's second command builds Wasmtime once more.
#[test]
fn the_host_alone_has_the_dependencies_it_has_among_the_tests() {
    let alone = resolved(&["-p", "a4co-host", "--edges", "normal,build"]);
    let among = resolved(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(alone.len() > 200, "only {alone:?}");
    let others: Vec<_> = alone.difference(&among).filter(|package| !package.starts_with("a4co-host ")).collect();
    assert!(others.is_empty(), "add the missing features to host-bridge/Cargo.toml: {others:?}");
}
