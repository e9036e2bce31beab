//! The decisions of the saga: pure, one file a subject.
//!
//! `forward` leads to the confirmed order, `compensate` leads back, `deadlines` leads from the one to the other where
//! an answer stays out. Each of their functions changes a [`draft`] and notes the moves that follow; `effects` turns
//! moves into events. The moves of a turn are kept with what caused it, by business key: so a repeat of the cause, at
//! any later time and with an empty inbox, changes nothing and makes the same moves again.

mod compensate;
mod deadlines;
mod draft;
mod effects;
mod forward;
mod settings;
mod state;
mod turn;

pub use effects::{CANCEL, REFUND, RELEASE, effects, reason_name, step_name, timer_name};
pub use settings::Settings;
pub use state::{Closing, Deadline, Item, OrderStatus, Payment, PaymentState, Phase, Saga, Stock, Terms};
pub use turn::{Move, Trigger, Turn};

use draft::Draft;
use kit::aggregate::{Change, Decider, Decision, Effect, Input};
use kit::inbox::Refusal;
use kit::ports::StoreError;
use kit::{Event, Ports};

/// Most unconfirmed commands of a compensation are sent again so often before a person has to look at it.
pub const MAX_RESENDS: u32 = 3;

/// Decides for a saga.
#[derive(Debug)]
pub struct Fulfilment;

impl Decider for Fulfilment {
    type State = Saga;
    type Facts = Settings;

    async fn facts<P: Ports>(ports: &P, _state: &Saga, input: Input<'_>) -> Result<Settings, StoreError> {
        Ok(Settings::load(ports, input.event))
    }

    fn decide(saga: &Saga, settings: &Settings, input: Input<'_>) -> Decision<Saga> {
        let Some(trigger) = Trigger::of(saga, input) else { return Decision::Ignore };
        if let Some(turn) = saga.turn(trigger) {
            return change(saga.clone(), turn, input.id);
        }
        let mut draft = Draft::new(saga.clone(), settings, input.now());
        match step(&mut draft, trigger, input.event) {
            Step::Taken => {
                let (saga, turn) = draft.finish(trigger);
                change(saga, &turn, input.id)
            }
            Step::OfNoConcern => Decision::Ignore,
            Step::Refused(refusal) => Change::to(saga.clone()).refuse(refusal).decide(),
        }
    }

    fn keeps_outcome(event: &Event) -> bool {
        matches!(event, Event::SagaResolve(_))
    }
}

/// What came of an event.
#[derive(Debug)]
enum Step {
    /// The draft changed.
    Taken,
    /// It is stale, or too late to matter.
    OfNoConcern,
    /// A business no.
    Refused(Refusal),
}

impl From<bool> for Step {
    fn from(taken: bool) -> Self {
        if taken { Self::Taken } else { Self::OfNoConcern }
    }
}

fn step(draft: &mut Draft<'_>, trigger: Trigger, event: &Event) -> Step {
    match (trigger, event) {
        (Trigger::Created, Event::OrderCreated(order)) => forward::created(draft, order).into(),
        (Trigger::Reserved(item), _) => forward::reserved(draft, item).into(),
        (Trigger::Unavailable(item), _) => forward::unavailable(draft, item).into(),
        (Trigger::Succeeded, Event::PaymentSucceeded(payment)) => forward::succeeded(draft, payment).into(),
        (Trigger::Failed(_), Event::PaymentFailed(failure)) => forward::failed(draft, failure).into(),
        (Trigger::Confirmed, _) => forward::confirmed(draft).into(),
        (Trigger::Sold(item), _) => forward::sold(draft, item).into(),
        (Trigger::Delivered, _) => forward::delivered(draft).into(),
        (Trigger::Cancelled, Event::OrderCancelled(cancelled)) => compensate::cancelled(draft, cancelled.reason).into(),
        (Trigger::Released(item), _) => compensate::released(draft, item).into(),
        (Trigger::Refunded, Event::PaymentRefunded(refund)) => compensate::refunded(draft, refund.refund_amount).into(),
        (Trigger::Timeout(step, generation), _) => deadlines::overdue(draft, step, generation).into(),
        (Trigger::Resolved, Event::SagaResolve(resolve)) => compensate::resolve(draft, resolve),
        _ => Step::OfNoConcern,
    }
}

fn change(saga: Saga, turn: &Turn, order_id: &str) -> Decision<Saga> {
    let follow: Vec<Effect> = effects(&saga, order_id, turn);
    let mut change = Change::to(saga).in_saga(kit::ids::saga(order_id));
    change.effects = follow;
    change.decide()
}
