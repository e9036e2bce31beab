//! The gateway's ports in a process: values in memory, every write in the journal.

use crate::journal::Journal;
use kit::http::{Request, Response};
use kit::ports::{CallError, Entry, Ports, PublishError, Receipt, StoreError, SwapError};
use kit::time::Millis;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The ledger's values, with a revision each.
#[derive(Debug)]
pub struct Ledger {
    values: RefCell<BTreeMap<String, (u64, Vec<u8>)>>,
    journal: RefCell<Journal>,
}

impl Ledger {
    /// The ledger that a journal holds.
    pub fn new(mut journal: Journal) -> Self {
        let values = std::mem::take(&mut journal.read).into_iter().map(|(key, value)| (key, (1, value))).collect();
        Self { values: RefCell::new(values), journal: RefCell::new(journal) }
    }

    /// Brings all writes so far to disk.
    pub fn flush(&self) -> std::io::Result<()> {
        self.journal.borrow_mut().flush()
    }

    fn write(&self, key: &str, value: Vec<u8>) {
        self.journal.borrow_mut().note(key, &value);
        let mut values = self.values.borrow_mut();
        let revision = values.get(key).map_or(0, |(revision, _)| *revision) + 1;
        values.insert(key.to_owned(), (revision, value));
    }

    fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.values.borrow().get(key).map(|(_, value)| value.clone())
    }
}

impl Ports for Ledger {
    type Token = (String, u64);

    async fn read(&self, key: &str) -> Result<Entry<Self::Token>, StoreError> {
        let revision = self.values.borrow().get(key).map_or(0, |(revision, _)| *revision);
        Ok(Entry { value: self.value(key), token: (key.to_owned(), revision) })
    }

    async fn swap(&self, (key, expected): Self::Token, value: Vec<u8>) -> Result<(), SwapError> {
        let revision = self.values.borrow().get(&key).map_or(0, |(revision, _)| *revision);
        if revision != expected {
            return Err(SwapError::Conflict);
        }
        self.write(&key, value);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.value(key))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        Ok(keys.iter().map(|key| self.value(key)).collect())
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        self.write(key, value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Err(StoreError(format!("a ledger forgets nothing, {key} neither")))
    }

    async fn publish(&self, _subject: &str, _wire: String) -> Result<Receipt, PublishError> {
        Err(PublishError::Refused("a gateway publishes nothing".to_owned()))
    }

    async fn call(&self, _request: Request) -> Result<Response, CallError> {
        Err(CallError::Denied("a gateway calls nobody".to_owned()))
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    #[expect(clippy::disallowed_methods, reason = "a process of its own has a clock of its own")]
    fn now(&self) -> Millis {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }

    fn new_id(&self) -> String {
        kit::ids::derived("gateway", &[&self.values.borrow().len().to_string()])
    }
}
