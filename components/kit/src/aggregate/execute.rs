//! One event through one aggregate: load, look into the inbox, decide, swap; again on conflict.

use super::kept::{keep, keep_forgotten, kept};
use super::{
    Arrival, Decider, Decision, Input, Known, Loaded, Outcome, Output, State, Stored, Written, commit, load, retry,
};
use crate::events::{Event, Failure, Metadata, Retry};
use crate::ports::Ports;

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
        Ended::Outcome(outcome, _) => outcome.into_outputs(),
        Ended::Nothing(_) | Ended::NoRoom(_) => Vec::new(),
    })
}

/// What an HTTP request learns from applying its event before the delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum LocalAnswer<S> {
    /// This came of it; the state is the one after.
    Outcome(Outcome, S),
    /// The delivery and later ones went first, and it was not refused: the state tells the rest.
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
            Known::Settled if arrival == Arrival::Local => {
                return late::<D, P>(ports, input, loaded.stored.state).await;
            }
            Known::Settled => return Ok(Ended::Nothing(loaded.stored.state)),
            Known::Outcome(outcome) => {
                keep::<D, P>(ports, input, &outcome).await?;
                let state = loaded.stored.state.clone();
                make_room(ports, loaded, input, &outcome, arrival).await?;
                return Ok(Ended::Outcome(outcome, state));
            }
            Known::No => {}
        }
        if let Some(outcome) = kept::<D, P>(ports, input).await.map_err(retry)? {
            // It was kept after its swap: what was loaded before may be older than what came of it.
            let newer = load::<D::State, P>(ports, input.id).await?;
            return Ok(Ended::Outcome(outcome, newer.stored.state));
        }
        if arrival == Arrival::Local && !loaded.stored.inbox.has_room() {
            return Ok(Ended::NoRoom(loaded.stored.state));
        }
        let facts = D::facts(ports, &loaded.stored.state, input).await.map_err(retry)?;
        let change = match D::decide(&loaded.stored.state, &facts, input) {
            Decision::Ignore => return Ok(Ended::Nothing(loaded.stored.state)),
            Decision::Retry(reason) => return Err(Failure::Retry(Retry { after: None, reason })),
            Decision::Reject(reason) => return Err(Failure::Reject(reason)),
            Decision::Change(mut change) => {
                change.keep = D::keeps_outcome(input.event);
                *change
            }
        };
        if let Written::Done(outcome, state) = commit(ports, loaded, input, change, arrival).await? {
            keep::<D, P>(ports, input, &outcome).await?;
            return Ok(Ended::Outcome(outcome, state));
        }
    }
    Err(Failure::Retry(Retry { after: None, reason: format!("{MAX_CONFLICTS} swaps of {} were lost", input.id) }))
}

/// What a request is told whose event was delivered, and later ones after it, before it could apply it here: the outcome
/// that was kept; where none is, what the state says. The decision is taken once more and not written: a repeat changes
/// nothing, so a no today was a no then.
async fn late<D: Decider, P: Ports>(ports: &P, input: Input<'_>, state: D::State) -> Result<Ended<D::State>, Failure> {
    if let Some(outcome) = kept::<D, P>(ports, input).await.map_err(retry)? {
        return Ok(Ended::Outcome(outcome, state));
    }
    let facts = D::facts(ports, &state, input).await.map_err(retry)?;
    match D::decide(&state, &facts, input) {
        Decision::Change(change) => Ok(match change.refusal {
            Some(refusal) => Ended::Outcome(Outcome::Refused(refusal, Vec::new()), state),
            None => Ended::Nothing(state),
        }),
        Decision::Ignore => Ok(Ended::Nothing(state)),
        Decision::Retry(reason) => Err(Failure::Retry(Retry { after: None, reason })),
        Decision::Reject(reason) => Err(Failure::Reject(reason)),
    }
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
    if arrival != Arrival::Delivered || !loaded.stored.inbox.is_relieved_by(input.origin()) {
        return Ok(());
    }
    let mut inbox = loaded.stored.inbox;
    keep_forgotten(ports, &inbox, input).await?;
    // Its own outcome is kept already, where it has to be.
    inbox.delivered(input.origin(), outcome, false).map_err(|error| Failure::Reject(error.to_string()))?;
    let stored = Stored { version: loaded.stored.version + 1, inbox, ..loaded.stored };
    let bytes = serde_json::to_vec(&stored).map_err(|error| Failure::Reject(error.to_string()))?;
    let _lost_or_not = ports.swap(loaded.token, bytes).await;
    Ok(())
}
