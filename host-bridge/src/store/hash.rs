//! Stable fingerprints: of event ids, correlations, timers. They lie on disk, so they never change.

use sha2::{Digest as _, Sha256};

/// An event id in 16 bytes: the UUID itself, or a digest of another text.
pub(crate) type EventId = [u8; 16];
/// A timer's (component, aggregate, name).
pub(crate) type TimerKey = (u64, u64);

/// The fingerprint of an event id.
pub(crate) fn event_id(text: &str) -> EventId {
    match uuid::Uuid::try_parse(text) {
        Ok(id) if text.len() == 36 => id.into_bytes(),
        _ => {
            let (high, low) = digest(&["event", text]);
            u128::from(high).wrapping_shl(64).wrapping_add(u128::from(low)).to_be_bytes()
        }
    }
}

/// What a timer is found by.
pub(crate) fn timer_key(component: &str, aggregate: &str, name: &str) -> TimerKey {
    digest(&[component, aggregate, name])
}

/// A cause, as a timer keeps it.
pub(crate) fn cause(text: &str) -> u64 {
    fnv(text.as_bytes())
}

/// What keeps a timer from being set again by the same cause.
pub(crate) fn tombstone(key: TimerKey, cause: u64) -> u64 {
    let mut bytes = [0; 24];
    for (into, from) in bytes.chunks_exact_mut(8).zip([key.0, key.1, cause]) {
        into.copy_from_slice(&from.to_be_bytes());
    }
    fnv(&bytes)
}

/// A correlation id in the index; what is found is compared in full.
pub(crate) fn correlation(text: &str) -> i64 {
    fnv(text.as_bytes()).cast_signed()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn digest(parts: &[&str]) -> (u64, u64) {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let bytes = hasher.finalize();
    let word = |at: usize| bytes.iter().skip(at).take(8).fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
    (word(0), word(8))
}
