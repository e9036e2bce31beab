//! A saga on its way to its next state, with the moves made so far.

use super::{Deadline, Move, Phase, Saga, Settings, Stock, Trigger, Turn};
use kit::events::order::CancellationReason;
use kit::events::saga::SagaStep;
use kit::time::Millis;

/// Turns a saga keeps: above what an order of 50 items makes. Those that led to something stay; their number is
/// bounded by the steps, the attempts and the resends, and by how often a person retries.
const MAX_TURNS: usize = 192;

/// See the module.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) saga: Saga,
    settings: &'a Settings,
    now: Millis,
    moves: Vec<Move>,
    was: Phase,
}

impl<'a> Draft<'a> {
    pub(super) fn new(saga: Saga, settings: &'a Settings, now: Millis) -> Self {
        Self { was: saga.phase, saga, settings, now, moves: Vec::new() }
    }

    /// This follows.
    pub(super) fn go(&mut self, step: Move) {
        self.moves.push(step);
    }

    /// Sets the deadline of a step; one of an earlier generation is stale from now on.
    pub(super) fn set(&mut self, step: SagaStep) {
        self.drop(step);
        self.saga.generation += 1;
        let deadline =
            Deadline { step, generation: self.saga.generation, due: self.now.plus(self.settings.period(step)) };
        self.saga.deadlines.push(deadline);
        self.go(Move::Set { step, generation: deadline.generation, due: deadline.due });
    }

    /// Drops the deadline of a step, if it runs.
    pub(super) fn drop(&mut self, step: SagaStep) {
        if let Some(Deadline { generation, .. }) = self.saga.deadline(step).copied() {
            self.forget(step);
            self.go(Move::Drop { step, generation });
        }
    }

    /// Drops every deadline.
    pub(super) fn drop_all(&mut self) {
        for Deadline { step, generation, .. } in std::mem::take(&mut self.saga.deadlines) {
            self.go(Move::Drop { step, generation });
        }
    }

    /// The deadline of a step has run out: there is no timer left to cancel.
    pub(super) fn forget(&mut self, step: SagaStep) {
        self.saga.deadlines.retain(|running| running.step != step);
    }

    /// Moves an item on, if it stands where it should.
    pub(super) fn mark(&mut self, item: usize, from: Stock, to: Stock) -> bool {
        match self.saga.items.get_mut(item) {
            Some(item) if item.stock == from => {
                item.stock = to;
                true
            }
            _ => false,
        }
    }

    fn call(&mut self) {
        let (items, refund, cancel) = self.saga.outstanding();
        let reason = self.saga.reason.unwrap_or(CancellationReason::CustomerRequest);
        self.go(Move::Call { items, refund, cancel, reason });
    }

    /// The saga after this turn, and the turn.
    pub(super) fn finish(mut self, by: Trigger) -> (Saga, Turn) {
        match (self.was, self.saga.phase) {
            (Phase::Stuck, Phase::Stuck) => {}
            (_, Phase::Stuck) => self.call(),
            (Phase::Stuck, _) => self.go(Move::Recover),
            _ => {}
        }
        let turn = Turn { at: self.now, by, led: self.moves };
        self.saga.history.push(turn.clone());
        if self.saga.history.len() > MAX_TURNS
            && let Some(place) = self.saga.history.iter().position(|turn| turn.led.is_empty())
        {
            self.saga.history.remove(place);
        }
        (self.saga, turn)
    }
}
