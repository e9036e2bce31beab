//! A saga under test, and the events of its peers. Knows no port.

use crate::domain::{Fulfilment, Saga, Settings};
use kit::aggregate::{Decider, Decision, Effect, Input};
use kit::events::inventory::{ReleaseReason, StockReleased, StockReserved, StockSold, StockUnavailable};
use kit::events::order::{
    CancellationReason, DeliveryAddress, DeliveryMethod, OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered,
    OrderItem, OrderType,
};
use kit::events::payment::{PaymentFailed, PaymentSucceeded, RefundMethod, RefundProcessed};
use kit::events::saga::{Resolution, SagaResolveRequested};
use kit::events::{Event, Metadata};
use kit::ids;
use kit::time::Millis;

pub const ORDER: &str = "o1";
const NOW: &str = "2026-01-15T10:30:00.000Z";

/// A saga, its clock and what it said last.
#[derive(Debug, Clone)]
pub struct Case {
    pub saga: Saga,
    pub settings: Settings,
    pub now: Millis,
    sequence: u64,
}

impl Case {
    pub fn new() -> Self {
        Self { saga: Saga::default(), settings: Settings::default(), now: Millis(1_768_473_000_000), sequence: 0 }
    }

    /// The decision, without taking it.
    pub fn decision(&self, from: &str, event: &Event) -> Decision<Saga> {
        let meta = meta(from, self.sequence, self.now);
        Fulfilment::decide(&self.saga, &self.settings, Input { id: ORDER, meta: &meta, event, version: self.sequence })
    }

    /// This event of aggregate `from` comes; what follows.
    pub fn effects(&mut self, from: &str, event: &Event) -> Vec<Effect> {
        self.sequence += 1;
        match self.decision(from, event) {
            Decision::Change(change) => {
                self.saga = change.state;
                change.effects
            }
            Decision::Ignore => Vec::new(),
            other => panic!("neither a change nor nothing: {other:?}"),
        }
    }

    /// This event of aggregate `from` comes, and exactly this follows: `subject>aggregate`, `+timer`, `-timer`.
    #[track_caller]
    pub fn when(&mut self, from: &str, event: Event, expected: &[&str]) -> &mut Self {
        let said: Vec<_> = self.effects(from, &event).iter().map(said).collect();
        assert_eq!(said, expected, "after {}", event.subject());
        self
    }

    /// This event comes; what follows is of no interest.
    pub fn given(&mut self, from: &str, event: Event) -> &mut Self {
        self.effects(from, &event);
        self
    }

    /// The deadline of a step runs out.
    #[track_caller]
    pub fn overdue(&mut self, step: &str, expected: &[&str]) -> &mut Self {
        let running = self.saga.deadlines.iter().find(|deadline| crate::domain::step_name(deadline.step) == step);
        let running = *running.unwrap_or_else(|| panic!("no deadline of {step} runs: {:?}", self.saga.deadlines));
        self.now = running.due;
        let event = timeout(running.step, running.generation);
        self.when(ORDER, event, expected)
    }

    #[track_caller]
    pub fn is(&mut self, phase: crate::domain::Phase) -> &mut Self {
        assert_eq!(self.saga.phase, phase);
        self
    }
}

pub fn meta(from: &str, sequence: u64, now: Millis) -> Metadata {
    Metadata {
        event_id: format!("event-{sequence}"),
        event_version: 1,
        aggregate_id: from.to_owned(),
        aggregate_version: None,
        occurred_at: now.rfc3339(),
        correlation_id: "correlation".to_owned(),
        causation_id: "cause".to_owned(),
        saga_id: None,
        source: "saga/TEST#1".to_owned(),
        sequence,
        key: ORDER.to_owned(),
        attempt: 1,
        delivered_at: now.0,
    }
}

/// An effect in short; a timer without its generation.
pub fn said(effect: &Effect) -> String {
    let step = |name: &str| name.split('/').next().unwrap_or(name).to_owned();
    match effect {
        Effect::Fact(event) | Effect::Again(_, event) => format!("{}!", event.subject()),
        Effect::For(id, event) => format!("{}>{id}", event.subject()),
        Effect::Timer(name, ..) => format!("+{}", step(name)),
        Effect::Cancel(name) => format!("-{}", step(name)),
    }
}

pub fn timeout(step: kit::events::saga::SagaStep, generation: u32) -> Event {
    Event::SagaTimeout(kit::events::saga::SagaTimeout {
        order_id: ORDER.to_owned(),
        saga_id: ids::saga(ORDER),
        step,
        generation,
        due_at: NOW.to_owned(),
    })
}

