//! An operator: hands over what is sold, cancels for others, replays dead letters, takes care of stuck sagas.

use super::{customer, insist, pause};
use crate::world::World;
use a4co_host::bus::{DeadLetter, EventBus as _};
use kit::json::json;
use std::sync::Arc;

/// Things an operator does in a run, at most.
const DEEDS: u64 = 14;

/// Works through a day.
pub async fn work(world: Arc<World>) {
    let deeds = world.roll(|dice| dice.between(2, DEEDS));
    for deed in 0..deeds {
        pause(&world).await;
        let orders = world.model.lock().orders();
        let what = world.roll(|dice| dice.between(0, 10));
        match what {
            0..=4 if !orders.is_empty() => {
                let order = world.roll(|dice| dice.pick(&orders).clone());
                deliver(&world, &order, deed).await;
            }
            5 if !orders.is_empty() => {
                let order = world.roll(|dice| dice.pick(&orders).clone());
                customer::cancel(&world, &order, &format!("operator-{deed}")).await;
            }
            6..=8 => replay_some(&world).await,
            _ => take_care(&world, deed).await,
        }
    }
}

async fn deliver(world: &Arc<World>, order: &str, deed: u64) {
    let path = format!("/api/v1/orders/{order}/deliver");
    if let Some((200, shown)) = insist(world, &path, &format!("deliver-{deed}"), &json!({})).await {
        let mut model = world.model.lock();
        if shown["status"] == "delivered" {
            model.promises().delivered.insert(order.to_owned());
        } else {
            let status = &shown["status"];
            model.wrong(format!("the delivery of {order} is answered with 200, and the order is {status}"));
        }
    }
}

/// Replays some of the dead letters, each maybe too early: what made it die may still be so.
async fn replay_some(world: &Arc<World>) {
    for letter in letters(world).await {
        if world.roll(|dice| dice.chance(1, 2)) {
            replay(world, &letter).await;
        }
    }
}

/// Replays every dead letter there is, and discards those that nobody can read.
pub async fn clear_letters(world: &Arc<World>) {
    for letter in letters(world).await {
        if world.model.lock().lies(&letter) {
            world.note(&"people", &format_args!("discards {}", letter.id));
            world.count("discarded");
            let _discarded = world.bus.discard(&letter.id).await;
            world.wrote();
        } else {
            replay(world, &letter).await;
        }
    }
}

/// The dead letters that lie.
pub async fn letters(world: &World) -> Vec<DeadLetter> {
    world.bus.dead_letters(usize::MAX, None).await.unwrap_or_default()
}

async fn replay(world: &World, letter: &DeadLetter) {
    let (component, subject, reason) = (&letter.component, &letter.event.subject, &letter.cause.reason);
    world.note(&"people", &format_args!("replays {subject} to {component}, which died: {reason}"));
    world.count("replay");
    // Where the bus is away, the next round does it.
    let _replayed = world.bus.replay(&letter.id).await;
    world.wrote();
}

/// Lets every stuck saga try again.
pub async fn take_care(world: &Arc<World>, round: u64) {
    let orders = world.model.lock().orders();
    for order in orders {
        let stuck = world.model.lock().saga_phase(&order) == "stuck";
        if stuck {
            let body = json!({ "resolution": "retry", "resolvedBy": "operator" });
            insist(world, &format!("/api/v1/sagas/{order}/resolve"), &format!("care-{round}"), &body).await;
        }
    }
}
