//! What a decision says: the new state, and what follows.

use super::{Emission, Event, Forward, Input, Outcome, Output, Timer};
use crate::inbox::Refusal;
use crate::time::Millis;

/// A decision.
#[derive(Debug, Clone)]
pub enum Decision<S> {
    /// Nothing changes and nothing follows: a stale event, or one of no concern. Nothing is written.
    Ignore,
    /// Write the state, then let the effects out.
    Change(Box<Change<S>>),
    /// It may work later.
    Retry(String),
    /// It never will: a person has to look at it.
    Reject(String),
}

/// The new state and what follows.
#[derive(Debug, Clone)]
pub struct Change<S> {
    /// The state to write.
    pub state: S,
    /// Set where this is a business no.
    pub refusal: Option<Refusal>,
    /// What follows, in order.
    pub effects: Vec<Effect>,
    /// Values beside the aggregate, written before it; each only moves forward.
    pub forwards: Vec<Forward>,
    /// Whether its outcome is to be kept for good: see [`super::Decider::keeps_outcome`].
    pub(super) keep: bool,
    saga: Option<String>,
}

/// One thing that follows.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A fact of this aggregate: carries its id and its new version.
    Fact(Event),
    /// A fact of this aggregate once more, with the version it had when it was new: a repeat must not pass for news.
    Again(u64, Event),
    /// An event of another aggregate: a command to it, or a fact with an id of its own.
    For(String, Event),
    /// An event of this aggregate, later.
    Timer(String, Millis, Event),
    /// Drop the timer of this name.
    Cancel(String),
}

impl<S> Change<S> {
    /// A change to `state`.
    #[must_use]
    pub fn to(state: S) -> Self {
        Self { state, refusal: None, effects: Vec::new(), forwards: Vec::new(), keep: false, saga: None }
    }

    /// A fact of this aggregate follows.
    #[must_use]
    pub fn fact(mut self, event: Event) -> Self {
        self.effects.push(Effect::Fact(event));
        self
    }

    /// A fact of this aggregate follows once more; `version` is the one it had when it was new.
    #[must_use]
    pub fn again(mut self, version: u64, event: Event) -> Self {
        self.effects.push(Effect::Again(version, event));
        self
    }

    /// An event for another aggregate follows.
    #[must_use]
    pub fn send(mut self, aggregate_id: impl Into<String>, event: Event) -> Self {
        self.effects.push(Effect::For(aggregate_id.into(), event));
        self
    }

    /// An event of this aggregate follows at `at`, unless it is cancelled or replaced by its name before.
    #[must_use]
    pub fn timer(mut self, name: impl Into<String>, at: Millis, event: Event) -> Self {
        self.effects.push(Effect::Timer(name.into(), at, event));
        self
    }

    /// The timer of this name is not needed any more.
    #[must_use]
    pub fn cancel(mut self, name: impl Into<String>) -> Self {
        self.effects.push(Effect::Cancel(name.into()));
        self
    }

    /// This is a business no; the effects follow all the same.
    #[must_use]
    pub fn refuse(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(refusal);
        self
    }

    /// Write this value before the aggregate.
    #[must_use]
    pub fn forward(mut self, forward: Forward) -> Self {
        self.forwards.push(forward);
        self
    }

    /// What follows belongs to this saga; without, to the one the event came with.
    #[must_use]
    pub fn in_saga(mut self, saga_id: impl Into<String>) -> Self {
        self.saga = Some(saga_id.into());
        self
    }

    /// The decision that is this change.
    #[must_use]
    pub fn decide(self) -> Decision<S> {
        Decision::Change(Box::new(self))
    }

    /// The new state, and what the inbox notes of how it came about.
    pub(super) fn conclude(self, input: Input<'_>, version: u64) -> (S, Outcome) {
        let saga_id = self.saga.or_else(|| input.meta.saga_id.clone());
        let emission = |aggregate_id: String, aggregate_version, event| Emission {
            aggregate_id,
            aggregate_version,
            saga_id: saga_id.clone(),
            event,
        };
        let own = || input.id.to_owned();
        let output = |effect| match effect {
            Effect::Fact(event) => Output::Emit(emission(own(), Some(version), event)),
            Effect::Again(then, event) => Output::Emit(emission(own(), Some(then), event)),
            Effect::For(id, event) => Output::Emit(emission(id, None, event)),
            Effect::Timer(name, at, event) => {
                Output::Timer(Timer { name, fire_at: at.0, emission: emission(own(), None, event) })
            }
            Effect::Cancel(name) => Output::CancelTimer(name),
        };
        let outputs = self.effects.into_iter().map(output).collect();
        let outcome = match self.refusal {
            Some(refusal) => Outcome::Refused(refusal, outputs),
            None => Outcome::Done(outputs),
        };
        (self.state, outcome)
    }
}
