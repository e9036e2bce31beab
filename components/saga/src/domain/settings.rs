//! How long the saga waits for what.

use kit::events::saga::SagaStep;
use kit::ports::duration_variable;
use kit::{Event, Ports};

/// Periods in milliseconds, from the variables of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `stock_deadline`: until all items are reserved.
    pub stock: u64,
    /// `payment_deadline`: until the payment's outcome is known, attempts included.
    pub payment: u64,
    /// `confirmation_deadline`: until the order is confirmed and its items are sold.
    pub confirmation: u64,
    /// `compensation_deadline`: until unconfirmed compensations are sent again, at last until the saga is stuck.
    pub compensation: u64,
    /// `saga_deadline`: until the order is confirmed and sold, from its creation.
    pub whole: u64,
    /// `payment_retry_delay`: before another attempt of the payment.
    pub retry_delay: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stock: 30_000,
            payment: 60_000,
            confirmation: 30_000,
            compensation: 30_000,
            whole: 300_000,
            retry_delay: 2_000,
        }
    }
}

impl Settings {
    /// Reads those that a decision about this event may need: the forward path is hot and each is a call to the host.
    pub(super) fn load<P: Ports>(ports: &P, event: &Event) -> Self {
        let default = Self::default();
        let read = |name, default| duration_variable(ports, name, default);
        match event {
            Event::OrderCreated(_) => Self {
                stock: read("stock_deadline", default.stock),
                whole: read("saga_deadline", default.whole),
                ..default
            },
            Event::InventoryStockReserved(_) => Self { payment: read("payment_deadline", default.payment), ..default },
            Event::OrderConfirmed(_) | Event::InventoryStockSold(_) => default,
            _ => Self {
                confirmation: read("confirmation_deadline", default.confirmation),
                compensation: read("compensation_deadline", default.compensation),
                retry_delay: read("payment_retry_delay", default.retry_delay),
                ..default
            },
        }
    }

    /// The period of a step.
    #[must_use]
    pub fn period(&self, step: SagaStep) -> u64 {
        match step {
            SagaStep::StockCheck => self.stock,
            SagaStep::PaymentProcessing => self.payment,
            SagaStep::OrderConfirmation => self.confirmation,
            SagaStep::Compensation => self.compensation,
            SagaStep::Whole => self.whole,
            SagaStep::PaymentRetry => self.retry_delay,
        }
    }
}
