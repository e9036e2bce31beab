//! The decisions of an order: pure, one file a subject.
//!
//! `status` moves the order itself and tells its facts; a fact that was told is kept, and told again in the same words
//! and with the same version wherever its command comes again. `reports` notes what inventory and payment report; it
//! tells nothing.

mod reports;
mod state;
mod status;

pub use state::{Order, PaymentReport, PaymentStatus, Status, Stock, Told};
pub use status::too_late_to_cancel;

use crate::index;
use kit::aggregate::{Decider, Decision, Input};
use kit::ports::StoreError;
use kit::{Event, Ports};

/// What decisions read beside the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// The page of the customer's list that a new order goes to.
    pub page: usize,
}

/// Decides for an order.
#[derive(Debug)]
pub struct Ordering;

impl Decider for Ordering {
    type State = Order;
    type Facts = Facts;

    async fn facts<P: Ports>(ports: &P, order: &Order, input: Input<'_>) -> Result<Facts, StoreError> {
        match input.event {
            Event::OrderCreated(created) if order.created.is_none() => {
                Ok(Facts { page: index::open_page(ports, &created.customer_id).await? })
            }
            _ => Ok(Facts::default()),
        }
    }

    fn decide(order: &Order, facts: &Facts, input: Input<'_>) -> Decision<Order> {
        match input.event {
            Event::OrderCreated(created) => status::created(order, created, facts, input),
            Event::OrderConfirm(command) => status::confirm(order, command, input),
            Event::OrderCancel(command) => status::cancel(order, command, input),
            Event::OrderDeliver(command) => status::deliver(order, command, input),
            other => reports::note(order, input.meta, other),
        }
    }

    /// A delivery that was refused may be possible later, so its refusal has to be kept for good. All other commands
    /// are refused in final states only.
    fn keeps_outcome(event: &Event) -> bool {
        matches!(event, Event::OrderDeliver(_))
    }
}
