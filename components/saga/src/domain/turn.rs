//! What happened to a saga: a turn is a cause and the moves it led to.

use super::Saga;
use kit::aggregate::Input;
use kit::events::Event;
use kit::events::inventory::ReleaseReason;
use kit::events::order::CancellationReason;
use kit::events::saga::SagaStep;
use kit::time::Millis;
use serde::{Deserialize, Serialize};

/// A cause by its business key: two events of one trigger say the same. Items are named by their place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// `order.created`.
    Created,
    /// `inventory.stock.reserved`.
    Reserved(usize),
    /// `inventory.stock.unavailable`.
    Unavailable(usize),
    /// `payment.succeeded`.
    Succeeded,
    /// `payment.failed` of an attempt.
    Failed(u32),
    /// `order.confirmed`.
    Confirmed,
    /// `inventory.stock.sold`.
    Sold(usize),
    /// `order.delivered`.
    Delivered,
    /// `order.cancelled`.
    Cancelled,
    /// `inventory.stock.released`.
    Released(usize),
    /// `payment.refunded`.
    Refunded,
    /// `saga.timeout` of a step's generation.
    Timeout(SagaStep, u32),
    /// `saga.resolve`. It has no business key: the kit keeps the outcome of each.
    Resolved,
}

impl Trigger {
    /// What an event means to this saga; `None` where it means nothing, as with a product that is none of the order's.
    #[must_use]
    pub fn of(saga: &Saga, input: Input<'_>) -> Option<Self> {
        let item = || saga.items.iter().position(|item| item.product == input.meta.aggregate_id);
        match input.event {
            Event::OrderCreated(_) => Some(Self::Created),
            Event::OrderConfirmed(_) => Some(Self::Confirmed),
            Event::OrderCancelled(_) => Some(Self::Cancelled),
            Event::OrderDelivered(_) => Some(Self::Delivered),
            Event::InventoryStockReserved(_) => item().map(Self::Reserved),
            Event::InventoryStockUnavailable(_) => item().map(Self::Unavailable),
            // A reservation that expired by itself confirms nothing: the sale renews it, the release answers for itself.
            Event::InventoryStockReleased(data) if data.reason == ReleaseReason::ReservationExpired => None,
            Event::InventoryStockReleased(_) => item().map(Self::Released),
            Event::InventoryStockSold(_) => item().map(Self::Sold),
            Event::PaymentSucceeded(_) => Some(Self::Succeeded),
            Event::PaymentFailed(failed) => Some(Self::Failed(failed.attempt_number)),
            Event::PaymentRefunded(_) => Some(Self::Refunded),
            Event::SagaTimeout(timeout) => Some(Self::Timeout(timeout.step, timeout.generation)),
            Event::SagaResolve(_) => Some(Self::Resolved),
            _ => None,
        }
    }

    /// The event's subject.
    #[must_use]
    pub fn subject(self) -> &'static str {
        match self {
            Self::Created => "order.created",
            Self::Reserved(_) => "inventory.stock.reserved",
            Self::Unavailable(_) => "inventory.stock.unavailable",
            Self::Succeeded => "payment.succeeded",
            Self::Failed(_) => "payment.failed",
            Self::Confirmed => "order.confirmed",
            Self::Sold(_) => "inventory.stock.sold",
            Self::Delivered => "order.delivered",
            Self::Cancelled => "order.cancelled",
            Self::Released(_) => "inventory.stock.released",
            Self::Refunded => "payment.refunded",
            Self::Timeout(..) => "saga.timeout",
            Self::Resolved => "saga.resolve",
        }
    }

    /// The item it concerns, by its place.
    #[must_use]
    pub fn item(self) -> Option<usize> {
        match self {
            Self::Reserved(item) | Self::Unavailable(item) | Self::Sold(item) | Self::Released(item) => Some(item),
            _ => None,
        }
    }
}

/// What the saga does. With the order's terms a move says completely what goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// Reserve every item.
    Check,
    /// Take the money.
    Charge {
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// Confirm the order, which the transaction `reference` paid.
    Confirm {
        /// The payment's transaction.
        reference: String,
    },
    /// Sell every item.
    Sell,
    /// Release these items.
    Release {
        /// By their places.
        items: Vec<usize>,
        /// Why.
        reason: ReleaseReason,
    },
    /// Give the money back, whether it was taken or not.
    Refund {
        /// Why.
        reason: CancellationReason,
    },
    /// Cancel the order.
    Cancel {
        /// Why.
        reason: CancellationReason,
        /// Whether money has to go back.
        refund: bool,
        /// Whether stock has to go back.
        release: bool,
    },
    /// Set a deadline.
    Set {
        /// Of what.
        step: SagaStep,
        /// Which one.
        generation: u32,
        /// When it runs out.
        due: Millis,
    },
    /// Call a person: these were asked back, however often, and nobody confirmed it.
    Call {
        /// Items by their places.
        items: Vec<usize>,
        /// Whether the money is among them.
        refund: bool,
        /// Whether the order's cancellation is.
        cancel: bool,
        /// Why it is undone, as it was known then; the saga may learn better.
        #[serde(default = "by_customer")]
        reason: CancellationReason,
    },
    /// The person is not needed any more.
    Recover,
    /// Drop the deadline of a step.
    Drop {
        /// Of what.
        step: SagaStep,
        /// Which one; 0, which none has, in sagas of format 1.
        generation: u32,
    },
}

/// One cause and its consequences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When.
    pub at: Millis,
    /// The cause.
    pub by: Trigger,
    /// The moves, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub led: Vec<Move>,
}

/// What a call said of its reason before it kept it, where the saga knew none.
fn by_customer() -> CancellationReason {
    CancellationReason::CustomerRequest
}
