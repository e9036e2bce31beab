//! Values beside an aggregate whose status only moves forward: writing one twice, or late, changes nothing.

use crate::ports::{Ports, StoreError, SwapError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A value to write unless one of the same or a higher rank is there. Its `format` is the schema of `value` at the time
/// of writing; 0 in values that were stored before they named one, which was the schema of format 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forward {
    /// Its key.
    #[serde(skip)]
    pub key: String,
    /// Which schema `value` has.
    #[serde(default)]
    pub format: u32,
    /// Its status as a number: the higher one wins, the first of equals stays.
    pub rank: u64,
    /// The value.
    pub value: Value,
}

impl Forward {
    /// The value, for a reader who knows schemas up to `format`.
    ///
    /// # Errors
    /// Where it is of a newer one, or malformed.
    pub fn read<T: DeserializeOwned>(self, format: u32) -> Result<T, StoreError> {
        let unreadable = |why: String| StoreError(format!("the value of {} cannot be read: {why}", self.key));
        if self.format > format {
            let found = self.format;
            return Err(unreadable(format!(
                "it has format {found}, this component knows up to {format}: deploy the newer one"
            )));
        }
        T::deserialize(&self.value).map_err(|error| unreadable(error.to_string()))
    }
}

/// Reads such a value.
///
/// # Errors
/// Where the store does not answer or holds something else under the key.
pub async fn read_forward<P: Ports>(ports: &P, key: &str) -> Result<Option<Forward>, StoreError> {
    match ports.get(key).await? {
        Some(bytes) => parse(key, &bytes).map(Some),
        None => Ok(None),
    }
}

/// Writes the value by CAS, forward only.
///
/// # Errors
/// Where the store does not answer or holds something else under the key.
pub async fn write_forward<P: Ports>(ports: &P, forward: &Forward) -> Result<(), StoreError> {
    loop {
        let entry = ports.read(&forward.key).await?;
        if let Some(bytes) = &entry.value
            && parse(&forward.key, bytes)?.rank >= forward.rank
        {
            return Ok(());
        }
        let bytes = serde_json::to_vec(forward).map_err(|error| StoreError(error.to_string()))?;
        match ports.swap(entry.token, bytes).await {
            Ok(()) => return Ok(()),
            Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
        }
    }
}

fn parse(key: &str, bytes: &[u8]) -> Result<Forward, StoreError> {
    let forward: Forward = crate::json::from_slice(bytes)
        .map_err(|error| StoreError(format!("the value of {key} is malformed: {error}")))?;
    Ok(Forward { key: key.to_owned(), ..forward })
}
