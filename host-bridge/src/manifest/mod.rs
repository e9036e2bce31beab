//! `spin.toml`: read, checked, resolved. Every fault names file, line, column and key, and what would be right.

mod application;
mod component;
mod events;
mod limits;
pub mod measure;
mod problem;
mod reader;
mod routes;
mod stores;
#[cfg(test)]
mod tests;
mod variables;

pub use application::{Application, Build, Component, Events, Limits, Route, Subscription, is_reserved};
pub use problem::{ManifestError, Problem};
pub use variables::Given;

use component::Context;
use reader::{Fields, Sheet};
use std::path::Path;
use toml::de::DeTable;
use variables::Variables;

/// Reads and checks the manifest at `path`; `given` holds the variables' values from outside.
///
/// # Errors
/// Where the file cannot be read, or lists every fault found in it.
pub fn load(path: &Path, given: &Given) -> Result<Application, ManifestError> {
    let unreadable = |error| ManifestError::Unreadable { file: path.to_owned(), error };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(path, &text, given)
}

/// As [`load`], from the text of the manifest; `path` says where it lies.
///
/// # Errors
/// Lists every fault found.
pub fn parse(path: &Path, text: &str, given: &Given) -> Result<Application, ManifestError> {
    let sheet = Sheet::new(text);
    let document = DeTable::parse(text);
    let application = match &document {
        Ok(document) => read(path, &Fields::document(&sheet, document.get_ref()), given),
        Err(error) => {
            let at = error.span().unwrap_or(0..0);
            sheet.fault(
                at,
                "",
                format!("not TOML: {}", error.message()),
                "see https://toml.io for what may stand here".into(),
            );
            None
        }
    };
    let (problems, warnings) = sheet.findings();
    match application {
        Some(application) if problems.is_empty() => Ok(Application { warnings, ..application }),
        _ => Err(ManifestError::Invalid { file: path.to_owned(), problems }),
    }
}

fn read(path: &Path, document: &Fields<'_>, given: &Given) -> Option<Application> {
    document.only(&["spin_manifest_version", "application", "variables", "trigger", "component"]);
    check_version(document);
    let root = path.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let details = document.require("application", "[application] with a name").and_then(|node| node.table());
    let streams = details.as_ref().map(events::streams).unwrap_or_default();
    let (streams, stream_settings): (Vec<_>, Vec<_>) = streams.into_iter().unzip();
    let variables = Variables::read(document, given);
    let context = Context { root, variables: &variables, streams: &streams };
    let tables = document.table("component").map(|table| table.entries()).unwrap_or_default();
    let ids: Vec<&str> = tables.iter().map(|(id, _)| *id).collect();
    let components: Vec<Component> =
        tables.iter().filter_map(|(id, node)| component::read(id, node, &context)).collect();
    let routes = routes::read(document, &ids);
    let expiries = details.as_ref().map(|details| stores::expiries(details, &components)).unwrap_or_default();
    let (name, version) = identity(&details?)?;
    let manifest = path.to_owned();
    Some(Application {
        name,
        version,
        manifest,
        root: root.to_owned(),
        components,
        routes,
        streams,
        stream_settings,
        expiries: expiries.into(),
        warnings: Vec::new(),
    })
}

fn check_version(document: &Fields<'_>) {
    if let Some(node) = document.get("spin_version") {
        node.fault(
            "manifests of version 1 are not supported",
            "write spin_manifest_version = 2 (`spin doctor` converts it)",
        );
        return;
    }
    let Some(node) = document.require("spin_manifest_version", "spin_manifest_version = 2 at the top") else { return };
    if node.integer::<u64>(1).is_some_and(|version| version != 2) {
        node.value_fault("this version of the manifest is not supported", "write spin_manifest_version = 2");
    }
}

/// Name and version of the application.
fn identity(details: &Fields<'_>) -> Option<(String, String)> {
    details.only(&["name", "version", "description", "authors", "targets", "trigger", "tool"]);
    let base = details.table("trigger").and_then(|t| t.table("http")).and_then(|http| http.get("base"));
    if let Some(base) = base.filter(|base| base.string().is_some_and(|base| base != "/")) {
        base.value_fault("a common base of all routes is not supported", "write the whole path in each route");
    }
    let name = details.require("name", "name = \"my-application\"")?.string()?;
    let version = details.get("version").and_then(|node| node.string()).unwrap_or("0.0.0");
    Some((name.to_owned(), version.to_owned()))
}
