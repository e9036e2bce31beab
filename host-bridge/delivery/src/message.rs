//! An event as a consumer has it, and how it is settled.

use crate::event::Event;
use crate::millis::Millis;
use crate::verdict::Effect;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One event as a consumer sees it.
#[derive(Debug, Clone)]
pub struct Message {
    /// Position in the stream; for a replayed dead letter, in the consumer's replay source.
    pub sequence: u64,
    /// The event.
    pub event: Arc<Event>,
    /// Failures of the handler so far, from before a restart included.
    pub failures: u32,
    /// Hand-outs without any verdict so far: each may have killed the process.
    pub unanswered: u32,
    /// Not before this instant: a retry that was waiting when the process ended.
    pub not_before: Option<Millis>,
    /// Which replay of a dead letter this is, from 1; 0 for an event of the stream itself.
    pub replay: u32,
}

/// How a delivery is settled, all of it at once where the adapter can.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// Carry the effects out, then acknowledge.
    Done(Vec<Effect>),
    /// Keep the event with its cause, then acknowledge.
    DeadLetter(DeadLetterCause),
}

/// Why an event is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterCause {
    /// `rejected`, `undecodable`, `exhausted` (attempts), `killed` (hand-outs without verdict).
    pub kind: String,
    /// In words.
    pub reason: String,
    /// Where in the body, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How often it was handed out.
    pub deliveries: u32,
    /// SHA-256 of the component that failed, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_digest: Option<String>,
}
