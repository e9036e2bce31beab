//! Delivery: what a consumer hands out next, and what becomes of it. Pure: no input or output, no clock, no lock.
//!
//! One [`Machine`] serves one source, that is one consumer (component, stream). Whoever drives it tells what happened
//! (messages arrived, a handler answered, a settlement is done, time passed) and carries out what it asks for
//! ([`Output`], [`Machine::hand_out`], [`Machine::fetch`], [`Machine::wake_at`]). The promise it keeps: an event is
//! handed out only when every earlier event of this source with the same key is settled.
//!
//! With it comes what it decides on: [`event::Event`], [`subject::Subject`], [`Message`], [`Verdict`], [`Settlement`].

mod backoff;
pub mod event;
mod judge;
mod key;
mod lanes;
mod machine;
mod message;
mod millis;
mod outage;
mod room;
pub mod subject;
#[cfg(test)]
mod tests;
mod verdict;

pub use backoff::LONGEST_ASKED;
pub use judge::attempt;
pub use key::{Key, KeyPath, KeyPathError};
pub use lanes::Slot;
pub use machine::{HandOut, Machine, Output};
pub use message::{DeadLetterCause, Message, Settlement};
pub use millis::Millis;
pub use verdict::{Delivery, Effect, Rejection, Timer, Verdict};

/// What a machine goes by.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Events of the component handled at once, over all its sources; the driver deals the permits. An event that is
    /// answered and being settled counts no more, up to four for each that may be handled. At least 1.
    pub concurrency: usize,
    /// Failures of the handler, or hand-outs without an answer, until the event is dead. At least 1.
    pub max_attempts: u32,
    /// The consumer's `backlog_end`: once it is settled, the machine says so.
    pub backlog_end: u64,
    /// SHA-256 of the component, for its dead letters.
    pub component_digest: Option<String>,
}
