//! Moves as events: with the order's terms, a turn says completely what goes out, now and at every repeat.

use super::{Item, Move, Saga, Turn};
use kit::aggregate::Effect;
use kit::events::Event;
use kit::events::inventory::{ReleaseReason, StockCheckRequested, StockReleaseRequested, StockSellRequested};
use kit::events::order::{CancellationReason, OrderCancelRequested, OrderConfirmRequested};
use kit::events::payment::{PaymentProcessRequested, PaymentRefundRequested};
use kit::events::saga::{SagaRecovered, SagaStep, SagaStuck, SagaTimeout};
use kit::ids;
use kit::time::Millis;

/// Subjects of the commands that undo.
pub const RELEASE: &str = "inventory.stock.release";
/// The money's.
pub const REFUND: &str = "payment.refund";
/// The order's.
pub const CANCEL: &str = "order.cancel";

/// What a turn of this saga sends, sets and drops, in order.
#[must_use]
pub fn effects(saga: &Saga, order_id: &str, turn: &Turn) -> Vec<Effect> {
    let mut outgoing = Outgoing { saga, order_id, saga_id: ids::saga(order_id), at: turn.at, effects: Vec::new() };
    for step in &turn.led {
        outgoing.add(step);
    }
    outgoing.effects
}

/// The timer of a deadline. It names the generation: a cause that comes again sets its own timer again, long stale, and
/// must not take the place of the one that runs.
#[must_use]
pub fn timer_name(step: SagaStep, generation: u32) -> String {
    format!("{}/{generation}", step_name(step))
}

/// A step in the words of the wire.
#[must_use]
pub fn step_name(step: SagaStep) -> &'static str {
    match step {
        SagaStep::StockCheck => "stock-check",
        SagaStep::PaymentProcessing => "payment-processing",
        SagaStep::OrderConfirmation => "order-confirmation",
        SagaStep::Compensation => "compensation",
        SagaStep::Whole => "whole",
        SagaStep::PaymentRetry => "payment-retry",
    }
}

/// A reason in the words of the wire.
#[must_use]
pub fn reason_name(reason: CancellationReason) -> &'static str {
    match reason {
        CancellationReason::CustomerRequest => "customer-request",
        CancellationReason::PaymentFailed => "payment-failed",
        CancellationReason::InventoryUnavailable => "inventory-unavailable",
        CancellationReason::ArtisanUnavailable => "artisan-unavailable",
    }
}

struct Outgoing<'a> {
    saga: &'a Saga,
    order_id: &'a str,
    saga_id: String,
    at: Millis,
    effects: Vec<Effect>,
}

