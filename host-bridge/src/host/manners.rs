//! How the host behaves towards its guests where hosts differ: as itself, or as Spin does.
//!
//! Spin's manners are for proving, without Spin, that an application runs under it: each is as its source has it (4.1,
//! the SQLite provider of the store `default`).

use crate::keyvalue::{Entry, KeyValue, KeyValueError, Swap};
use bytes::Bytes;

/// What our own host says of itself to its guests, in their environment: how a swap creates, where events are taken in
/// process, and that every call ends when its time is over. `components/guest` knows these words.
pub(super) const OWN: [(&str, &str); 3] =
    [("A4CO_CREATES", "atomically"), ("A4CO_EVENTS", "http://events.spin.internal"), ("A4CO_CALLS", "timed")];

/// Whose manners the host has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manners {
    /// Its own.
    #[default]
    Own,
    /// Spin's: a swap overwrites where nothing was or nobody looked, and else compares values; numbers are eight bytes;
    /// `get-many` leaves missing keys out; `list-keys` has no pages; nobody answers at `events.spin.internal`, and a guest
    /// that asks never learns it; calls are made once, and those between components have no time-out.
    Spin,
}

/// Swaps as Spin's own store does: `seen` is what `current` answered, `None` where it was not asked.
pub(super) async fn swap_as_spin(
    stores: &dyn KeyValue,
    (store, key): (&str, &str),
    seen: Option<&Entry>,
    value: Bytes,
) -> Result<Swap, KeyValueError> {
    let Some(expected) = seen.and_then(|entry| entry.value.as_ref()) else {
        let watermark = stores.put_many(store, vec![(key.to_owned(), Some(value))]).await?;
        return Ok(Swap::Done { revision: 0, watermark });
    };
    loop {
        let current = stores.get(store, key).await?;
        if current.value.as_ref() != Some(expected) {
            return Ok(Swap::Conflict(current));
        }
        if let done @ Swap::Done { .. } = stores.swap(store, key, current.revision, value.clone()).await? {
            return Ok(done);
        }
    }
}

/// Adds to a number as Spin's own store does: eight bytes, the lowest first. `None` where the key holds anything else,
/// which there ends the store.
pub(super) async fn increment_as_spin(
    stores: &dyn KeyValue,
    (store, key): (&str, &str),
    delta: i64,
) -> Result<Option<(i64, Swap)>, KeyValueError> {
    loop {
        let current = stores.get(store, key).await?;
        let number = match current.value.as_deref().map(<[u8; 8]>::try_from) {
            None => 0,
            Some(Ok(bytes)) => i64::from_le_bytes(bytes),
            Some(Err(_)) => return Ok(None),
        };
        let sum = number.wrapping_add(delta);
        let value = Bytes::copy_from_slice(&sum.to_le_bytes());
        if let done @ Swap::Done { .. } = stores.swap(store, key, current.revision, value).await? {
            return Ok(Some((sum, done)));
        }
    }
}
