//! The application's streams on a NATS server: planned against what is there, created, verified, updated, and kept from
//! filling up with what everybody has consumed.
//!
//! **Limits.** `max_messages` is a capacity, and by default a full stream refuses (`discard = "new"`): the server never
//! drops what a component still needs, and a publisher is told. Room comes from [`Keeper`], which removes the oldest
//! events once every consumer has settled them. `max_age` is a promise to delete, kept by the server whether an event
//! was consumed or not; a consumer that comes within a tenth of either limit raises an alarm long before (log, metric,
//! `/readyz`), and one that is past it a louder one. With `discard = "old"` the server drops the oldest when it is full;
//! the alarm is then all there is.

mod found;
mod keeper;
mod plan;
#[cfg(test)]
mod tests;
mod wanted;

pub use keeper::{Alarms, Keeper, Standings};
pub use plan::{Difference, Plan, ProvisionError, Step, apply, plan, provision};

use crate::bus::StreamConfig;
use std::time::Duration;

/// What a NATS server is told of a stream beside [`StreamConfig`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamSettings {
    /// Copies in a cluster; the preset decides where `None`.
    pub replicas: Option<usize>,
    /// How long a repeated event id is recognised; the server's two minutes where `None`.
    pub duplicate_window: Option<Duration>,
    /// What a full stream does.
    pub discard: Discard,
}

/// What a full stream does with the next event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Discard {
    /// Refuses it, until room is made by removing consumed ones.
    #[default]
    New,
    /// Takes it and drops the oldest, consumed or not.
    Old,
}

/// A stream as the manifest wants it.
pub type WantedStream = (StreamConfig, StreamSettings);
