//! Aggregates: one value `{format, version, state, inbox}` a key, changed by compare-and-swap alone.

use crate::events::{Emission, Event, Failure, Metadata, Output, Retry, Timer};
use crate::inbox::{Inbox, Known, Origin, Outcome};
use crate::json;
use crate::ports::{Ports, StoreError, SwapError};
use crate::time::Millis;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

mod change;
mod execute;
mod forward;
mod kept;

pub use change::{Change, Decision, Effect};
pub use execute::{LocalAnswer, apply_locally, execute};
pub use forward::{Forward, read_forward, write_forward};

/// The state of an aggregate.
pub trait State: Clone + Default + Serialize + DeserializeOwned {
    /// What kind of aggregate; its key is `<kind>/<id>`.
    const KIND: &'static str;
    /// Version of this struct as it is stored. Raise it with every incompatible change, and teach [`State::upcast`].
    const FORMAT: u32;

    /// Turns a stored state of an older format into the one after it.
    ///
    /// # Errors
    /// Where it cannot be: the delivery is rejected, the value stays as it is.
    fn upcast(format: u32, _state: Value) -> Result<Value, String> {
        Err(format!("no way from format {format} of a {}", Self::KIND))
    }
}

/// What a decision reads beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The aggregate's id.
    pub id: &'a str,
    /// What is known of the event.
    pub meta: &'a Metadata,
    /// The event.
    pub event: &'a Event,
    /// The version that the aggregate has once this decision is written; a fact that may be asked for again keeps it.
    pub version: u64,
}

impl Input<'_> {
    /// The time of the decision.
    #[must_use]
    pub fn now(&self) -> Millis {
        Millis(self.meta.delivered_at)
    }

    /// Where the event comes from.
    #[must_use]
    pub fn origin(&self) -> Origin<'_> {
        Origin { source: &self.meta.source, sequence: self.meta.sequence, event_id: &self.meta.event_id }
    }
}

/// Decides what an event changes. Synchronous; what it reads beside the state is loaded before.
#[expect(async_fn_in_trait, reason = "a component runs on one thread; the simulation too")]
pub trait Decider {
    /// The aggregate's state.
    type State: State;
    /// What else it reads: settings, settled values. Loaded after each load of the state.
    type Facts;

    /// Loads the facts.
    async fn facts<P: Ports>(ports: &P, state: &Self::State, input: Input<'_>) -> Result<Self::Facts, StoreError>;

    /// Decides. With an empty inbox a repeated event must change nothing and emit the same facts again.
    fn decide(state: &Self::State, facts: &Self::Facts, input: Input<'_>) -> Decision<Self::State>;

    /// Whether this event has no business key that makes a repeat harmless, so that its outcome is kept in a value of
    /// its own, for good.
    fn keeps_outcome(_event: &Event) -> bool {
        false
    }
}

/// An aggregate as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored<S> {
    /// [`State::FORMAT`] at the time of writing.
    pub format: u32,
    /// Grows by one with every write; 0 where it was never written.
    pub version: u64,
    /// The state.
    pub state: S,
    /// What it answered to which event.
    #[serde(default)]
    pub inbox: Inbox,
}

/// An aggregate as it was loaded.
#[derive(Debug)]
pub struct Loaded<S, T> {
    /// What was there; the default state at version 0 where nothing was.
    pub stored: Stored<S>,
    token: T,
    /// Bytes of the value.
    length: usize,
}

/// What a change makes a value longer by, mostly: the outcome of one more source.
const GROWTH: usize = 1_024;

/// The key of an aggregate.
#[must_use]
pub fn aggregate_key<S: State>(id: &str) -> String {
    crate::keys::key(S::KIND, &[id])
}

/// Loads an aggregate in order to change it.
///
/// # Errors
/// `Retry` where the store does not answer, `Reject` where the value cannot be read.
pub async fn load<S: State, P: Ports>(ports: &P, id: &str) -> Result<Loaded<S, P::Token>, Failure> {
    let entry = ports.read(&aggregate_key::<S>(id)).await.map_err(retry)?;
    let length = entry.value.as_ref().map_or(0, Vec::len);
    let stored = match entry.value {
        Some(bytes) => parse::<S>(&bytes).map_err(|why| Failure::Reject(format!("{} {id}: {why}", S::KIND)))?,
        None => Stored { format: S::FORMAT, ..Stored::default() },
    };
    Ok(Loaded { stored, token: entry.token, length })
}

/// Reads an aggregate's state and version, for queries. `None` where it was never written.
///
/// # Errors
/// Where the store does not answer or the value cannot be read.
pub async fn read<S: State, P: Ports>(ports: &P, id: &str) -> Result<Option<(S, u64)>, StoreError> {
    let Some(bytes) = ports.get(&aggregate_key::<S>(id)).await? else { return Ok(None) };
    glance::<S>(&bytes).map(Some).map_err(|why| unreadable::<S>(id, &why))
}

/// State and version without the inbox, which may be longer than both.
fn glance<S: State>(bytes: &[u8]) -> Result<(S, u64), String> {
    if is_current::<S>(bytes) {
        let Glance { version, state } = json::from_slice(bytes).map_err(|error| error.to_string())?;
        return Ok((state, version));
    }
    parse::<S>(bytes).map(|stored| (stored.state, stored.version))
}

#[derive(Deserialize)]
struct Glance<S> {
    version: u64,
    state: S,
}

fn unreadable<S: State>(id: &str, why: &str) -> StoreError {
    StoreError(format!("{} {id}: {why}", S::KIND))
}

/// Reads of some aggregates' states only what `T` names, for queries that need little of much. In the order of the ids;
/// `None` for one that was never written.
///
/// # Errors
/// As [`read`].
pub async fn read_parts<S: State, T: DeserializeOwned, P: Ports>(
    ports: &P,
    ids: &[String],
) -> Result<Vec<Option<T>>, StoreError> {
    let values = match ids {
        [id] => vec![ports.get(&aggregate_key::<S>(id)).await?],
        ids => ports.get_many(&ids.iter().map(|id| aggregate_key::<S>(id)).collect::<Vec<_>>()).await?,
    };
    let part = |(id, value): (&String, Option<Vec<u8>>)| {
        value.map(|bytes| part::<S, T>(&bytes).map_err(|why| unreadable::<S>(id, &why))).transpose()
    };
    ids.iter().zip(values).map(part).collect()
}

/// Part of a state. One of an older format comes up whole first.
fn part<S: State, T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if is_current::<S>(bytes) {
        let glance: Glance<T> = json::from_slice(bytes).map_err(|error| error.to_string())?;
        return Ok(glance.state);
    }
    let state = serde_json::to_vec(&parse::<S>(bytes)?.state).map_err(|error| error.to_string())?;
    json::from_slice(&state).map_err(|error| error.to_string())
}

