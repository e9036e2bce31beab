//! Outcomes of events without a business key, kept by the event's id for as long as it may come again.
//!
//! One is kept after the swap that made it true and before anything follows from it. Whoever does so may die in between;
//! then the event comes again and finds its outcome in the inbox. Where it does not come again, because it is a dead letter
//! now, a later event makes the inbox forget it: so that keeps it first.

use super::forward::{Forward, read_forward, write_forward};
use super::{Decider, Input, Outcome, retry};
use crate::events::Failure;
use crate::inbox::Inbox;
use crate::ports::{Ports, StoreError};

/// Schema of an outcome that is kept by itself: its JSON as a text.
const FORMAT: u32 = 1;

fn key(id: &str, event_id: &str) -> String {
    crate::keys::key("outcome", &[id, event_id])
}

fn forward(id: &str, event_id: &str, outcome: &str) -> Forward {
    Forward { key: key(id, event_id), format: FORMAT, rank: 1, value: outcome.into() }
}

/// The kept outcome of an event.
pub(super) async fn kept<D: Decider, P: Ports>(ports: &P, input: Input<'_>) -> Result<Option<Outcome>, StoreError> {
    if !D::keeps_outcome(input.event) {
        return Ok(None);
    }
    let Some(forward) = read_forward(ports, &key(input.id, &input.meta.event_id)).await? else { return Ok(None) };
    let text: String = forward.read(FORMAT)?;
    serde_json::from_str(&text).map(Some).map_err(|error| StoreError(error.to_string()))
}

/// Keeps it: after the swap and before the outputs go out.
pub(super) async fn keep<D: Decider, P: Ports>(ports: &P, input: Input<'_>, outcome: &Outcome) -> Result<(), Failure> {
    if !D::keeps_outcome(input.event) {
        return Ok(());
    }
    let outcome = serde_json::to_string(outcome).map_err(|error| Failure::Reject(error.to_string()))?;
    write_forward(ports, &forward(input.id, &input.meta.event_id, &outcome)).await.map_err(retry)
}

/// Keeps what noting a delivery makes the inbox forget: before the swap that does. Where it is kept already, as nearly
/// always, nothing is written.
pub(super) async fn keep_forgotten<P: Ports>(ports: &P, inbox: &Inbox, input: Input<'_>) -> Result<(), Failure> {
    for (event_id, outcome) in inbox.forgets(input.origin()) {
        write_forward(ports, &forward(input.id, event_id, outcome)).await.map_err(retry)?;
    }
    Ok(())
}
