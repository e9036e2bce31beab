//! The model that watches: it shares no code with the product. It reads what is published and what is stored as JSON,
//! and says what is wrong with it: after every write, and where everything has come to rest.
//!
//! What a crash of the embedded process takes back, it takes back as well; what people were told, and what the gateway
//! has done, it never forgets.

mod aggregates;
mod finale;
mod garbled;
mod ledger;
mod log;
mod moves;
mod promises;
mod shelves;

pub use finale::Rest;

use a4co_host::bus::DeadLetter;
use a4co_host::event::Event;
use bytes::Bytes;
use garbled::Garbled;
use kit::json::{self, Value};
use ledger::Ledger;
use log::Log;
use promises::Promises;
use shelves::Shelves;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is wrong that is kept: the first few say it.
const KEPT: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub struct Model {
    wrong: Vec<String>,
    values: BTreeMap<String, Seen>,
    log: Log,
    shelves: Shelves,
    shelves_on_disk: Shelves,
    ledger: Ledger,
    promises: Promises,
    garbled: Garbled,
}

/// A value as it was last seen.
#[derive(Debug)]
struct Seen {
    bytes: Bytes,
    /// Of an aggregate.
    parsed: Value,
    /// What was there before.
    before: Option<Bytes>,
}

/// What kind of aggregate lies under a key, and its id.
fn aggregate(key: &str) -> Option<(&str, &str)> {
    const KINDS: [&str; 6] =
        ["artisan/artisan", "artisan/listing", "inventory/stock", "order/order", "payment/payment", "saga/saga"];
    KINDS.into_iter().find_map(|kind| Some((kind, key.strip_prefix(kind)?.strip_prefix('/')?)))
}

impl Model {
    /// Something is wrong.
    pub fn wrong(&mut self, what: String) {
        if self.wrong.len() < KEPT {
            self.wrong.push(what);
        }
    }

    /// What is wrong so far.
    #[must_use]
    pub fn findings(&self) -> &[String] {
        &self.wrong
    }

    fn check(&mut self, checked: Result<(), String>) {
        if let Err(what) = checked {
            self.wrong(what);
        }
    }

    /// Everything that was published and is still there.
    #[must_use]
    pub fn events(&self) -> &[Arc<Event>] {
        self.log.events()
    }

    /// The orders that there are.
    #[must_use]
    pub fn orders(&self) -> Vec<String> {
        self.log.orders().keys().cloned().collect()
    }

    /// What a key held before its last change, for a reader that lags.
    #[must_use]
    pub fn before(&self, key: &str) -> Option<Bytes> {
        self.values.get(key)?.before.clone()
    }

    /// What people were told.
    pub fn promises(&mut self) -> &mut Promises {
        &mut self.promises
    }

    /// An event was published.
    pub fn logged(&mut self, event: &Arc<Event>) {
        let checked = self.log.add(event);
        self.check(checked);
    }

    /// A key was written, or may have been.
    pub fn wrote(&mut self, key: &str, value: Option<&[u8]>) {
        let Some(bytes) = value else {
            self.values.remove(key);
            return;
        };
        if self.values.get(key).is_some_and(|seen| seen.bytes == bytes) {
            return;
        }
        let parsed = match aggregate(key) {
            Some((kind, id)) => self.changed((key, kind, id), bytes),
            None => Value::Null,
        };
        let before = self.values.get(key).map(|seen| seen.bytes.clone());
        self.values.insert(key.to_owned(), Seen { bytes: Bytes::copy_from_slice(bytes), parsed, before });
    }

    /// An aggregate has another value: was it allowed to become so?
    fn changed(&mut self, (key, kind, id): (&str, &str, &str), bytes: &[u8]) -> Value {
        let is: Value = json::from_slice(bytes).unwrap_or_default();
        let was = self.values.get(key).map_or(Value::Null, |seen| seen.parsed.clone());
        let cause = match aggregates::check(key, &was, &is) {
            Ok(cause) => cause,
            Err(what) => {
                self.wrong(what);
                None
            }
        };
        let misread = cause.as_deref().map_or(Ok(()), |id| self.garbled.changed_nothing(id));
        self.check(misread);
        let cause = cause.and_then(|id| self.log.by_id(&id));
        let checked = match kind {
            "inventory/stock" => {
                let counted = self.shelves.check(id, (&was, &is), cause);
                counted.and_then(|()| Shelves::check_claims(id, (&was, &is), &self.log))
            }
            "order/order" => moves::order(id, (&was, &is), (&self.log, &self.ledger)),
            "saga/saga" => moves::saga(id, (&was, &is), &self.log),
            _ => Ok(()),
        };
        self.check(checked);
        is
    }

    /// The simulation itself emptied an inbox.
    pub fn emptied(&mut self, key: &str, bytes: &[u8]) {
        if let Some(seen) = self.values.get_mut(key) {
            seen.parsed = json::from_slice(bytes).unwrap_or_default();
            seen.bytes = Bytes::copy_from_slice(bytes);
        }
    }

    /// The event of this id can be read by nobody.
    pub fn garbled(&mut self, id: String) {
        self.garbled.published(id);
    }

    /// Whether a dead letter is an event that nobody can read: so it was found as what it is.
    pub fn lies(&mut self, letter: &DeadLetter) -> bool {
        letter.event.id().is_some_and(|id| self.garbled.found(id))
    }

    /// The gateway changed an account.
    pub fn charged(&mut self, reference: &str, account: &[u8]) {
        let checked = self.ledger.change(reference, account, &self.log);
        self.check(checked);
    }

    /// Everything so far is on disk.
    pub fn mark(&mut self) {
        self.log.mark();
        self.shelves.clone_into(&mut self.shelves_on_disk);
    }

    /// What was not on disk is gone; this is what is stored now.
    pub fn roll_back(&mut self, stored: &[(String, Bytes)]) {
        self.log.roll_back();
        self.shelves_on_disk.clone_into(&mut self.shelves);
        self.values.clear();
        for (key, bytes) in stored {
            let parsed = match aggregate(key) {
                Some(_) => json::from_slice(bytes).unwrap_or_default(),
                None => Value::Null,
            };
            self.values.insert(key.clone(), Seen { bytes: bytes.clone(), parsed, before: None });
        }
        for checked in [self.promises.kept(&self.log), self.ledger.covered(&self.log)] {
            self.check(checked);
        }
    }

    /// Where a saga stands.
    #[must_use]
    pub fn saga_phase(&self, order_id: &str) -> String {
        let seen = self.values.get(&format!("saga/saga/{order_id}"));
        seen.map_or("absent", |seen| seen.parsed["state"]["phase"].as_str().unwrap_or("absent")).to_owned()
    }
}
