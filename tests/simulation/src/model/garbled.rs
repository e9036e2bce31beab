//! Events that nobody can read: none of them changes anything, and each is found among the dead letters.

use super::log::Log;
use std::collections::BTreeMap;

/// See the module. What a crash takes back stays known here: only what is in the log has to be found.
#[derive(Debug, Default)]
pub struct Garbled {
    /// Whether it was found, by the event's id.
    found: BTreeMap<String, bool>,
}

impl Garbled {
    /// An event of this id is published, and cannot be read.
    pub fn published(&mut self, id: String) {
        self.found.insert(id, false);
    }

    /// A dead letter is of this event: is it one that cannot be read?
    pub fn found(&mut self, id: &str) -> bool {
        self.found.get_mut(id).map(|found| *found = true).is_some()
    }

    /// This event caused a write.
    ///
    /// # Errors
    /// Where nobody could have read it.
    pub fn changed_nothing(&self, id: &str) -> Result<(), String> {
        match self.found.contains_key(id) {
            true => Err(format!("{id} cannot be read by anybody, and changed something")),
            false => Ok(()),
        }
    }

    /// Whether each that is in the log was found.
    ///
    /// # Errors
    /// Names one that was not.
    pub fn all_found(&self, log: &Log) -> Result<(), String> {
        match self.found.iter().find(|(id, found)| !**found && log.by_id(id).is_some()) {
            Some((id, _)) => Err(format!("{id} cannot be read by anybody, and is no dead letter")),
            None => Ok(()),
        }
    }
}
