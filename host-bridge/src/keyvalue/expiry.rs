//! Which values are garbage some time after their last write: records that nobody asks for any more.

use std::sync::Arc;
use std::time::Duration;

/// Values of `store` whose key begins with `prefix` go once they were not written for `after`.
///
/// Only room is won by it: whoever reads a value judges for itself whether it still holds, since when it goes is as
/// exact as the adapter's rounds, and a store that knows no expiry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// The store's label.
    pub store: String,
    /// What the key begins with. A leading `*/` stands for any first part: `*/drafts/` is every component's drafts, where
    /// components keep apart by their names.
    pub prefix: String,
    /// How long after its last write, at least a second.
    pub after: Duration,
}

impl Expiry {
    fn covers(&self, store: &str, key: &str) -> bool {
        let within = match self.prefix.strip_prefix("*/") {
            Some(rest) => key.split_once('/').is_some_and(|(_, key)| key.starts_with(rest)),
            None => key.starts_with(&self.prefix),
        };
        within && self.store == store
    }
}

/// The rules of one application, of which the first that covers a key counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiries(Arc<[Expiry]>);

impl Expiries {
    /// How long after this write the value goes; `None` where it stays.
    #[must_use]
    pub fn after(&self, store: &str, key: &str) -> Option<Duration> {
        self.0.iter().find(|rule| rule.covers(store, key)).map(|rule| rule.after)
    }
}

impl From<Vec<Expiry>> for Expiries {
    fn from(rules: Vec<Expiry>) -> Self {
        Self(rules.into())
    }
}
