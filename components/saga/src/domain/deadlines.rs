//! What follows where an answer stays out.

use super::draft::Draft;
use super::{Phase, compensate, forward};
use kit::events::order::CancellationReason;
use kit::events::saga::SagaStep;

/// A deadline has run out. A stale one, whose step is over or was entered again, is of no concern.
pub(super) fn overdue(draft: &mut Draft<'_>, step: SagaStep, generation: u32) -> bool {
    if draft.saga.deadline(step).is_none_or(|running| running.generation != generation) {
        return false;
    }
    draft.forget(step);
    match step {
        SagaStep::PaymentRetry => forward::charge(draft),
        SagaStep::Compensation => compensate::overdue(draft),
        SagaStep::StockCheck | SagaStep::PaymentProcessing | SagaStep::OrderConfirmation | SagaStep::Whole => {
            compensate::give_up(draft, reason(draft.saga.phase));
        }
    }
    true
}

/// Why an order is cancelled whose step took too long.
fn reason(phase: Phase) -> CancellationReason {
    match phase {
        Phase::PaymentProcessing => CancellationReason::PaymentFailed,
        _ => CancellationReason::InventoryUnavailable,
    }
}
