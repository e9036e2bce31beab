//! `a4co keys`: the keys that a bridge and the components it drives know each other by.

use super::args::{KeysArgs, KeysCommand};
use super::table;
use crate::manifest::{self, Given};
use crate::tokens::{self, BRIDGE, KeySet};
use anyhow::{Context as _, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to do with keys.
#[derive(Debug)]
pub struct KeysRequest {
    folder: PathBuf,
    json: bool,
    act: Act,
}

#[derive(Debug)]
enum Act {
    /// For these, or for all that the manifest has.
    Generate(Vec<String>, PathBuf),
    Rotate(Vec<String>),
    List,
    Public(String),
}

impl KeysRequest {
    pub(super) fn resolve(command: KeysCommand) -> anyhow::Result<Self> {
        let of = |KeysArgs { keys, json }: KeysArgs, act| Self { folder: keys, json, act };
        let request = match command {
            KeysCommand::Generate { parties, manifest, keys } => of(keys, Act::Generate(parties, manifest)),
            KeysCommand::Rotate { parties, keys } => of(keys, Act::Rotate(parties)),
            KeysCommand::List { keys } => of(keys, Act::List),
            KeysCommand::Public { party, keys } => Self { folder: keys, json: true, act: Act::Public(party) },
        };
        let named = match &request.act {
            Act::Generate(parties, _) | Act::Rotate(parties) => parties.as_slice(),
            Act::Public(party) => std::slice::from_ref(party),
            Act::List => &[],
        };
        if let Some(party) = named.iter().find(|party| !is_party(party)) {
            bail!("{party:?} is no party: expected {BRIDGE} or a component's id");
        }
        Ok(request)
    }
}

/// It becomes a file's name.
fn is_party(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Carries the request out, and says to `out` what it did.
///
/// # Errors
/// Where a file is in the way, missing, or not to be trusted.
pub fn keys(request: &KeysRequest, out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = request.folder.as_path();
    match &request.act {
        Act::Generate(parties, manifest) => {
            let parties = if parties.is_empty() { parties_of(manifest)? } else { parties.clone() };
            let made = each(&parties, |party| tokens::generate(folder, party))?;
            report(request, &made, out)?;
            if !request.json {
                writeln!(out, "\n{}", explanation(folder))?;
            }
            Ok(())
        }
        Act::Rotate(parties) => report(request, &each(parties, |party| tokens::rotate(folder, party))?, out),
        Act::List => report(request, &listed(folder)?, out),
        Act::Public(party) => Ok(write!(out, "{}", tokens::load_public(folder, party)?.to_json())?),
    }
}

type Sets = Vec<(String, KeySet)>;

fn each(parties: &[String], act: impl Fn(&str) -> Result<KeySet, tokens::KeyFileError>) -> anyhow::Result<Sets> {
    parties.iter().map(|party| Ok((party.clone(), act(party)?))).collect()
}

/// The bridge, and every component that may publish.
fn parties_of(manifest: &Path) -> anyhow::Result<Vec<String>> {
    let application = manifest::load(manifest, &Given::new(BTreeMap::new()))?;
    let publishes =
        |component: &&manifest::Component| component.events.as_ref().is_some_and(|events| !events.publish.is_empty());
    let components = application.components.iter().filter(publishes).map(|component| component.id.clone());
    Ok(std::iter::once(BRIDGE.to_owned()).chain(components).collect())
}

fn listed(folder: &Path) -> anyhow::Result<Sets> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{}: make keys with `a4co keys generate`", folder.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut parties: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".public.json").map(str::to_owned)).collect();
    parties.sort();
    each(&parties, |party| tokens::load_public(folder, party))
}

fn report(request: &KeysRequest, sets: &Sets, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (party, set) in sets {
        for (place, id) in set.ids().enumerate() {
            let use_of = if place == 0 { "signs" } else { "still verifies" };
            let private = tokens::private_path(&request.folder, party);
            let held = if private.exists() { private.display().to_string() } else { "elsewhere".to_owned() };
            rows.push([party.clone(), id.to_owned(), use_of.to_owned(), held]);
        }
    }
    if request.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|[party, id, use_of, private]| json!({ "party": party, "kid": id, "use": use_of, "private": private }))
            .collect();
        return Ok(writeln!(out, "{}", json!({ "keys": rows }))?);
    }
    Ok(table::write(out, ["PARTY", "KEY", "USE", "PRIVATE PART"], &rows)?)
}

fn explanation(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "{folder}/{BRIDGE}.json stays with the bridge; every component gets {folder}/{BRIDGE}.public.json.\n\
         {folder}/<component>.json is that component's secret; its .public.json stays with the bridge.\n\
         To replace a key: `a4co keys rotate PARTY`, give the other side the new public file, then give PARTY the private one."
    )
}
