//! What is known of the connection at this moment: whether it stands, whether JetStream answers on it, and what the
//! server has forbidden.

use super::request::{ApiError, parse};
use async_nats::connection::State;
use async_nats::jetstream::ErrorCode;
use async_nats::{Client, Event, ServerError};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often JetStream is asked whether it is there. With [`PROBE`] this bounds how long requests run into a server
/// that holds its connections and answers nothing.
pub(super) const PROBE_EVERY: Duration = Duration::from_millis(500);
/// How long an answer to that may take.
const PROBE: Duration = Duration::from_millis(750);
/// Answers that must be missing in a row, so that one slow moment is no outage.
const MISSED: u32 = 2;
/// What every user of JetStream may ask.
pub(super) const ACCOUNT_INFO: &str = "$JS.API.INFO";

/// What happened to the connection so far: a request under way looks whether it changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// How often an answer that was on its way can no longer come.
    pub(super) losses: u64,
    /// What the server last forbade, in its words.
    pub(super) forbidden: Option<Arc<str>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Link {
    past: watch::Sender<Past>,
    silent: AtomicBool,
    /// Why JetStream does not answer.
    reason: Mutex<String>,
    doubt: Notify,
}

impl Link {
    /// From now on.
    pub(super) fn follow(&self) -> watch::Receiver<Past> {
        self.past.subscribe()
    }

    /// JetStream does not answer though the connection stands; in words.
    pub(super) fn silent(&self) -> Option<String> {
        self.silent.load(Ordering::Acquire).then(|| self.reason.lock().clone())
    }

    /// A request had no answer in time: find out whether any would have.
    pub(super) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Takes in what the client tells of the connection.
    pub(super) fn happened(&self, event: &Event) {
        match event {
            Event::Disconnected => {
                self.past.send_modify(|past| past.losses += 1);
                tracing::warn!("the connection to NATS is lost: connecting again");
            }
            Event::Connected => {
                self.doubt();
                tracing::info!("connected to NATS");
            }
            Event::ServerError(ServerError::Other(text)) if text.to_ascii_lowercase().contains("permissions") => {
                self.past.send_modify(|past| past.forbidden = Some(text.as_str().into()));
                tracing::warn!("NATS refuses: {text}");
            }
            Event::ServerError(_) | Event::SlowConsumer(_) => tracing::warn!("NATS: {event}"),
            // Each attempt to connect again that fails; that the connection is lost was told.
            Event::ClientError(_) => tracing::debug!("NATS: {event}"),
            Event::LameDuckMode | Event::Draining | Event::Closed => tracing::info!("NATS: {event}"),
        }
    }

    /// Asks JetStream at intervals, for ever.
    pub(super) async fn watch(self: Arc<Self>, client: Client) {
        let mut missed = 0;
        loop {
            // After a miss the next question follows at once.
            if missed == 0 || self.silent.load(Ordering::Acquire) {
                let _doubted = tokio::time::timeout(PROBE_EVERY, self.doubt.notified()).await;
            }
            if client.connection_state() != State::Connected {
                // What is asked now would be sent once the connection is back, and answered then.
                missed = 0;
                continue;
            }
            match probe(&client).await {
                Ok(()) => {
                    missed = 0;
                    self.answers();
                }
                Err(unanswered) => {
                    missed += 1;
                    if missed >= MISSED {
                        self.falls_silent(unanswered.reason);
                    }
                }
            }
        }
    }

    fn answers(&self) {
        if self.silent.swap(false, Ordering::AcqRel) {
            tracing::info!("JetStream answers again");
        }
    }

    fn falls_silent(&self, reason: String) {
        if !self.silent.load(Ordering::Acquire) {
            tracing::warn!("JetStream does not answer: {reason}");
        }
        *self.reason.lock() = reason;
        if !self.silent.swap(true, Ordering::AcqRel) {
            // What waits for an answer need not wait longer.
            self.past.send_modify(|past| past.losses += 1);
        }
    }
}

#[derive(Deserialize)]
struct Account {}

/// JetStream is not there, or not yet.
pub(super) struct Unanswered {
    /// In words.
    pub(super) reason: String,
    /// Nothing was said for good: a cluster that has no leader yet is silent, and later says that it is not available.
    pub(super) may_come: bool,
}

/// Asks once.
pub(super) async fn probe(client: &Client) -> Result<(), Unanswered> {
    let asked = tokio::time::timeout(PROBE, client.request(ACCOUNT_INFO, Bytes::new())).await;
    let Ok(answered) = asked else {
        return Err(Unanswered { reason: format!("no answer within {} ms", PROBE.as_millis()), may_come: true });
    };
    let message = answered.map_err(|error| Unanswered { reason: error.to_string(), may_come: false })?;
    parse::<Account>(&message.payload).map(|_| ()).map_err(|error| Unanswered {
        reason: error.to_string(),
        may_come: matches!(error, ApiError::Refused { code, .. } if code == ErrorCode::CLUSTER_NOT_AVAILABLE.0),
    })
}
