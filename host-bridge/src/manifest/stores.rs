//! `[application.tool.key_value.<label>]`: what is forgotten of a store.

use super::application::Component;
use super::reader::{Fields, Node};
use crate::keyvalue::Expiry;
use std::time::Duration;

/// The least that a NATS server takes for a message's age.
const LEAST: Duration = Duration::from_secs(1);

/// Reads which values expire, in every store that `components` open.
pub(super) fn expiries(application: &Fields<'_>, components: &[Component]) -> Vec<Expiry> {
    let Some(stores) = application.table("tool").and_then(|tool| tool.table("key_value")) else { return Vec::new() };
    let mut rules = Vec::new();
    for (label, node) in stores.entries() {
        if !components.iter().any(|component| component.key_value_stores.iter().any(|opened| opened == label)) {
            node.fault("no component opens this store", "name one of some component's key_value_stores");
        }
        let Some(fields) = node.table() else { continue };
        fields.only(&["expire"]);
        let Some(list) = fields.get("expire") else { continue };
        for entry in list.list() {
            rules.extend(rule(label, &entry, &rules));
        }
    }
    rules
}

fn rule(store: &str, entry: &Node<'_>, others: &[Expiry]) -> Option<Expiry> {
    let fields = entry.table()?;
    fields.only(&["prefix", "after"]);
    let (place, time) = (fields.require("prefix", "prefix = \"drafts/\""), fields.require("after", "after = \"2d\""));
    let (place, time) = (place?, time?);
    let (prefix, after) = (place.string()?, time.duration()?);
    if matches!(prefix, "" | "*/") {
        place.value_fault("every key begins so: the whole store would go", "write what the keys begin with");
    }
    if after < LEAST {
        time.value_fault("too short: a store looks once a second", "write \"1s\" or more");
    }
    if let Some(other) = others.iter().find(|other| other.store == store && prefix.starts_with(&other.prefix)) {
        place.value_fault(
            format!("every key that begins so begins with `{}` too, which stands before it", other.prefix),
            "put the longer prefix first",
        );
    }
    Some(Expiry { store: store.to_owned(), prefix: prefix.to_owned(), after })
}
