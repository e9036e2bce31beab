//! One hand-out of an event to a component, and what it leads to.

use crate::event::Event;
use crate::millis::Millis;
use std::sync::Arc;
use std::time::Duration;

/// One hand-out of one event to one component.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event.
    pub event: Arc<Event>,
    /// The consumer that delivers, with the stream's incarnation: `inventory/INVENTORY#1`.
    pub source: Arc<str>,
    /// Position in that source.
    pub sequence: u64,
    /// The ordering key's value.
    pub key: String,
    /// Which hand-out this is, from 1.
    pub attempt: u32,
    /// When it is handed out.
    pub delivered_at: Millis,
}

/// What a handled event leads to.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Publish this now. Its id is derived from what caused it, so a repeat is the same event.
    Publish(Arc<Event>),
    /// Publish this later.
    SetTimer(Timer),
    /// Drop the timer of this name, if it is still there.
    CancelTimer {
        /// The aggregate (the delivery's key) it belongs to.
        aggregate: String,
        /// Its name.
        name: String,
    },
}

/// An event to be published later. It belongs to (component, aggregate, name, causing event).
#[derive(Debug, Clone)]
pub struct Timer {
    /// The aggregate (the delivery's key) it belongs to.
    pub aggregate: String,
    /// Unique within component and aggregate; setting it again replaces it.
    pub name: String,
    /// The event whose handling set it. One that fired or was cancelled is not set again by the same cause.
    pub cause: String,
    /// When it is due.
    pub fire_at: Millis,
    /// When the event that sets it was handed out; due timers wait after an outage for at most `fire_at - set_at`. A repeat
    /// may set it after `fire_at`.
    pub set_at: Millis,
    /// What to publish then.
    pub event: Arc<Event>,
}

/// How a delivery ended.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The handler is done: publish the effects, acknowledge.
    Done(Vec<Effect>),
    /// The handler asks to see it again, after at least `after`. Spends an attempt.
    Retry {
        /// The wait the handler asks for; else the backoff decides.
        after: Option<Duration>,
        /// For log and dead letter.
        reason: String,
    },
    /// The handler, the codec or the grant says never: to the dead letters at once.
    Reject(Rejection),
    /// The guest broke: trap, limit, timeout, forbidden emission. Spends an attempt.
    Broken {
        /// For log and dead letter.
        reason: String,
    },
    /// Not the handler's doing: something it needs (bus, store, the process shutting down) is away. Spends no attempt.
    Unavailable {
        /// For the log.
        reason: String,
    },
}

/// Why an event can never be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// In words.
    pub reason: String,
    /// Where in the body, where that is known: `eventData.items[2].quantity`.
    pub path: Option<String>,
}
