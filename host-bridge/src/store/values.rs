//! Key-value steps over memory and disk: what is not in memory is read first, then decided under the lock.

use super::state::State;
use super::{Store, readers};
use crate::keyvalue::{Entry, KeyValueError};

impl Store {
    /// Reads one key, from memory if it is there.
    pub(crate) fn value(&self, store: &str, key: &str) -> Result<Entry, KeyValueError> {
        let known = self.look(|state| {
            let index = state.cells.store(store);
            state.cells.get(index, key)
        });
        match known {
            Some(entry) => Ok(entry),
            None => self
                .with_values(store, &[key], |state, index| state.cells.get(index, key).unwrap_or_else(Entry::absent)),
        }
    }

    /// Runs one step over keys, once all of them are in memory.
    pub(crate) fn with_values<R>(
        &self,
        store: &str,
        keys: &[&str],
        act: impl FnOnce(&mut State, usize) -> R,
    ) -> Result<R, KeyValueError> {
        let mut act = Some(act);
        let (index, missing, done) = self.change(|state| {
            let index = state.cells.store(store);
            if keys.iter().all(|key| state.cells.get(index, key).is_some()) {
                return (index, Vec::new(), act.take().map(|act| act(state, index)));
            }
            let missing: Vec<&str> = keys.iter().filter(|key| state.cells.pin(index, key)).copied().collect();
            (index, missing, None)
        });
        if let Some(done) = done {
            return Ok(done);
        }
        let id = self.look(|state| state.cells.id(index));
        let read = self.read(|connection| {
            missing.iter().map(|key| readers::cell(connection, id, key)).collect::<Result<Vec<_>, _>>()
        });
        self.change(|state| {
            let result = read.map_err(|error| KeyValueError::Unavailable(error.to_string())).and_then(|read| {
                for (key, found) in missing.iter().zip(read) {
                    state.cells.fill(index, key, found);
                }
                let act = act.take().ok_or_else(|| KeyValueError::Unavailable("the step ran already".into()))?;
                Ok(act(state, index))
            });
            for key in keys {
                state.cells.unpin(index, key);
            }
            let durable = state.durable;
            state.cells.evict(durable);
            result
        })
    }
}
