//! Mutations: each makes the product behave as if it had one particular defect. The simulation has to find every one of
//! them, or it proves nothing.
//!
//! They are made at the seams that the product is driven through (ports, verdicts, keys of the manifest), so that no
//! switch for them exists in what ships.

use crate::world::World;
use a4co_host::dispatch::{Delivery, Effect, Verdict};
use a4co_host::event::Event;
use bytes::Bytes;
use kit::http::Request;
use kit::json::{self, Value, json};

/// The product that is never released: the second where there are several.
const NEVER_RELEASED: &str = "product-2";

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// A redelivery decides again: the inbox is never looked into.
    SkipInbox,
    /// The inbox keeps the last outcome in all, not the last of each source.
    InboxOfOne,
    /// An aggregate is written over whatever is there.
    NoVersionCheck,
    /// A swap whose outcome is unknown is taken for done.
    UnknownIsDone,
    /// An event is handed out though an earlier one of its key is not settled.
    HandOutBeforeSettled,
    /// An event is acknowledged before it is handled.
    AckBeforeHandling,
    /// A redelivery is acknowledged without its outputs: it was handled before, was it not?
    NoOutputsOnRepeat,
    /// A handler that asks for a retry is taken for one that is done.
    RetryIsDone,
    /// Ids of emissions are new each time.
    RandomIds,
    /// A saga's deadlines are never set.
    LostTimer,
    /// A release that comes before its reservation leaves nothing behind.
    NoTombstone,
    /// A release puts back the count from before the reservation, not the pieces.
    RestoreOldStock,
    /// Reserved pieces count as free.
    Oversell,
    /// The outcome of what has no business key is not kept.
    ForgetOutcome,
    /// A settled claim leaves the aggregate and is kept nowhere.
    EvictForGood,
    /// A repeated request finds no record of the first one.
    NoRecord,
    /// An answer leaves before what it tells is on disk.
    AnswerBeforeFlush,
    /// Each call to the gateway has a key of its own.
    NewGatewayKey,
    /// A void is not made: what was not answered was not charged, was it?
    NoVoid,
    /// A confirmation does not look whether the order is cancelled.
    ConfirmCancelled,
    /// One product is never released, however often it is due.
    NoRelease,
}

/// All of them.
pub const ALL: [Mutation; 21] = [
    Mutation::SkipInbox,
    Mutation::InboxOfOne,
    Mutation::NoVersionCheck,
    Mutation::UnknownIsDone,
    Mutation::HandOutBeforeSettled,
    Mutation::AckBeforeHandling,
    Mutation::NoOutputsOnRepeat,
    Mutation::RetryIsDone,
    Mutation::RandomIds,
    Mutation::LostTimer,
    Mutation::NoTombstone,
    Mutation::RestoreOldStock,
    Mutation::Oversell,
    Mutation::ForgetOutcome,
    Mutation::EvictForGood,
    Mutation::NoRecord,
    Mutation::AnswerBeforeFlush,
    Mutation::NewGatewayKey,
    Mutation::NoVoid,
    Mutation::ConfirmCancelled,
    Mutation::NoRelease,
];

/// What a component reads under a key.
pub fn read(world: &World, key: &str, value: Option<Bytes>) -> Option<Bytes> {
    let Some(mutation) = world.mutation else { return value };
    match mutation {
        Mutation::SkipInbox if is_aggregate(key) => edit(value, |value| {
            value["inbox"] = json!({});
        }),
        Mutation::Oversell if key.starts_with("inventory/stock/") => edit(value, |value| {
            let counts = &mut value["state"]["counts"];
            let lent = counts["reserved"].as_u64().unwrap_or(0);
            for name in ["available", "received"] {
                counts[name] = json!(counts[name].as_u64().unwrap_or(0) + lent);
            }
        }),
        Mutation::ForgetOutcome if key.contains("/outcome/") => None,
        Mutation::EvictForGood if key.starts_with("inventory/settled/") => None,
        Mutation::NoRecord if key.contains("/idempotency/") => None,
        Mutation::ConfirmCancelled if key.starts_with("order/order/") => edit(value, |value| {
            let state = &mut value["state"];
            if state["status"] == "cancelled" && state["confirmed"].is_null() {
                state["status"] = json!("pending");
            }
        }),
        _ => value,
    }
}