pub fn created(products: &[&str]) -> Event {
    let item = |product: &&str| OrderItem {
        product_id: (*product).to_owned(),
        artisan_id: "a1".to_owned(),
        quantity: 2,
        unit_price: 1_250,
        product_name: "Aceite".to_owned(),
    };
    Event::OrderCreated(OrderCreated {
        customer_id: "c1".to_owned(),
        items: products.iter().map(item).collect(),
        total_amount: 5_000,
        currency: "EUR".to_owned(),
        delivery_address: DeliveryAddress {
            street: "Calle Maestra 12".to_owned(),
            city: "Jaén".to_owned(),
            postal_code: "23001".to_owned(),
            coordinates: None,
        },
        order_type: OrderType::Delivery,
        requested_delivery_date: None,
        created_at: NOW.to_owned(),
        payment_method_id: Some("tok_ok".to_owned()),
    })
}

pub fn reserved(product: &str) -> Event {
    Event::InventoryStockReserved(StockReserved {
        order_id: ORDER.to_owned(),
        artisan_id: "a1".to_owned(),
        quantity_reserved: 2,
        remaining_stock: 10,
        reservation_expiry: NOW.to_owned(),
        reservation_id: ids::reservation(ORDER, product),
        unit_price: 1_250,
    })
}

pub fn unavailable() -> Event {
    Event::InventoryStockUnavailable(StockUnavailable {
        order_id: ORDER.to_owned(),
        quantity_requested: 2,
        available_stock: 1,
    })
}

pub fn released(product: &str, quantity: u32) -> Event {
    Event::InventoryStockReleased(StockReleased {
        order_id: ORDER.to_owned(),
        reservation_id: ids::reservation(ORDER, product),
        quantity_released: quantity,
        reason: ReleaseReason::OrderCancelled,
        new_available_stock: 12,
        released_at: NOW.to_owned(),
    })
}

pub fn sold(product: &str) -> Event {
    Event::InventoryStockSold(StockSold {
        order_id: ORDER.to_owned(),
        reservation_id: ids::reservation(ORDER, product),
        quantity_sold: 2,
        remaining_stock: 10,
    })
}

pub fn succeeded() -> Event {
    Event::PaymentSucceeded(PaymentSucceeded {
        order_id: ORDER.to_owned(),
        transaction_id: "txn-1".to_owned(),
        gateway_transaction_id: "gw-1".to_owned(),
        amount: 5_000,
        currency: "EUR".to_owned(),
        processed_at: NOW.to_owned(),
        payment_gateway: "sandbox".to_owned(),
        gateway_fee: 75,
        marketplace_fee: 500,
        artisan_amount: 4_425,
    })
}

pub fn failed(attempt: u32, retryable: bool) -> Event {
    Event::PaymentFailed(PaymentFailed {
        order_id: ORDER.to_owned(),
        error_code: "declined".to_owned(),
        error_message: "declined".to_owned(),
        gateway_error_code: None,
        retryable,
        failed_at: NOW.to_owned(),
        attempt_number: attempt,
        max_attempts: 3,
    })
}

pub fn refunded(amount: u64) -> Event {
    Event::PaymentRefunded(RefundProcessed {
        original_payment_id: ids::payment(ORDER),
        order_id: ORDER.to_owned(),
        refund_amount: amount,
        refund_reason: "customer-request".to_owned(),
        processed_at: NOW.to_owned(),
        gateway_refund_id: "gwr-1".to_owned(),
        refund_method: RefundMethod::Original,
        processing_time: 3,
    })
}

pub fn confirmed() -> Event {
    Event::OrderConfirmed(OrderConfirmed {
        confirmed_at: NOW.to_owned(),
        estimated_delivery_date: NOW.to_owned(),
        payment_reference: "txn-1".to_owned(),
        tracking_number: None,
        artisan_notified: true,
    })
}

pub fn cancelled(reason: CancellationReason) -> Event {
    Event::OrderCancelled(OrderCancelled {
        reason,
        cancelled_at: NOW.to_owned(),
        refund_required: false,
        refund_amount: None,
        cancelled_by: "c1".to_owned(),
        compensation_actions: Vec::new(),
    })
}

pub fn delivered() -> Event {
    Event::OrderDelivered(OrderDelivered {
        delivered_at: NOW.to_owned(),
        delivery_method: DeliveryMethod::Courier,
        recipient_name: "Lucía".to_owned(),
        recipient_signature: None,
        delivery_photos: None,
        delivery_notes: None,
        quality_rating: None,
    })
}

pub fn resolve(resolution: Resolution) -> Event {
    Event::SagaResolve(SagaResolveRequested {
        resolution,
        resolved_by: "ana".to_owned(),
        resolved_at: NOW.to_owned(),
        notes: None,
    })
}

/// The payment's aggregate.
pub fn payment() -> String {
    ids::payment(ORDER)
}