/// `format` is written first, so the usual case is known without reading the value twice.
fn is_current<S: State>(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"{\"format\":") else { return false };
    let format = rest.split(|byte| *byte == b',').next().and_then(|format| std::str::from_utf8(format).ok());
    format.and_then(|format| format.parse().ok()) == Some(S::FORMAT)
}

/// Parses a stored aggregate, upcasting older formats step by step.
///
/// # Errors
/// Where it is malformed, of a newer format, or has no way up.
pub fn parse<S: State>(bytes: &[u8]) -> Result<Stored<S>, String> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    if is_current::<S>(bytes) {
        return json::from_slice(bytes).map_err(|error| error.to_string());
    }
    let Format { format } = json::from_slice(bytes).map_err(|error| error.to_string())?;
    if format == S::FORMAT {
        return json::from_slice(bytes).map_err(|error| error.to_string());
    }
    if format > S::FORMAT {
        return Err(format!("it has format {format}, this component knows up to {}: deploy the newer one", S::FORMAT));
    }
    let older: Stored<Value> = json::from_slice(bytes).map_err(|error| error.to_string())?;
    let state = (format..S::FORMAT).try_fold(older.state, |state, step| S::upcast(step, state))?;
    // Through text: one reader of the state in the binary, not two.
    let state = serde_json::from_str(&state.to_string()).map_err(|error| error.to_string())?;
    Ok(Stored { format: S::FORMAT, version: older.version, state, inbox: older.inbox })
}

/// How a write ended.
#[derive(Debug)]
pub enum Written<S> {
    /// It is in place; this is the outcome, and the state that was written.
    Done(Outcome, S),
    /// It is not, or it is not known: load again, which also tells.
    Again,
}

/// Writes a change and, unless `delivered` is `None`, its outcome into the inbox, in one swap.
///
/// # Errors
/// `Retry` where the store does not answer.
pub async fn commit<S: State, P: Ports>(
    ports: &P,
    loaded: Loaded<S, P::Token>,
    input: Input<'_>,
    change: Change<S>,
    arrival: Arrival,
) -> Result<Written<S>, Failure> {
    for forward in &change.forwards {
        write_forward(ports, forward).await.map_err(retry)?;
    }
    if arrival == Arrival::Delivered {
        kept::keep_forgotten(ports, &loaded.stored.inbox, input).await?;
    }
    let version = loaded.stored.version + 1;
    let keep = change.keep;
    let (state, outcome) = change.conclude(input, version);
    let mut stored = Stored { format: S::FORMAT, version, state, inbox: loaded.stored.inbox };
    let noted = match arrival {
        Arrival::Delivered => stored.inbox.delivered(input.origin(), &outcome, keep),
        Arrival::Local => stored.inbox.applied_locally(input.origin(), &outcome, keep),
        Arrival::Intent => Ok(()),
    };
    let bytes = noted.and_then(|()| json::to_vec_of(&stored, loaded.length + GROWTH));
    let bytes = bytes.map_err(|error| Failure::Reject(error.to_string()))?;
    match ports.swap(loaded.token, bytes).await {
        Ok(()) => Ok(Written::Done(outcome, stored.state)),
        Err(SwapError::Conflict | SwapError::Unknown(_)) => Ok(Written::Again),
    }
}

/// How an event came to the aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Delivered by the host.
    Delivered,
    /// Applied by the HTTP request that published it.
    Local,
    /// Not handled yet: this only writes down what is about to be tried outside.
    Intent,
}

/// A failure that comes back later.
#[must_use]
pub fn retry(error: StoreError) -> Failure {
    Failure::Retry(Retry { after: None, reason: error.0 })
}

#[cfg(test)]
pub(crate) mod tests;
