//! A bucket of JSON values, each written by compare-and-swap on its revision and read from the leader.

use super::BusError;
use crate::nats::Nats;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::kv::{Operation, Store, UpdateError, UpdateErrorKind};
use async_nats::jetstream::stream::InfoError;
use futures::TryStreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error as _;

/// A bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    nats: Nats,
    store: Store,
}

/// Why there is no answer.
const LOST: &str = "NATS did not answer in time, or the connection was lost before it could";

/// A value as it was read.
#[derive(Debug, Clone)]
pub(super) struct Cell<T> {
    /// `None` where there is none, or none any more.
    pub value: Option<T>,
    /// What a write must expect; 0 where there never was one.
    pub revision: u64,
}

/// Why a value was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// Another revision is there: nothing was written.
    Conflict,
    /// It may have been written or not.
    Unknown(String),
}

impl Bucket {
    pub(super) fn new(nats: Nats, store: Store) -> Self {
        Self { nats, store }
    }

    /// The name of the stream behind it.
    pub(super) fn stream(&self) -> &str {
        &self.store.stream_name
    }

    /// The keys that hold something, or held it once.
    pub(super) async fn keys(&self) -> Result<Vec<String>, BusError> {
        let unavailable = |error: &dyn ToString| {
            BusError::Unavailable(format!("the keys of {}: {}", self.store.name, error.to_string()))
        };
        let asking = async {
            let subjects = self.store.stream.info_with_subjects(format!("{}>", self.store.prefix)).await?;
            subjects.try_collect::<Vec<(String, usize)>>().await
        };
        let asked: Option<Result<_, InfoError>> = self.nats.while_up(asking).await;
        let subjects = asked.ok_or_else(|| unavailable(&LOST))?.map_err(|error| unavailable(&error))?;
        let key = |(subject, _): &(String, usize)| subject.strip_prefix(&self.store.prefix).map(str::to_owned);
        Ok(subjects.iter().filter_map(key).collect())
    }

    /// Reads a value.
    pub(super) async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Cell<T>, BusError> {
        let unavailable = |error: &dyn ToString| {
            BusError::Unavailable(format!("{key} of {}: {}", self.store.name, error.to_string()))
        };
        let entry = self.nats.answer(self.store.entry(key)).await.ok_or_else(|| unavailable(&LOST))?;
        let entry = entry.map_err(|error| unavailable(&error))?;
        let Some(entry) = entry else { return Ok(Cell { value: None, revision: 0 }) };
        let value = match entry.operation {
            Operation::Put => Some(parse(key, &entry.value)?),
            Operation::Delete | Operation::Purge => None,
        };
        Ok(Cell { value, revision: entry.revision })
    }

    /// Writes a value where the last revision is `revision`; returns the new one.
    pub(super) async fn write<T: Serialize>(&self, key: &str, value: &T, revision: u64) -> Result<u64, WriteError> {
        let bytes = serde_json::to_vec(value).map_err(|error| WriteError::Unknown(error.to_string()))?;
        let written = self.nats.answer(self.store.update(key, bytes.into(), revision)).await;
        written.ok_or_else(|| WriteError::Unknown(LOST.to_owned()))?.map_err(|error| {
            if is_conflict(&error) { WriteError::Conflict } else { WriteError::Unknown(error.to_string()) }
        })
    }

    /// Writes a value, whatever is there.
    pub(super) async fn put<T: Serialize>(&self, key: &str, value: &T) -> Result<u64, BusError> {
        let bytes = serde_json::to_vec(value).map_err(|error| BusError::Unknown(error.to_string()))?;
        let unknown =
            |error: &dyn ToString| BusError::Unknown(format!("{key} of {}: {}", self.store.name, error.to_string()));
        let put = self.nats.answer(self.store.put(key, bytes.into())).await.ok_or_else(|| unknown(&LOST))?;
        put.map_err(|error| unknown(&error))
    }

    /// Removes the value that has that revision; whatever was written after it stays. No mark is left in its place: marks
    /// would only pile up.
    pub(super) async fn remove(&self, revision: u64) -> Result<(), WriteError> {
        let removed = self.nats.answer(self.store.stream.delete_message(revision)).await;
        let removed = removed.ok_or_else(|| WriteError::Unknown(LOST.to_owned()))?;
        removed.map(|_| ()).map_err(|error| WriteError::Unknown(error.to_string()))
    }
}

/// Whether another revision is there, or another write is on its way that comes before: of that a cluster tells by a code
/// of its own, which the client does not know.
fn is_conflict(error: &UpdateError) -> bool {
    if error.kind() == UpdateErrorKind::WrongLastRevision {
        return true;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        let refusal = cause.downcast_ref::<async_nats::jetstream::Error>();
        if refusal.is_some_and(|refusal| refusal.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// A value from its bytes.
pub(super) fn parse<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, BusError> {
    let parsed = serde_json::from_slice(bytes);
    parsed.map_err(|error| BusError::Unavailable(format!("{key} holds what this version does not know: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::jetstream::context::{PublishError, PublishErrorKind};

    fn refused(code: u64) -> UpdateError {
        let json = format!(r#"{{"code": 400, "err_code": {code}, "description": "wrong last sequence"}}"#);
        let error: async_nats::jetstream::Error = serde_json::from_str(&json).unwrap();
        PublishError::with_source(PublishErrorKind::Other, error).into()
    }

    #[test]
    fn a_cluster_that_has_another_write_of_the_key_under_way_has_written_nothing() {
        assert!(is_conflict(&refused(10_164)));
        assert!(is_conflict(&UpdateError::new(UpdateErrorKind::WrongLastRevision)));
        assert!(!is_conflict(&refused(10_077)));
        assert!(!is_conflict(&UpdateError::new(UpdateErrorKind::TimedOut)));
    }
}
