//! Who hears what: the manifest against the design's table of events and their subscribers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests")]

use artifacts::{COMPONENTS, workspace};
use std::collections::BTreeSet;

/// Facts, and who of the components here is to hear them.
const TABLE: [(&str, &[&str]); 20] = [
    ("order.created", &["order", "saga", "inventory", "payment", "notification", "artisan"]),
    ("order.confirmed", &["saga", "notification", "artisan"]),
    ("order.cancelled", &["saga", "inventory", "payment", "notification"]),
    ("order.delivered", &["saga", "notification"]),
    ("inventory.stock.reserved", &["saga", "order", "notification"]),
    ("inventory.stock.unavailable", &["saga"]),
    ("inventory.stock.released", &["saga", "order", "product"]),
    ("inventory.stock.sold", &["saga", "order", "product"]),
    ("inventory.stock.low", &["artisan", "notification"]),
    ("inventory.adjusted", &["product"]),
    ("payment.initiated", &["order"]),
    ("payment.succeeded", &["saga", "order", "notification"]),
    ("payment.failed", &["saga", "order", "inventory", "notification"]),
    ("payment.refunded", &["saga", "order", "notification"]),
    ("user.registered", &["notification"]),
    ("user.profile.updated", &["notification"]),
    ("user.preferences.changed", &["notification", "product"]),
    ("artisan.verified", &["notification", "product"]),
    ("artisan.product.listed", &["product", "inventory", "notification"]),
    ("artisan.status.changed", &["product", "inventory", "notification", "order"]),
];

/// In the table and not in the manifest, which says why.
const NOT_HEARD: [(&str, &str); 8] = [
    ("inventory", "order.created"),
    ("inventory", "order.cancelled"),
    ("inventory", "payment.failed"),
    ("inventory", "artisan.status.changed"),
    ("payment", "order.created"),
    ("payment", "order.cancelled"),
    ("order", "artisan.status.changed"),
    ("product", "user.preferences.changed"),
];

/// In the manifest and not in the table, which the manifest says too.
const HEARD_BESIDE: [(&str, &str); 1] = [("artisan", "order.cancelled")];

fn text() -> String {
    std::fs::read_to_string(workspace().join("spin.toml")).unwrap()
}

fn subscriptions(component: &str) -> Vec<String> {
    let manifest: toml::Table = text().parse().unwrap();
    let Some(tool) = manifest["component"][component].get("tool") else { return Vec::new() };
    let Some(events) = tool.get("events") else { return Vec::new() };
    let subscribed = events["subscribe"].as_array().unwrap();
    subscribed.iter().map(|it| it["subject"].as_str().unwrap().to_owned()).collect()
}

/// Whether one of the subscriptions takes the subject. A wildcard over a component's own subjects brings its own facts
/// back to it: that is no subscriber of the table.
fn hears(component: &str, subject: &str) -> bool {
    let own = |pattern: &str| pattern == format!("{component}.>");
    subscriptions(component).iter().any(|pattern| match pattern.strip_suffix(".>") {
        Some(prefix) => !own(pattern) && subject.starts_with(&format!("{prefix}.")),
        None => pattern == subject,
    })
}

#[test]
fn everyone_hears_what_the_table_says_or_the_manifest_says_why_not() {
    let mut expected: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (subject, subscribers) in TABLE {
        expected.extend(subscribers.iter().map(|component| (*component, subject)));
    }
    for left_out in NOT_HEARD {
        assert!(expected.remove(&left_out), "{left_out:?} is not in the table");
    }
    expected.extend(HEARD_BESIDE);
    let mut heard = BTreeSet::new();
    for component in COMPONENTS {
        let subjects = TABLE.iter().map(|(subject, _)| *subject).filter(|subject| hears(component, subject));
        heard.extend(subjects.map(|subject| (component, subject)));
    }
    let missing: Vec<_> = expected.difference(&heard).collect();
    let beside: Vec<_> = heard.difference(&expected).collect();
    assert!(missing.is_empty() && beside.is_empty(), "missing: {missing:?}, beside the table: {beside:?}");
}

#[test]
fn what_differs_from_the_table_is_explained_where_it_differs() {
    let text = text();
    for (component, subject) in NOT_HEARD.into_iter().chain(HEARD_BESIDE) {
        let (before, _) = text.split_once(&format!("[component.{component}.tool.events]")).unwrap();
        let comments: Vec<_> = before.lines().rev().take_while(|line| line.starts_with('#')).collect();
        let explained = comments.iter().any(|line| line.contains(&format!("`{subject}`")));
        assert!(explained, "spin.toml does not say why {component} differs in {subject}");
    }
}
