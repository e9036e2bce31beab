//! A saga as it is shown: where it stands, what it waits for, what happened.

use crate::domain::{
    CANCEL, Deadline, OrderStatus, PaymentState, Phase, REFUND, RELEASE, Saga, Stock, Turn, effects, reason_name,
    step_name,
};
use kit::aggregate::Effect;
use kit::ids;
use kit::time::Millis;
use serde::Serialize;

/// Answer of `GET /api/v1/sagas/{orderId}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SagaView {
    order_id: String,
    saga_id: String,
    state: Phase,
    steps: Vec<StepView>,
    order: OrderView,
    items: Vec<ItemView>,
    payment: PaymentView,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    compensations: Compensations,
    deadlines: Vec<DeadlineView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<ResolutionView>,
    timeline: Vec<TurnView>,
}

#[derive(Debug, Serialize)]
struct StepView {
    name: &'static str,
    /// `not-started`, `running`, `done`, `failed`, `compensating`, `compensated` or `stuck`.
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct OrderView {
    status: OrderStatus,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemView {
    product_id: String,
    quantity: u32,
    reservation_id: String,
    stock: Stock,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentView {
    payment_id: String,
    status: PaymentState,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded_amount: Option<u64>,
}

/// What is asked for and not confirmed.
#[derive(Debug, Serialize)]
struct Compensations {
    outstanding: Vec<CommandView>,
    /// How often these were sent again.
    resends: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CommandView {
    event: &'static str,
    aggregate_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadlineView {
    step: &'static str,
    due_at: String,
    generation: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResolutionView {
    resolution: kit::events::saga::Resolution,
    resolved_by: String,
    resolved_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TurnView {
    at: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<String>,
    led_to: Vec<ConsequenceView>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ConsequenceView {
    Sent(CommandView),
    #[serde(rename_all = "camelCase")]
    Set {
        deadline: String,
        due_at: String,
    },
    #[serde(rename_all = "camelCase")]
    Dropped {
        dropped_deadline: String,
    },
}

impl SagaView {
    /// Shows a saga.
    #[must_use]
    pub fn of(order_id: &str, saga: &Saga) -> Self {
        Self {
            order_id: order_id.to_owned(),
            saga_id: ids::saga(order_id),
            state: saga.phase,
            steps: steps(saga),
            order: OrderView { status: saga.order },
            items: items(order_id, saga),
            payment: PaymentView {
                payment_id: ids::payment(order_id),
                status: saga.payment.state,
                attempt: saga.payment.attempt,
                transaction_id: saga.payment.reference.clone(),
                refunded_amount: saga.payment.refunded,
            },
            reason: saga.reason.map(reason_name),
            compensations: Compensations { outstanding: outstanding(order_id, saga), resends: saga.resends },
            deadlines: saga.deadlines.iter().map(DeadlineView::of).collect(),
            resolution: saga.closing.as_ref().map(|closing| ResolutionView {
                resolution: closing.resolution,
                resolved_by: closing.by.clone(),
                resolved_at: closing.at.clone(),
                notes: closing.notes.clone(),
            }),
            timeline: saga.history.iter().map(|turn| TurnView::of(order_id, saga, turn)).collect(),
        }
    }
}

/// A saga that needs a person, in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StuckView {
    order_id: String,
    saga_id: String,
    /// `stuck`, unless it recovered a moment ago.
    state: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stuck_since: Option<String>,
    outstanding: Vec<CommandView>,
}

impl StuckView {
    /// Shows one.
    #[must_use]
    pub fn of(order_id: &str, saga: &Saga) -> Self {
        Self {
            order_id: order_id.to_owned(),
            saga_id: ids::saga(order_id),
            state: saga.phase,
            reason: saga.reason.map(reason_name),
            stuck_since: saga.stuck_since().map(Millis::rfc3339),
            outstanding: outstanding(order_id, saga),
        }
    }
}

impl DeadlineView {
    fn of(deadline: &Deadline) -> Self {
        Self { step: step_name(deadline.step), due_at: deadline.due.rfc3339(), generation: deadline.generation }
    }
}

impl TurnView {
    fn of(order_id: &str, saga: &Saga, turn: &Turn) -> Self {
        Self {
            at: turn.at.rfc3339(),
            event: turn.by.subject(),
            product_id: turn.by.item().and_then(|place| saga.items.get(place)).map(|item| item.product.clone()),
            led_to: effects(saga, order_id, turn).into_iter().map(ConsequenceView::of).collect(),
        }
    }
}

impl ConsequenceView {
    fn of(effect: Effect) -> Self {
        match effect {
            Effect::For(aggregate_id, event) => Self::Sent(CommandView { event: event.subject(), aggregate_id }),
            // The saga has no facts of its own.
            Effect::Fact(event) | Effect::Again(_, event) => {
                Self::Sent(CommandView { event: event.subject(), aggregate_id: String::new() })
            }
            Effect::Timer(name, Millis(due), _) => {
                Self::Set { deadline: step_of(&name), due_at: Millis(due).rfc3339() }
            }
            Effect::Cancel(name) => Self::Dropped { dropped_deadline: step_of(&name) },
        }
    }
}

/// The step of a timer's name, which also says the generation.
fn step_of(timer: &str) -> String {
    timer.split('/').next().unwrap_or(timer).to_owned()
}

fn items(order_id: &str, saga: &Saga) -> Vec<ItemView> {
    let show = |item: &crate::domain::Item| ItemView {
        product_id: item.product.clone(),
        quantity: item.quantity,
        reservation_id: ids::reservation(order_id, &item.product),
        stock: item.stock,
    };
    saga.items.iter().map(show).collect()
}

fn outstanding(order_id: &str, saga: &Saga) -> Vec<CommandView> {
    let (items, refund, cancel) = saga.outstanding();
    let command = |event, aggregate_id| CommandView { event, aggregate_id };
    let items = items.into_iter().filter_map(|place| saga.items.get(place));
    let mut commands: Vec<_> = items.map(|item| command(RELEASE, item.product.clone())).collect();
    if refund {
        commands.push(command(REFUND, ids::payment(order_id)));
    }
    if cancel {
        commands.push(command(CANCEL, order_id.to_owned()));
    }
    commands
}

/// The three steps. Where the saga turned back, the steps before that are undone and the one it broke in has failed.
fn steps(saga: &Saga) -> Vec<StepView> {
    const STEPS: [(&str, Phase); 3] = [
        ("stock-check", Phase::StockCheckPending),
        ("payment-processing", Phase::PaymentProcessing),
        ("order-confirmation", Phase::OrderConfirmation),
    ];
    let place_of = |phase: Phase| STEPS.iter().position(|(_, step)| *step == phase);
    let undone = match saga.phase {
        Phase::Stuck => "stuck",
        Phase::Compensating => "compensating",
        _ => "compensated",
    };
    let status = |place: usize| match (saga.phase, saga.broke_in) {
        (Phase::Completed, _) => "done",
        (Phase::Compensating | Phase::Failed | Phase::Stuck, None) => "not-started",
        (_, Some(Phase::Completed)) => undone,
        (phase, broke_in) => {
            let here = place_of(broke_in.unwrap_or(phase)).unwrap_or_default();
            match (place.cmp(&here), broke_in) {
                (std::cmp::Ordering::Less, None) => "done",
                (std::cmp::Ordering::Less, Some(_)) => undone,
                (std::cmp::Ordering::Equal, None) => "running",
                (std::cmp::Ordering::Equal, Some(_)) => "failed",
                (std::cmp::Ordering::Greater, _) => "not-started",
            }
        }
    };
    STEPS.iter().enumerate().map(|(place, (name, _))| StepView { name, status: status(place) }).collect()
}
