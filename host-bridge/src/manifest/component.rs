//! `[component.<id>]`.

use super::application::{Build, Component, Events, Limits};
use super::reader::{Fields, Node};
use super::variables::{Variables, check_name};
use super::{events, limits};
use crate::bus::StreamConfig;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What Spin's manifest, version 2, knows of a component.
const KEYS: [&str; 17] = [
    "description",
    "source",
    "variables",
    "environment",
    "key_value_stores",
    "allowed_outbound_hosts",
    "build",
    "tool",
    "targets",
    "profile",
    "allowed_http_hosts",
    "files",
    "exclude_files",
    "sqlite_databases",
    "ai_models",
    "dependencies",
    "dependencies_inherit_configuration",
];

/// What Spin has and this host has not. A component that was granted one would fail at its first use, so it is refused.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("allowed_http_hosts", "write allowed_outbound_hosts, with the scheme in each entry"),
    ("files", "embed what the component needs in its .wasm (`include_bytes!`)"),
    ("sqlite_databases", "keep the state in a key-value store (key_value_stores)"),
    ("ai_models", "call a model over HTTP (allowed_outbound_hosts)"),
    ("dependencies", "compose the component when it is built (`wac plug`)"),
];

/// What a component's reading needs besides its table.
pub(super) struct Context<'a> {
    pub(super) root: &'a Path,
    pub(super) variables: &'a Variables,
    pub(super) streams: &'a [StreamConfig],
}

/// Reads one component.
pub(super) fn read(id: &str, node: &Node<'_>, context: &Context<'_>) -> Option<Component> {
    let fields = node.table()?;
    fields.only(&KEYS);
    check_id(id, node);
    check_unsupported(&fields);
    let tool = fields.table("tool");
    let source = read_source(&fields, context.root);
    let component = Component {
        id: id.to_owned(),
        source: PathBuf::new(),
        build: fields.table("build").and_then(|build| read_build(&build, context.root)),
        key_value_stores: stores(&fields),
        allowed_outbound_hosts: hosts(&fields, context.variables),
        variables: filled(&fields, context.variables),
        environment: environment(&fields),
        events: tool.as_ref().and_then(|tool| tool.table("events")).map(|table| read_events(&table, context)),
        limits: tool
            .as_ref()
            .and_then(|tool| tool.table("host"))
            .map_or_else(Limits::default, |table| limits::read(&table)),
    };
    Some(Component { source: source?, ..component })
}

fn read_events(table: &Fields<'_>, context: &Context<'_>) -> Events {
    events::component(table, context.streams)
}

/// The id becomes a host name (`<id>.spin.internal`) and part of keys.
fn check_id(id: &str, node: &Node<'_>) {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.split('-').all(word) {
        node.fault("not a component's id", "use lower case, digits and single `-`: gateway-sandbox");
    }
    if id == "events" {
        node.fault("the id `events` is taken: http://events.spin.internal/ publishes events", "choose another id");
    }
}

fn check_unsupported(fields: &Fields<'_>) {
    for (key, remedy) in UNSUPPORTED {
        if let Some(node) = fields.get(key).filter(|node| !node.is_empty()) {
            node.fault("not supported by this host", remedy);
        }
    }
}

fn read_source(fields: &Fields<'_>, root: &Path) -> Option<PathBuf> {
    let node = fields.require("source", "source = \"path/to/component.wasm\"")?;
    if !node.is_string() {
        node.value_fault(
            "a component from a URL or a registry is not supported by this host",
            "download it and write its path: source = \"path/to/component.wasm\"",
        );
        return None;
    }
    let source = node.string()?;
    if source.is_empty() {
        node.value_fault("the path is empty", "write the path of the .wasm file");
        return None;
    }
    Some(root.join(source))
}

fn read_build(build: &Fields<'_>, root: &Path) -> Option<Build> {
    build.only(&["command", "workdir", "watch"]);
    let command = build.require("command", "command = \"cargo build --target wasm32-wasip2 --release\"")?;
    let commands: Vec<String> = if command.is_string() {
        command.string().map(str::to_owned).into_iter().collect()
    } else {
        command.strings().into_iter().map(|(_, text)| text.to_owned()).collect()
    };
    if commands.iter().all(|command| command.trim().is_empty()) {
        command.value_fault("there is no command", "write the command that builds the component");
    }
    let workdir = build.get("workdir").and_then(|node| node.string());
    Some(Build { commands, workdir: workdir.map_or_else(|| root.to_owned(), |workdir| root.join(workdir)) })
}

fn stores(fields: &Fields<'_>) -> Vec<String> {
    let Some(node) = fields.get("key_value_stores") else { return Vec::new() };
    let labels = node.strings();
    for (place, label) in &labels {
        if label.is_empty()
            || label.len() > 64
            || !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            place.value_fault(format!("{label:?} is not a store's label"), "use letters, digits, `-` and `_`: default");
        }
    }
    labels.into_iter().map(|(_, label)| label.to_owned()).collect()
}

fn hosts(fields: &Fields<'_>, variables: &Variables) -> Vec<String> {
    let Some(node) = fields.get("allowed_outbound_hosts") else { return Vec::new() };
    let mut hosts = Vec::new();
    for place in node.list() {
        let Some(host) = variables.fill(&place) else { continue };
        let authority = host.split_once("://").map(|(scheme, rest)| (!scheme.is_empty(), rest.trim_end_matches('/')));
        if !authority.is_some_and(|(scheme, rest)| scheme && !rest.is_empty() && !rest.contains('/')) {
            place.value_fault(
                format!("`{host}` is not an outbound host"),
                "write (scheme)://(host)[:port], such as \"https://api.example.com\" or \"http://inventory.spin.internal\"",
            );
        }
        hosts.push(host);
    }
    hosts
}

fn filled(fields: &Fields<'_>, variables: &Variables) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, node) in fields.table("variables").iter().flat_map(Fields::entries) {
        check_name(name, &node);
        values.extend(variables.fill(&node).map(|value| (name.to_owned(), value)));
    }
    values
}

fn environment(fields: &Fields<'_>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, node) in fields.table("environment").iter().flat_map(Fields::entries) {
        values.extend(node.string().map(|value| (name.to_owned(), value.to_owned())));
    }
    values
}