/// What a component swaps in for what it read; `None` where it only believes so.
pub fn swapped(world: &World, key: &str, (was, is): (Option<Bytes>, Bytes)) -> Option<Bytes> {
    let Some(mutation) = world.mutation else { return Some(is) };
    let was: Value = was.and_then(|was| json::from_slice(&was).ok()).unwrap_or_default();
    match mutation {
        Mutation::SkipInbox if is_aggregate(key) => edit(Some(is), |value| keep_entries(&was["inbox"], value)),
        Mutation::InboxOfOne if is_aggregate(key) => edit(Some(is), |value| {
            if let Some(entries) = value.pointer_mut("/inbox/delivered").and_then(Value::as_object_mut) {
                let changed = |(source, entry): (&String, &Value)| was["inbox"]["delivered"][source] != *entry;
                if entries.iter().any(changed) {
                    entries.retain(|source, entry| changed((source, entry)));
                }
            }
        }),
        Mutation::Oversell if key.starts_with("inventory/stock/") => edit(Some(is), |value| {
            let counts = &mut value["state"]["counts"];
            let lent = was["state"]["counts"]["reserved"].as_u64().unwrap_or(0);
            for name in ["available", "received"] {
                counts[name] = json!(counts[name].as_u64().unwrap_or(0).saturating_sub(lent));
            }
        }),
        Mutation::NoTombstone if key.starts_with("inventory/stock/") => edit(Some(is), |value| {
            if let Some(orders) = value.pointer_mut("/state/orders").and_then(Value::as_object_mut) {
                orders.retain(|_, claim| claim["status"] != "released" || claim["quantity"] != 0);
            }
        }),
        Mutation::RestoreOldStock if key.starts_with("inventory/stock/") => edit(Some(is), |value| {
            restore(&was["state"], &mut value["state"]);
        }),
        Mutation::ConfirmCancelled if key.starts_with("order/order/") => edit(Some(is), |value| {
            if was["state"]["status"] == "cancelled" && value["state"]["status"] == "pending" {
                value["state"]["status"] = json!("cancelled");
            }
        }),
        _ => Some(is),
    }
}

/// What the inbox held that was not looked at.
fn keep_entries(was: &Value, is: &mut Value) {
    for (source, entry) in was["delivered"].as_object().into_iter().flatten() {
        if is["inbox"]["delivered"][source].is_null() {
            is["inbox"]["delivered"][source] = entry.clone();
        }
    }
    let local = is.pointer_mut("/inbox/local").and_then(Value::as_array_mut);
    if let (Some(before), Some(local)) = (was["local"].as_array(), local) {
        local.splice(0..0, before.iter().cloned());
    }
}

/// Where a held claim was released, what was free becomes what was free before it was held.
fn restore(was: &Value, is: &mut Value) {
    let released = is["orders"]
        .as_object()
        .into_iter()
        .flatten()
        .find(|(order, claim)| claim["status"] == "released" && was["orders"][order.as_str()]["status"] == "held");
    if let Some((_, claim)) = released {
        let free = claim["checked"]["free"].as_u64().unwrap_or(0) + claim["quantity"].as_u64().unwrap_or(0);
        is["counts"]["available"] = json!(free);
    }
}

/// What becomes of a verdict.
pub fn verdict(world: &World, delivery: &Delivery, verdict: Verdict) -> Verdict {
    let Some(mutation) = world.mutation else { return verdict };
    match (mutation, verdict) {
        (Mutation::NoOutputsOnRepeat, Verdict::Done(_)) if delivery.attempt > 1 => Verdict::Done(Vec::new()),
        (Mutation::RetryIsDone, Verdict::Retry { .. }) => Verdict::Done(Vec::new()),
        (Mutation::LostTimer, Verdict::Done(mut effects)) => {
            effects.retain(|effect| !matches!(effect, Effect::SetTimer(timer) if is_deadline(&timer.name)));
            Verdict::Done(effects)
        }
        (Mutation::NoRelease, Verdict::Done(mut effects)) => {
            effects.retain(|effect| !matches!(effect, Effect::Publish(event) if releases(event, NEVER_RELEASED)));
            Verdict::Done(effects)
        }
        (_, verdict) => verdict,
    }
}

/// Whether it is a timer of the saga's deadlines, whose names are `step/generation`.
fn is_deadline(timer: &str) -> bool {
    let step = timer.split('/').next().unwrap_or_default();
    matches!(step, "stock-check" | "payment-processing" | "order-confirmation" | "compensation" | "whole")
}

/// Whether an event is the command that releases a product.
fn releases(event: &Event, product: &str) -> bool {
    event.subject.as_str() == "inventory.stock.release"
        && event.envelope().is_ok_and(|envelope| envelope.aggregate_id == product)
}

/// What the gateway gets of a call.
pub fn called(world: &World, mut request: Request) -> Request {
    if world.mutated(Mutation::NewGatewayKey) {
        let key = world.new_id();
        for (name, value) in &mut request.headers {
            if name == "idempotency-key" {
                value.clone_from(&key);
            }
        }
    }
    if world.mutated(Mutation::NoVoid) && request.target.ends_with("/void") {
        // A key that was never charged: the gateway answers that nothing is under it.
        let never = format!("never-{}", world.new_id());
        request.target = format!("/gateway/charges/{never}/void");
    }
    request
}

fn is_aggregate(key: &str) -> bool {
    ["artisan/artisan/", "artisan/listing/", "inventory/stock/", "order/order/", "payment/payment/", "saga/saga/"]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}

/// A JSON value, changed.
fn edit(value: Option<Bytes>, change: impl FnOnce(&mut Value)) -> Option<Bytes> {
    let bytes = value?;
    let Ok(mut value) = json::from_slice::<Value>(&bytes) else { return Some(bytes) };
    change(&mut value);
    Some(value.to_string().into())
}
