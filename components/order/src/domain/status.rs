//! An order's own status, and the facts of its changes.

use super::{Facts, Order, Status, Told};
use kit::Event;
use kit::aggregate::{Change, Decision, Input};
use kit::events::order::{
    CancellationReason, OrderCancelRequested, OrderCancelled, OrderConfirmRequested, OrderConfirmed, OrderCreated,
    OrderDeliverRequested, OrderDelivered, OrderType,
};
use kit::ids;
use kit::inbox::Refusal;
use kit::time::{DAY, Millis};

/// Days from the confirmation until the goods arrive, where the customer wishes no later day.
const DELIVERY_DAYS: u64 = 3;
/// Days from the confirmation until the goods can be fetched.
const PICKUP_DAYS: u64 = 1;

/// The order is placed. One that was cancelled before it was heard of is cancelled at once.
pub(super) fn created(order: &Order, created: &OrderCreated, facts: &Facts, input: Input<'_>) -> Decision<Order> {
    let mut next = order.clone();
    if order.created.is_none() {
        next.id = input.id.to_owned();
        next.created = Some(created.clone());
        next.page = facts.page;
        if order.status == Status::Absent {
            next.status = Status::Pending;
        }
    } else if !order.tombstone {
        return Decision::Ignore;
    }
    let cancelled = next.cancelled.clone().filter(|_| next.tombstone);
    let change = Change::to(next).in_saga(ids::saga(input.id));
    match cancelled {
        Some(told) => again(change, &told, Event::OrderCancelled),
        None => change,
    }
    .decide()
}

/// The saga confirms. What was confirmed says so again, even where it was cancelled since: a copy of the command gets
/// a copy of its fact. An order cancelled before stays so and tells nothing: the saga hears of the cancellation.
pub(super) fn confirm(order: &Order, command: &OrderConfirmRequested, input: Input<'_>) -> Decision<Order> {
    let change = |order: Order| Change::to(order).in_saga(ids::saga(input.id));
    match (order.status, &order.created, &order.confirmed) {
        (Status::Pending, Some(created), _) => {
            let fact = OrderConfirmed {
                confirmed_at: input.now().rfc3339(),
                estimated_delivery_date: estimated_delivery(created, input.now()).rfc3339(),
                payment_reference: command.payment_reference.clone(),
                tracking_number: None,
                // Nobody has told them before: hearing this is what tells them.
                artisan_notified: false,
            };
            let told = Told { version: input.version, fact: fact.clone() };
            let next = Order { status: Status::Confirmed, confirmed: Some(told), ..order.clone() };
            change(next).fact(Event::OrderConfirmed(fact)).decide()
        }
        (_, _, Some(told)) => again(change(order.clone()), told, Event::OrderConfirmed).decide(),
        (Status::Cancelled, ..) => refuse(order, "order-cancelled", "the order is cancelled"),
        _ => Decision::Reject(format!("order {} was not heard of: handle its order.created first", input.id)),
    }
}

/// Why a delivered order is not cancelled.
#[must_use]
pub fn too_late_to_cancel() -> Refusal {
    Refusal::new("order-delivered", "the order is with its customer and cannot be cancelled")
}

/// Someone cancels. Only a delivered order cannot be; it says once more that it is delivered.
pub(super) fn cancel(order: &Order, command: &OrderCancelRequested, input: Input<'_>) -> Decision<Order> {
    let change = |order: Order| Change::to(order).in_saga(ids::saga(input.id));
    if let Some(told) = &order.delivered {
        return again(change(order.clone()), told, Event::OrderDelivered).refuse(too_late_to_cancel()).decide();
    }
    if let Some(told) = &order.cancelled {
        return again(change(order.clone()), told, Event::OrderCancelled).decide();
    }
    let fact = cancellation(order, command);
    let next = Order {
        status: Status::Cancelled,
        cancelled: Some(Told { version: input.version, fact: fact.clone() }),
        tombstone: order.created.is_none(),
        ..order.clone()
    };
    change(next).fact(Event::OrderCancelled(fact)).decide()
}

/// The goods were handed over: possible once all is sold.
pub(super) fn deliver(order: &Order, command: &OrderDeliverRequested, input: Input<'_>) -> Decision<Order> {
    if let Some(told) = &order.delivered {
        return again(Change::to(order.clone()), told, Event::OrderDelivered).decide();
    }
    match order.status {
        Status::Confirmed if order.is_sold() => {
            let fact = delivery(command);
            let told = Told { version: input.version, fact: fact.clone() };
            let next = Order { status: Status::Delivered, delivered: Some(told), ..order.clone() };
            Change::to(next).fact(Event::OrderDelivered(fact)).decide()
        }
        Status::Confirmed => refuse(order, "items-not-sold", "not every item is sold yet: try again in a moment"),
        Status::Cancelled => refuse(order, "order-cancelled", "the order is cancelled"),
        Status::Absent | Status::Pending | Status::Delivered => {
            refuse(order, "order-not-confirmed", "the order is not confirmed yet")
        }
    }
}

fn again<T: Clone>(change: Change<Order>, told: &Told<T>, event: fn(T) -> Event) -> Change<Order> {
    change.again(told.version, event(told.fact.clone()))
}

fn refuse(order: &Order, code: &str, why: &str) -> Decision<Order> {
    Change::to(order.clone()).refuse(Refusal::new(code, why)).decide()
}

/// The command's words; what it leaves open follows from the order. Money that was taken goes back in any case: the
/// order may know more than who sent the command.
fn cancellation(order: &Order, command: &OrderCancelRequested) -> OrderCancelled {
    let refund = order.is_paid() || command.refund_required.unwrap_or_default();
    let total = order.created.as_ref().map(|created| created.total_amount);
    let actions = [(!order.stock.is_empty(), "stock-released"), (refund, "payment-refunded")];
    let open = || actions.iter().filter(|(due, _)| *due).map(|(_, action)| (*action).to_owned()).collect();
    OrderCancelled {
        reason: command.reason,
        cancelled_at: command.cancelled_at.clone(),
        refund_required: refund,
        refund_amount: if refund { command.refund_amount.or(total) } else { None },
        cancelled_by: command.cancelled_by.clone().unwrap_or_else(|| default_canceller(order, command.reason)),
        compensation_actions: command.compensation_actions.clone().unwrap_or_else(open),
    }
}

fn default_canceller(order: &Order, reason: CancellationReason) -> String {
    match (&order.created, reason) {
        (Some(created), CancellationReason::CustomerRequest) => created.customer_id.clone(),
        _ => "system".to_owned(),
    }
}

fn delivery(command: &OrderDeliverRequested) -> OrderDelivered {
    OrderDelivered {
        delivered_at: command.delivered_at.clone(),
        delivery_method: command.delivery_method,
        recipient_name: command.recipient_name.clone(),
        recipient_signature: command.recipient_signature.clone(),
        delivery_photos: command.delivery_photos.clone(),
        delivery_notes: command.delivery_notes.clone(),
        quality_rating: command.quality_rating,
    }
}

/// The day the customer wishes, unless that is too soon.
fn estimated_delivery(created: &OrderCreated, now: Millis) -> Millis {
    let days = match created.order_type {
        OrderType::Delivery => DELIVERY_DAYS,
        OrderType::Pickup => PICKUP_DAYS,
    };
    let soonest = now.plus(days * DAY);
    let wish = created.requested_delivery_date.as_deref().and_then(Millis::parse);
    wish.map_or(soonest, |wish| wish.max(soonest))
}
