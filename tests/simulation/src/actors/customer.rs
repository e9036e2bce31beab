//! A customer: orders, pays in good faith or not, looks, and changes its mind at any moment.

use super::{artisan, get, insist, pause};
use crate::world::World;
use kit::json::{Value, json};
use std::sync::Arc;

/// Cards: most are good.
const CARDS: [&str; 8] =
    ["tok_ok", "tok_ok", "tok_ok", "tok_ok", "tok_declined", "tok_busy", "tok_timeout", "tok_timeout"];

/// Orders as often as the plan says.
pub async fn shop(world: Arc<World>, number: usize) {
    for order in 1..=world.plan.orders {
        pause(&world).await;
        let request = format!("customer-{number}-order-{order}");
        let body = order_of(&world, number, &request);
        let answer = insist(&world, "/api/v1/orders", &request, &body).await;
        let Some((201, order)) = answer else { continue };
        let id = order["orderId"].as_str().unwrap_or_default().to_owned();
        {
            let mut model = world.model.lock();
            if let Err(what) = model.promises().placed(&request, &id) {
                model.wrong(what);
            }
        }
        look(&world, &id).await;
        if world.roll(|dice| dice.chance(1, 3)) {
            change_mind(&world, &id).await;
        }
    }
}

fn order_of(world: &World, number: usize, request: &str) -> Value {
    let (lines, card) = world.roll(|dice| {
        let lines = dice.between(1, 3);
        let mut line = || {
            let product = artisan::product(1 + dice.index(world.plan.products));
            json!({ "productId": product, "quantity": dice.between(1, 2) })
        };
        let lines: Vec<Value> = (0..lines).map(|_| line()).collect();
        (lines, *dice.pick(&CARDS))
    });
    json!({
        "customerId": format!("customer-{number}"), "orderType": "delivery", "currency": "EUR",
        "paymentMethodId": card, "items": lines,
        // By it the model knows the order again.
        "deliveryAddress": { "street": request, "city": "Jaén", "postalCode": "23001" },
    })
}

/// What was promised is seen, unless the reader lags.
async fn look(world: &Arc<World>, id: &str) {
    let Some((status, _)) = get(world, &format!("/api/v1/orders/{id}")).await else { return };
    if status == 404 && world.plan.rates.stale == 0 {
        world.model.lock().wrong(format!("its customer was told of order {id}, and cannot see it"));
    }
}

async fn change_mind(world: &Arc<World>, id: &str) {
    if world.roll(|dice| dice.chance(1, 2)) {
        pause(world).await;
    }
    cancel(world, id, &format!("cancel-{id}")).await;
}

/// Cancels an order, under a key.
pub async fn cancel(world: &Arc<World>, id: &str, key: &str) {
    let path = format!("/api/v1/orders/{id}/cancel");
    if let Some((200, order)) = insist(world, &path, key, &json!({})).await {
        let mut model = world.model.lock();
        if order["status"] == "cancelled" {
            model.promises().cancelled.insert(id.to_owned());
        } else {
            let status = &order["status"];
            model.wrong(format!("the cancellation of {id} is answered with 200, and the order is {status}"));
        }
    }
}
