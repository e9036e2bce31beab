//! What the event trigger tells of itself, for logs and metrics.

use crate::bus::{BusError, DeadLetterCause};
use crate::event::Event;
use std::time::Duration;

/// The delivery that is spoken of.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The component.
    pub component: &'a str,
    /// The consumer with the stream's incarnation.
    pub source: &'a str,
    /// Position in that source.
    pub sequence: u64,
    /// Which hand-out of the event, from 1.
    pub attempt: u32,
    /// The event.
    pub event: &'a Event,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Happening<'a> {
    /// An event was handed to its handler.
    HandedOut(About<'a>),
    /// The handler answered.
    Answered {
        /// Which.
        about: About<'a>,
        /// `done`, `retry`, `reject`, `broken` or `unavailable`.
        verdict: &'static str,
        /// From the hand-out to the answer.
        took: Duration,
    },
    /// It comes again.
    Retry {
        /// Which.
        about: About<'a>,
        /// After this; 0 where the end of an outage decides.
        wait: Duration,
        /// Whether it spent an attempt.
        failed: bool,
        /// Why.
        reason: &'a str,
    },
    /// It becomes a dead letter.
    Dead {
        /// Which.
        about: About<'a>,
        /// Why.
        cause: &'a DeadLetterCause,
    },
    /// The bus did not take the settlement or the note; it is tried again.
    Unsettled {
        /// Which.
        about: About<'a>,
        /// What the bus said.
        error: &'a BusError,
        /// After this.
        wait: Duration,
    },
    /// The bus gave no events; it is asked again.
    FetchFailed {
        /// The consumer.
        source: &'a str,
        /// What the bus said.
        error: &'a BusError,
        /// After this.
        wait: Duration,
    },
    /// The consumer is another process's now, or is to be, or its stream is gone.
    Left {
        /// The consumer.
        source: &'a str,
        /// What was in flight is not settled here.
        lost: bool,
    },
    /// What the handlers of this source need is away.
    OutageBegan {
        /// The consumer.
        source: &'a str,
        /// What the first event met.
        reason: &'a str,
    },
    /// It is back.
    OutageEnded {
        /// The consumer.
        source: &'a str,
        /// After this.
        lasted: Duration,
    },
    /// The consumer drained what it found at the start.
    CaughtUp {
        /// The consumer.
        source: &'a str,
    },
}

/// Is told what happens. Called on the hot path: an implementation counts or writes a line, and never waits.
pub trait DeliveryObserver: Send + Sync + 'static {
    /// This happened.
    fn observe(&self, happening: &Happening<'_>);
}

impl<O: DeliveryObserver + ?Sized> DeliveryObserver for std::sync::Arc<O> {
    fn observe(&self, happening: &Happening<'_>) {
        (**self).observe(happening);
    }
}

impl<A: DeliveryObserver, B: DeliveryObserver> DeliveryObserver for (A, B) {
    fn observe(&self, happening: &Happening<'_>) {
        self.0.observe(happening);
        self.1.observe(happening);
    }
}

/// Writes to the log: what failed at warn, what went well at debug, each with its correlation.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogDeliveries;

/// One log line on one delivery, with the fields that all such lines have.
macro_rules! line {
    ($level:ident, $about:expr, $($rest:tt)*) => {{
        let about = $about;
        let envelope = about.event.envelope().ok();
        tracing::$level!(
            component = about.component,
            source = about.source,
            sequence = about.sequence,
            subject = about.event.subject.as_str(),
            event_id = envelope.map_or("-", |envelope| envelope.event_id.as_str()),
            correlation_id = envelope.map_or("-", |envelope| envelope.correlation_id.as_str()),
            attempt = about.attempt,
            $($rest)*
        );
    }};
}

impl DeliveryObserver for LogDeliveries {
    fn observe(&self, happening: &Happening<'_>) {
        match *happening {
            Happening::HandedOut(about) => line!(trace, about, "event handed out"),
            Happening::Answered { about, verdict, took } => {
                line!(debug, about, verdict, took_us = took.as_micros(), "event handled");
            }
            Happening::Retry { about, wait, failed, reason } => {
                line!(warn, about, wait_ms = wait.as_millis(), failed, reason, "event comes again");
            }
            Happening::Dead { about, cause } => {
                line!(
                    warn,
                    about,
                    kind = cause.kind,
                    reason = cause.reason,
                    path = cause.path,
                    "event is a dead letter"
                );
            }
            Happening::Unsettled { about, error, wait } => {
                line!(warn, about, %error, wait_ms = wait.as_millis(), "the bus did not settle the event yet");
            }
            _ => on_source(happening),
        }
    }
}

fn on_source(happening: &Happening<'_>) {
    match *happening {
        Happening::FetchFailed { source, error, wait } => {
            tracing::warn!(source, %error, wait_ms = wait.as_millis(), "the bus gave no events");
        }
        Happening::OutageBegan { source, reason } => {
            tracing::warn!(source, reason, "deliveries stop until what handlers need is back");
        }
        Happening::OutageEnded { source, lasted } => {
            tracing::warn!(source, lasted_ms = lasted.as_millis(), "deliveries go on");
        }
        Happening::Left { source, lost: true } => {
            tracing::warn!(source, "the consumer is lost; it is opened again once it is free");
        }
        Happening::Left { source, .. } => tracing::info!(source, "another process is to have the consumer"),
        Happening::CaughtUp { source } => tracing::debug!(source, "backlog drained"),
        _ => {}
    }
}
