//! One event through one aggregate: load, look into the inbox, decide, swap; again on conflict.

use super::{
    Arrival, Decider, Decision, Forward, Input, Known, Loaded, Outcome, Output, State, Stored, Written, commit, load,
    read_forward, retry,
};
use crate::events::{Event, Failure, Metadata, Retry};
use crate::ports::{Ports, StoreError};

/// Swaps lost in a row before the delivery goes back to the host: something is wrong with the store then.
const MAX_CONFLICTS: usize = 64;

/// How an event fared.
enum Ended<S> {
    Outcome(Outcome, S),
    /// The event is settled, or it changed nothing.
    Nothing(S),
    /// Too many local entries wait.
    NoRoom(S),
}

/// Handles a delivered event: the outputs are the stored ones where it was handled before.
///
/// # Errors
/// What the host is to do instead of settling.
pub async fn execute<D: Decider, P: Ports>(
    ports: &P,
    id: &str,
    meta: &Metadata,
    event: &Event,
) -> Result<Vec<Output>, Failure> {
    let input = Input { id, meta, event, version: 0 };
    Ok(match run::<D, P>(ports, input, Arrival::Delivered).await? {
        Ended::Outcome(outcome, _) => outcome.outputs().to_vec(),
        Ended::Nothing(_) | Ended::NoRoom(_) => Vec::new(),
    })
}

/// What an HTTP request learns from applying its event before the delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum LocalAnswer<S> {
    /// This came of it; the state is the one after.
    Outcome(Outcome, S),
    /// The delivery and later ones went first: only the state can tell.
    Late(S),
    /// Too many wait for their delivery: it will be done, not yet.
    Accepted(S),
}

/// Applies an event that was just published, before its delivery comes. Lets nothing out: the delivery does.
///
/// # Errors
/// As [`execute`].
pub async fn apply_locally<D: Decider, P: Ports>(
    ports: &P,
    id: &str,
    meta: &Metadata,
    event: &Event,
) -> Result<LocalAnswer<D::State>, Failure> {
    Ok(match run::<D, P>(ports, Input { id, meta, event, version: 0 }, Arrival::Local).await? {
        Ended::Outcome(outcome, state) => LocalAnswer::Outcome(outcome, state),
        Ended::Nothing(state) => LocalAnswer::Late(state),
        Ended::NoRoom(state) => LocalAnswer::Accepted(state),
    })
}

async fn run<D: Decider, P: Ports>(ports: &P, input: Input<'_>, arrival: Arrival) -> Result<Ended<D::State>, Failure> {
    for _ in 0..MAX_CONFLICTS {
        let loaded = load::<D::State, P>(ports, input.id).await?;
        let input = Input { version: loaded.stored.version + 1, ..input };
        match loaded.stored.inbox.lookup(input.origin()) {
            Known::Settled => return settled::<D, P>(ports, input, arrival, loaded.stored.state).await,
            Known::Outcome(outcome) => {
                keep::<D, P>(ports, input, &outcome).await?;
                let state = loaded.stored.state.clone();
                make_room(ports, loaded, input, &outcome, arrival).await?;
                return Ok(Ended::Outcome(outcome, state));
            }
            Known::No => {}
        }
        if let Some(outcome) = kept::<D, P>(ports, input).await.map_err(retry)? {
            // The state may be from before the swap that brought it about, by a delivery that went ahead meanwhile.
            let after = load::<D::State, P>(ports, input.id).await?;
            return Ok(Ended::Outcome(outcome, after.stored.state));
        }
        if arrival == Arrival::Local && !loaded.stored.inbox.has_room() {
            return Ok(Ended::NoRoom(loaded.stored.state));
        }
        let facts = D::facts(ports, &loaded.stored.state, input).await.map_err(retry)?;
        let change = match D::decide(&loaded.stored.state, &facts, input) {
            Decision::Ignore => return Ok(Ended::Nothing(loaded.stored.state)),
            Decision::Retry(reason) => return Err(Failure::Retry(Retry { after: None, reason })),
            Decision::Reject(reason) => return Err(Failure::Reject(reason)),
            Decision::Change(change) => *change,
        };
        let state = change.state.clone();
        if let Written::Done(outcome) = commit(ports, loaded, input, change, arrival).await? {
            keep::<D, P>(ports, input, &outcome).await?;
            return Ok(Ended::Outcome(outcome, state));
        }
    }
    Err(Failure::Retry(Retry { after: None, reason: format!("{MAX_CONFLICTS} swaps of {} were lost", input.id) }))
}

/// The event and later ones went first. Its delivery has let its outputs out; its asker still wants to know what came of
/// it, where that is kept.
async fn settled<D: Decider, P: Ports>(
    ports: &P,
    input: Input<'_>,
    arrival: Arrival,
    state: D::State,
) -> Result<Ended<D::State>, Failure> {
    let outcome = match arrival {
        Arrival::Local => kept::<D, P>(ports, input).await.map_err(retry)?,
        Arrival::Delivered | Arrival::Intent => None,
    };
    Ok(match outcome {
        Some(outcome) => Ended::Outcome(outcome, state),
        None => Ended::Nothing(state),
    })
}

/// The delivery of an event that HTTP applied: where many such wait, writes it down as delivered, which drops them. A
/// lost swap is no matter: the next delivery tries again.
async fn make_room<S: State, P: Ports>(
    ports: &P,
    loaded: Loaded<S, P::Token>,
    input: Input<'_>,
    outcome: &Outcome,
    arrival: Arrival,
) -> Result<(), Failure> {
    if arrival != Arrival::Delivered || !loaded.stored.inbox.is_crowded() {
        return Ok(());
    }
    let mut inbox = loaded.stored.inbox;
    inbox.delivered(input.origin(), outcome).map_err(|error| Failure::Reject(error.to_string()))?;
    let stored = Stored { version: loaded.stored.version + 1, inbox, ..loaded.stored };
    let bytes = serde_json::to_vec(&stored).map_err(|error| Failure::Reject(error.to_string()))?;
    let _lost_or_not = ports.swap(loaded.token, bytes).await;
    Ok(())
}

fn kept_key(input: Input<'_>) -> String {
    crate::keys::key("outcome", &[input.id, &input.meta.event_id])
}

/// The outcome of an event without a business key, kept for good.
async fn kept<D: Decider, P: Ports>(ports: &P, input: Input<'_>) -> Result<Option<Outcome>, StoreError> {
    if !D::keeps_outcome(input.event) {
        return Ok(None);
    }
    let Some(forward) = read_forward(ports, &kept_key(input)).await? else { return Ok(None) };
    let text = forward.value.as_str().unwrap_or_default();
    serde_json::from_slice(text.as_bytes()).map(Some).map_err(|error| StoreError(error.to_string()))
}

/// Keeps it: after the swap and before the outputs go out.
async fn keep<D: Decider, P: Ports>(ports: &P, input: Input<'_>, outcome: &Outcome) -> Result<(), Failure> {
    if !D::keeps_outcome(input.event) {
        return Ok(());
    }
    let value = serde_json::to_string(outcome).map_err(|error| Failure::Reject(error.to_string()))?.into();
    let forward = Forward { key: kept_key(input), rank: 1, value };
    super::forward::write_forward(ports, &forward).await.map_err(retry)
}
