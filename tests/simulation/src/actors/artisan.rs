//! An artisan: registers, lists products, and corrects their numbers.

use super::{get, insist, pause};
use crate::world::World;
use kit::json::json;
use std::sync::Arc;
use std::time::Duration;

/// The one artisan there is.
const ID: &str = "artisan-1";
/// Looks until a listed product has to be known, 20 ms apart.
const LOOKS: u32 = 1_000;
/// Corrections in a run.
const CORRECTIONS: u64 = 6;

/// A product's id.
#[must_use]
pub fn product(number: usize) -> String {
    format!("product-{number}")
}

/// Opens the shop: returns once every product can be ordered.
pub async fn open(world: &Arc<World>) {
    let profile = json!({
        "artisanId": ID, "businessName": "Alfarería Tito", "contactEmail": "alfar@ubeda.test",
        "contactPhone": "+34 953 000 000",
        "businessAddress": {
            "street": "Calle Valencia 1", "city": "Úbeda", "province": "Jaén", "postalCode": "23400",
            "coordinates": { "lat": 38.01, "lng": -3.37 },
        },
    });
    insist(world, "/api/v1/artisans", "register", &profile).await;
    for number in 1..=world.plan.products {
        list(world, number).await;
    }
}

async fn list(world: &Arc<World>, number: usize) {
    let id = product(number);
    let (stock, price) = world.roll(|dice| (dice.between(0, 8), dice.between(1, 90) * 100));
    let listing = json!({
        "productId": id, "productName": format!("Cuenco {number}"), "category": "cerámica", "subcategory": "cuencos",
        "description": "Barro y esmalte", "price": price, "currency": "EUR", "initialStock": stock,
        "craftingTime": 2.5, "customizable": false,
    });
    insist(world, &format!("/api/v1/artisans/{ID}/products"), &format!("list-{id}"), &listing).await;
    for path in [format!("/api/v1/products/{id}"), format!("/api/v1/inventory/availability/{id}")] {
        let mut looks = 0;
        while get(world, &path).await.is_none_or(|(status, _)| status != 200) {
            looks += 1;
            if looks > LOOKS {
                world.model.lock().wrong(format!("{id} was listed, and {path} does not know it"));
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Corrects numbers now and then.
pub async fn work(world: Arc<World>) {
    let corrections = world.roll(|dice| dice.between(0, CORRECTIONS));
    for number in 0..corrections {
        pause(&world).await;
        let (product, quantity) = world.roll(|dice| {
            let product = product(1 + dice.index(world.plan.products));
            (product, if dice.chance(1, 3) { -1 } else { i64::try_from(dice.between(1, 4)).unwrap_or(1) })
        });
        let key = format!("correct-{number}");
        let reason = if quantity < 0 { "damage" } else { "restock" };
        let body = json!({
            "adjustmentQuantity": quantity, "adjustmentReason": reason, "adjustedBy": ID, "notes": key,
        });
        let path = format!("/api/v1/inventory/{product}/adjustments");
        let answer = insist(&world, &path, &key, &body).await;
        let mut model = world.model.lock();
        match answer.map(|(status, _)| status) {
            Some(200) => _ = model.promises().adjusted.insert(key),
            Some(409) => _ = model.promises().refused.insert(key),
            _ => {}
        }
    }
}