impl Outgoing<'_> {
    fn add(&mut self, step: &Move) {
        match step {
            Move::Check => self.each_item(Self::check),
            Move::Sell => self.each_item(Self::sell),
            Move::Release { items, reason } => {
                for item in items.iter().filter_map(|place| self.saga.items.get(*place)) {
                    self.send(item.product.clone(), self.release(item, *reason));
                }
            }
            Move::Charge { attempt } => self.send(ids::payment(self.order_id), self.charge(*attempt)),
            Move::Refund { reason } => self.send(ids::payment(self.order_id), self.refund(*reason)),
            Move::Confirm { reference } => self.send(self.order_id.to_owned(), self.confirm(reference)),
            Move::Cancel { reason, refund, release } => {
                self.send(self.order_id.to_owned(), self.cancel(*reason, *refund, *release));
            }
            Move::Set { step, generation, due } => {
                let event = self.timeout(*step, *generation, *due);
                self.effects.push(Effect::Timer(timer_name(*step, *generation), *due, event));
            }
            Move::Call { items, refund, cancel, reason } => {
                let commands = [(!items.is_empty(), RELEASE), (*refund, REFUND), (*cancel, CANCEL)];
                let stuck = self.stuck(commands, *reason);
                self.send(self.order_id.to_owned(), stuck);
            }
            Move::Recover => self.send(self.order_id.to_owned(), self.recovered()),
            Move::Drop { step, generation } => self.effects.push(Effect::Cancel(timer_name(*step, *generation))),
        }
    }

    fn send(&mut self, aggregate_id: String, event: Event) {
        self.effects.push(Effect::For(aggregate_id, event));
    }

    fn each_item(&mut self, command: fn(&Self, &Item) -> Event) {
        for item in &self.saga.items {
            self.send(item.product.clone(), command(self, item));
        }
    }

    fn check(&self, item: &Item) -> Event {
        Event::InventoryStockCheck(StockCheckRequested {
            order_id: self.order_id.to_owned(),
            quantity_requested: item.quantity,
            saga_id: self.saga_id.clone(),
        })
    }

    fn sell(&self, item: &Item) -> Event {
        Event::InventoryStockSell(StockSellRequested {
            order_id: self.order_id.to_owned(),
            reservation_id: ids::reservation(self.order_id, &item.product),
            quantity: item.quantity,
            saga_id: self.saga_id.clone(),
        })
    }

    fn release(&self, item: &Item, reason: ReleaseReason) -> Event {
        Event::InventoryStockRelease(StockReleaseRequested {
            order_id: self.order_id.to_owned(),
            reservation_id: ids::reservation(self.order_id, &item.product),
            reason,
            saga_id: self.saga_id.clone(),
        })
    }

    /// What there is to pay, in what.
    fn price(&self) -> (u64, String) {
        self.saga.terms.as_ref().map_or_else(Default::default, |terms| (terms.total, terms.currency.clone()))
    }

    fn charge(&self, attempt: u32) -> Event {
        let (amount, currency) = self.price();
        Event::PaymentProcess(PaymentProcessRequested {
            order_id: self.order_id.to_owned(),
            amount,
            currency,
            payment_method: self.saga.terms.as_ref().map(|terms| terms.method.clone()).unwrap_or_default(),
            saga_id: self.saga_id.clone(),
            attempt: Some(attempt),
            customer_id: self.saga.terms.as_ref().map(|terms| terms.customer.clone()),
        })
    }

    fn refund(&self, reason: CancellationReason) -> Event {
        let (amount, currency) = self.price();
        Event::PaymentRefund(PaymentRefundRequested {
            order_id: self.order_id.to_owned(),
            amount,
            currency,
            reason: reason_name(reason).to_owned(),
            saga_id: self.saga_id.clone(),
        })
    }

    fn confirm(&self, reference: &str) -> Event {
        Event::OrderConfirm(OrderConfirmRequested {
            payment_reference: reference.to_owned(),
            confirmed_at: self.at.rfc3339(),
            saga_id: self.saga_id.clone(),
        })
    }

    fn cancel(&self, reason: CancellationReason, refund: bool, release: bool) -> Event {
        let actions = [(release, "stock-released"), (refund, "payment-refunded")];
        Event::OrderCancel(OrderCancelRequested {
            reason,
            cancelled_at: self.at.rfc3339(),
            saga_id: self.saga_id.clone(),
            cancelled_by: Some("system".to_owned()),
            refund_required: Some(refund),
            refund_amount: refund.then(|| self.price().0),
            compensation_actions: Some(
                actions.iter().filter(|(done, _)| *done).map(|(_, action)| (*action).to_owned()).collect(),
            ),
        })
    }

    fn stuck(&self, commands: [(bool, &str); 3], reason: CancellationReason) -> Event {
        Event::SagaStuck(SagaStuck {
            order_id: self.order_id.to_owned(),
            saga_id: self.saga_id.clone(),
            reason,
            outstanding: commands.iter().filter(|(due, _)| *due).map(|(_, command)| (*command).to_owned()).collect(),
            stuck_at: self.at.rfc3339(),
        })
    }

    fn recovered(&self) -> Event {
        Event::SagaRecovered(SagaRecovered {
            order_id: self.order_id.to_owned(),
            saga_id: self.saga_id.clone(),
            recovered_at: self.at.rfc3339(),
        })
    }

    fn timeout(&self, step: SagaStep, generation: u32, due: Millis) -> Event {
        Event::SagaTimeout(SagaTimeout {
            order_id: self.order_id.to_owned(),
            saga_id: self.saga_id.clone(),
            step,
            generation,
            due_at: due.rfc3339(),
        })
    }
}
