//! `[[trigger.http]]` and what else stands under `trigger`.

use super::application::Route;
use super::problem::nearest;
use super::reader::{Fields, Node};
use std::collections::BTreeMap;

/// Reads the triggers; `components` are the ids there are.
pub(super) fn read(document: &Fields<'_>, components: &[&str]) -> Vec<Route> {
    let Some(triggers) =
        document.require("trigger", "[[trigger.http]] with a route and a component").and_then(|n| n.table())
    else {
        return Vec::new();
    };
    let mut routes = Vec::new();
    let mut taken = BTreeMap::new();
    for (kind, node) in triggers.entries() {
        if kind != "http" {
            node.warn("this host runs HTTP triggers only; these are left to Spin");
            continue;
        }
        for trigger in node.list() {
            routes.extend(trigger.table().and_then(|fields| read_one(&fields, components, &mut taken)));
        }
    }
    routes
}

fn read_one(fields: &Fields<'_>, components: &[&str], taken: &mut BTreeMap<String, String>) -> Option<Route> {
    fields.only(&["id", "route", "component", "executor", "components", "dependencies"]);
    for key in ["components", "dependencies"] {
        if let Some(node) = fields.get(key).filter(|node| !node.is_empty()) {
            node.fault("composed triggers are not supported by this host", "compose the component when it is built");
        }
    }
    check_executor(fields);
    let component = read_component(fields, components);
    let pattern = read_route(&fields.require("route", "route = \"/path\" or route = { private = true }")?)?;
    let component = component?;
    if let (Some(pattern), Some(node)) = (&pattern, fields.get("route"))
        && let Some(other) = taken.insert(shape(pattern), component.clone())
    {
        node.value_fault(
            format!("`{pattern}` is taken already, by component `{other}`"),
            "give each route to one component",
        );
    }
    Some(Route { pattern, component })
}

fn check_executor(fields: &Fields<'_>) {
    let Some(kind) = fields.table("executor").and_then(|executor| executor.get("type")) else { return };
    if kind.string().is_some_and(|kind| kind != "spin" && kind != "http") {
        kind.value_fault("this host runs components of wasi:http only", "leave `executor` out");
    }
}

fn read_component(fields: &Fields<'_>, components: &[&str]) -> Option<String> {
    let node = fields.require("component", "component = \"<id>\"")?;
    if !node.is_string() {
        node.value_fault("a component is named here, not described", "move it to [component.<id>] and write its id");
        return None;
    }
    let id = node.string()?;
    if !components.contains(&id) {
        let remedy = match nearest(id, components.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", components.join(", ")),
        };
        node.value_fault(format!("there is no component `{id}`"), remedy);
    }
    Some(id.to_owned())
}

/// The pattern, or `Some(None)` for a private one.
fn read_route(node: &Node<'_>) -> Option<Option<String>> {
    if !node.is_string() {
        let fields = node.table()?;
        fields.only(&["private"]);
        let private = fields.require("private", "private = true")?;
        if !private.boolean()? {
            private.value_fault("a route is private or has a path", "write route = \"/path\", or private = true");
        }
        return Some(None);
    }
    let pattern = node.string()?;
    if let Err((what, remedy)) = check_pattern(pattern) {
        node.value_fault(format!("`{pattern}` is not a route: {what}"), remedy);
        return None;
    }
    Some(Some(pattern.to_owned()))
}

fn check_pattern(pattern: &str) -> Result<(), (&'static str, &'static str)> {
    let Some(path) = pattern.strip_prefix('/') else {
        return Err(("it does not begin with `/`", "write \"/path\""));
    };
    if pattern.contains("//") {
        return Err(("it has an empty segment", "write one `/` between two segments"));
    }
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment == "..." && segments.peek().is_some() {
            return Err(("`...` is not at its end", "put `/...` last: it takes the rest of the path"));
        }
        if segment == ":" {
            return Err(("a segment has no name after `:`", "write `:id`"));
        }
        if segment != "..." && segment.contains("...") {
            return Err(("`...` is not a whole segment", "write `/...`"));
        }
        if segment.contains(['?', '#', '*', ' ']) {
            return Err(("it has a character that no path has", "a route is a path: no query, no `*`"));
        }
    }
    Ok(())
}

/// The pattern without the names of its segments and a last slash: two of one shape take the same requests.
fn shape(pattern: &str) -> String {
    let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
    let segments: Vec<&str> = pattern.split('/').map(|s| if s.starts_with(':') { ":" } else { s }).collect();
    segments.join("/")
}
