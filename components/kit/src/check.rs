//! Decisions under test: given some events, when one more arrives, then what is expected follows. Knows no port.

use crate::aggregate::{Change, Decider, Decision, Effect, Input};
use crate::events::{Event, Metadata};
use crate::time::Millis;
use std::fmt::Debug;

/// An aggregate under test, with what its decisions read.
#[derive(Debug, Clone)]
pub struct Scenario<D: Decider> {
    /// The state so far.
    pub state: D::State,
    /// What else the decisions read.
    pub facts: D::Facts,
    id: String,
    now: Millis,
    sequence: u64,
}

impl<D: Decider> Scenario<D>
where
    D::State: Debug + PartialEq,
{
    /// A new aggregate, at an instant of 2026.
    pub fn new(id: &str, facts: D::Facts) -> Self {
        Self { state: D::State::default(), facts, id: id.to_owned(), now: Millis(1_768_473_000_000), sequence: 0 }
    }

    /// This happened before; its effects are of no interest.
    #[must_use]
    #[track_caller]
    pub fn given(mut self, event: Event) -> Self {
        if let Decision::Change(change) = self.decision(&event) {
            self.state = change.state;
        }
        self
    }

    /// Time passes.
    #[must_use]
    pub fn after(mut self, milliseconds: u64) -> Self {
        self.now = self.now.plus(milliseconds);
        self
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// This happens now.
    #[track_caller]
    pub fn when(&mut self, event: Event) -> Then<D::State> {
        let before = self.state.clone();
        let decision = self.decision(&event);
        if let Decision::Change(change) = &decision {
            self.state = change.state.clone();
        }
        Then { before, decision }
    }

    fn decision(&mut self, event: &Event) -> Decision<D::State> {
        self.sequence += 1;
        let meta = Metadata {
            event_id: format!("event-{}", self.sequence),
            event_version: 1,
            aggregate_id: self.id.clone(),
            aggregate_version: None,
            occurred_at: self.now.rfc3339(),
            correlation_id: "correlation".to_owned(),
            causation_id: "cause".to_owned(),
            saga_id: None,
            source: "test".to_owned(),
            sequence: self.sequence,
            key: self.id.clone(),
            attempt: 1,
            delivered_at: self.now.0,
        };
        D::decide(&self.state, &self.facts, Input { id: &self.id, meta: &meta, event, version: self.sequence })
    }
}

/// What a decision came to. Each check returns it, so that checks can be chained.
#[derive(Debug)]
pub struct Then<S> {
    before: S,
    decision: Decision<S>,
}

impl<S: Debug + PartialEq> Then<S> {
    /// The change.
    ///
    /// # Panics
    /// Where it is none.
    #[track_caller]
    #[expect(clippy::panic, reason = "for tests")]
    pub fn change(&self) -> &Change<S> {
        match &self.decision {
            Decision::Change(change) => change,
            other => panic!("expected a change, got {other:?}"),
        }
    }

    /// Exactly these effects follow.
    #[track_caller]
    pub fn leads_to(self, effects: &[Effect]) -> Self {
        assert_eq!(self.change().effects, effects);
        self
    }

    /// Exactly these subjects are published now, in order.
    #[track_caller]
    pub fn publishes(self, subjects: &[&str]) -> Self {
        let published: Vec<_> = self
            .change()
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Fact(event) | Effect::Again(_, event) | Effect::For(_, event) => Some(event.subject()),
                Effect::Timer(..) | Effect::Cancel(_) => None,
            })
            .collect();
        assert_eq!(published, subjects);
        self
    }

    /// It is refused with this code.
    #[track_caller]
    pub fn is_refused(self, code: &str) -> Self {
        assert_eq!(self.change().refusal.as_ref().map(|refusal| refusal.code.as_str()), Some(code));
        self
    }

    /// The state stays as it was.
    #[track_caller]
    pub fn keeps_the_state(self) -> Self {
        if let Decision::Change(change) = &self.decision {
            assert_eq!(change.state, self.before);
        }
        self
    }

    /// Nothing changes and nothing follows.
    #[track_caller]
    pub fn is_ignored(self) {
        assert!(matches!(self.decision, Decision::Ignore), "expected nothing, got {:?}", self.decision);
    }
}
