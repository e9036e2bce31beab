//! What a saga knows.

use super::{Move, Trigger, Turn};
use kit::aggregate::State;
use kit::events::order::CancellationReason;
use kit::events::saga::{Resolution, SagaStep};
use kit::json::Value;
use kit::time::Millis;
use serde::{Deserialize, Serialize};

/// Where a saga stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its order was not heard of.
    #[default]
    Absent,
    /// Waits for the items to be reserved.
    StockCheckPending,
    /// Waits for the payment.
    PaymentProcessing,
    /// The money was taken: waits for the order to be confirmed and its items to be sold.
    OrderConfirmation,
    /// Undoes, and waits for each undoing to be confirmed.
    Compensating,
    /// The order is confirmed, its items are sold.
    Completed,
    /// The order is cancelled, all is undone.
    Failed,
    /// Some undoing is not confirmed, however often it was asked for.
    Stuck,
}

impl Phase {
    /// Whether the saga is on its way to a confirmed order.
    #[must_use]
    pub fn is_forward(self) -> bool {
        matches!(self, Self::StockCheckPending | Self::PaymentProcessing | Self::OrderConfirmation)
    }
}

/// What the saga knows of an item's stock. It asks first: a state `…Asked` may or may not have had its effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stock {
    /// Never asked for.
    #[default]
    Untouched,
    /// Asked to be reserved.
    Asked,
    /// Set aside.
    Reserved,
    /// There was too little.
    Unavailable,
    /// Asked to be sold.
    SellAsked,
    /// Sold.
    Sold,
    /// Asked to be released, whatever it was.
    ReleaseAsked,
    /// Released.
    Released,
}

/// One product of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The product; inventory's aggregate.
    pub product: String,
    /// Pieces.
    pub quantity: u32,
    /// What became of them.
    pub stock: Stock,
}

/// What the saga knows of the money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaymentState {
    /// Not asked for yet.
    #[default]
    Unasked,
    /// Asked for: it may or may not have been taken.
    Asked,
    /// An attempt failed, another one follows.
    Waiting,
    /// Taken.
    Taken,
    /// Not taken, for good.
    Refused,
    /// Asked to go back, whether it was taken or not.
    RefundAsked,
    /// Gone back, or never taken.
    Refunded,
}

/// The payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Where it stands.
    pub state: PaymentState,
    /// The last attempt asked for; 0 before the first.
    pub attempt: u32,
    /// The transaction, once the money was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Minor units that went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded: Option<u64>,
}

/// What the saga knows of the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderStatus {
    /// Placed.
    #[default]
    Pending,
    /// Asked to be confirmed.
    ConfirmAsked,
    /// Confirmed.
    Confirmed,
    /// Asked to be cancelled.
    CancelAsked,
    /// Cancelled.
    Cancelled,
    /// With its customer.
    Delivered,
}

/// What the order says, as far as the saga passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Who ordered.
    pub customer: String,
    /// How the customer pays; empty where the order does not say.
    pub method: String,
    /// What there is to pay, in minor units.
    pub total: u64,
    /// In what, ISO 4217.
    pub currency: String,
}

/// A deadline that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// What it guards.
    pub step: SagaStep,
    /// Which one of the saga it is: a timer of another one is stale.
    pub generation: u32,
    /// When it runs out.
    pub due: Millis,
}

/// How a person closed a stuck saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// What was done.
    pub resolution: Resolution,
    /// By whom.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// What the person noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// A saga.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    /// Where it stands.
    pub phase: Phase,
    /// What the order says; `None` where it was cancelled before it was heard of.
    pub terms: Option<Terms>,
    /// The items, one a product.
    pub items: Vec<Item>,
    /// The money.
    pub payment: Payment,
    /// The order.
    pub order: OrderStatus,
    /// Why it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CancellationReason>,
    /// The phase it turned back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke_in: Option<Phase>,
    /// The deadlines that run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines: Vec<Deadline>,
    /// How many deadlines were set so far.
    pub generation: u32,
    /// How often the unconfirmed compensations were sent again.
    #[serde(default)]
    pub resends: u32,
    /// How a person took care of it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// What happened, oldest first. Decisions read it only to make the same moves again.
    pub history: Vec<Turn>,
}

impl State for Saga {
    const KIND: &'static str = "saga";
    const FORMAT: u32 = 2;

    fn upcast(format: u32, state: Value) -> Result<Value, String> {
        match format {
            1 => Ok(numbered(state)),
            other => Err(format!("no way from format {other} of a saga")),
        }
    }
}

/// Format 1 dropped a deadline by its step alone. Whichever it was, its timer runs out without effect.
fn numbered(mut saga: Value) -> Value {
    let turns = saga.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten();
    let moves = turns.filter_map(|turn| turn.get_mut("led").and_then(Value::as_array_mut)).flatten();
    for dropped in moves.filter_map(|step| step.get_mut("drop").and_then(Value::as_object_mut)) {
        dropped.insert("generation".to_owned(), 0.into());
    }
    saga
}

impl Saga {
    /// The turn that this cause led to, if it led to anything. A person's word has no business key: each is new.
    #[must_use]
    pub fn turn(&self, trigger: Trigger) -> Option<&Turn> {
        let same = |turn: &&Turn| turn.by == trigger && !turn.led.is_empty();
        self.history.iter().find(same).filter(|_| trigger != Trigger::Resolved)
    }

    /// Whether every item's stock is so.
    #[must_use]
    pub fn all(&self, stock: Stock) -> bool {
        self.items.iter().all(|item| item.stock == stock)
    }

    /// The running deadline of a step.
    #[must_use]
    pub fn deadline(&self, step: SagaStep) -> Option<&Deadline> {
        self.deadlines.iter().find(|deadline| deadline.step == step)
    }

    /// Whether the payment may have been, or have to be, given back.
    #[must_use]
    pub fn owes_money(&self) -> bool {
        matches!(
            self.payment.state,
            PaymentState::Asked | PaymentState::Taken | PaymentState::RefundAsked | PaymentState::Refunded
        )
    }

    /// Whether some item may be, or have been, set aside.
    #[must_use]
    pub fn holds_stock(&self) -> bool {
        self.items.iter().any(|item| !matches!(item.stock, Stock::Untouched | Stock::Unavailable))
    }

    /// Whether every compensation is confirmed.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        self.order == OrderStatus::Cancelled
            && self.payment.state != PaymentState::RefundAsked
            && self.items.iter().all(|item| item.stock != Stock::ReleaseAsked)
    }

    /// What was asked back and is not confirmed: items by their places, the money, the order's cancellation.
    #[must_use]
    pub fn outstanding(&self) -> (Vec<usize>, bool, bool) {
        let waits = |(place, item): (usize, &Item)| (item.stock == Stock::ReleaseAsked).then_some(place);
        let items = self.items.iter().enumerate().filter_map(waits).collect();
        (items, self.payment.state == PaymentState::RefundAsked, self.order == OrderStatus::CancelAsked)
    }

    /// Since when it needs a person; `None` where it does not.
    #[must_use]
    pub fn stuck_since(&self) -> Option<Millis> {
        let calls = |turn: &&Turn| turn.led.iter().any(|step| matches!(step, Move::Call { .. }));
        let last = self.history.iter().rev().find(calls).filter(|_| self.phase == Phase::Stuck);
        last.map(|turn| turn.at)
    }
}
