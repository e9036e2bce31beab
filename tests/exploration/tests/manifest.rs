//! The lanes of the exploration are those of the manifest.

use exploration::message::SUBSCRIPTIONS;
use std::collections::BTreeSet;

/// What the components hear beside the order flow.
const BESIDE: [&str; 2] = ["artisan.product.listed", "inventory.adjust"];

#[test]
fn the_lanes_are_those_of_the_manifest() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spin.toml");
    let manifest: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    for (component, subjects) in SUBSCRIPTIONS {
        let events = &manifest["component"][component]["tool"]["events"]["subscribe"];
        let mut heard = BTreeSet::new();
        for subscription in events.as_array().unwrap() {
            let subject = subscription["subject"].as_str().unwrap();
            if BESIDE.contains(&subject) {
                continue;
            }
            // Order and saga take what inventory and payment say order by order; everything else goes by its aggregate.
            let reports = matches!(component, "order" | "saga")
                && (subject.starts_with("inventory.") || subject.starts_with("payment."));
            let key = if reports { "eventData.orderId" } else { "aggregateId" };
            assert_eq!(subscription["key"].as_str(), Some(key), "{component}: {subject}");
            heard.insert(if subject == "saga.>" { "saga.timeout" } else { subject });
        }
        assert_eq!(heard, subjects.iter().copied().collect(), "{component}");
    }
}
