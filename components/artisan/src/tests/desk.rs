//! The desk: orders to make and low stock.

use super::{NOW, get, meta, with_artisan};
use crate::Artisan;
use kit::events::inventory::LowStockWarning;
use kit::events::order::{DeliveryAddress, OrderConfirmed, OrderCreated, OrderItem, OrderType};
use kit::json::json;
use kit::memory::{Memory, block_on};
use kit::time::Millis;
use kit::{Event, Worker};

fn order_created(artisan_id: &str) -> Event {
    Event::OrderCreated(OrderCreated {
        customer_id: "c".to_owned(),
        items: vec![OrderItem {
            product_id: "p-1".to_owned(),
            artisan_id: artisan_id.to_owned(),
            quantity: 2,
            unit_price: 3_400,
            product_name: "Cuenco".to_owned(),
        }],
        total_amount: 6_800,
        currency: "EUR".to_owned(),
        delivery_address: DeliveryAddress {
            street: "s".to_owned(),
            city: "c".to_owned(),
            postal_code: "p".to_owned(),
            coordinates: None,
        },
        order_type: OrderType::Delivery,
        requested_delivery_date: None,
        created_at: NOW.rfc3339(),
        payment_method_id: None,
    })
}

fn order_confirmed(at: Millis) -> Event {
    Event::OrderConfirmed(OrderConfirmed {
        confirmed_at: at.rfc3339(),
        estimated_delivery_date: at.rfc3339(),
        payment_reference: "r".to_owned(),
        tracking_number: None,
        artisan_notified: true,
    })
}

fn hear(memory: &Memory, id: &str, sequence: u64, event: Event) {
    let at = NOW.plus(sequence).rfc3339();
    assert_eq!(block_on(Artisan::handle(memory, meta(id, sequence, &at, &format!("e-{sequence}")), event)), Ok(vec![]));
}

#[test]
fn the_desk_holds_the_newest_confirmed_orders_and_warnings() {
    let memory = with_artisan();
    for number in 0..25_u64 {
        let id = format!("o-{number:02}");
        hear(&memory, &id, number, order_created("art-1"));
        hear(&memory, &id, 100 + number, order_confirmed(NOW.plus(number)));
    }
    hear(&memory, "o-unpaid", 300, order_created("art-1"));
    hear(&memory, "o-unknown", 301, order_confirmed(NOW));
    let (status, page) = get(&memory, "/api/v1/artisans/art-1/orders?pageSize=2");
    assert_eq!((status, &page["total"], &page["items"][0]["orderId"]), (200, &json!(20), &json!("o-24")));
    let before = memory.snapshot();
    hear(&memory, "o-03", 400, order_created("art-1"));
    hear(&memory, "o-03", 401, order_confirmed(NOW.plus(3)));
    hear(&memory, "o-24", 402, order_confirmed(NOW.plus(24)));
    assert_eq!(memory.snapshot(), before);

    let low = |left| {
        Event::InventoryStockLow(LowStockWarning {
            current_stock: left,
            warning_threshold: 5,
            critical_threshold: 2,
            artisan_id: "art-1".to_owned(),
            product_name: "Cuenco".to_owned(),
            category: "ceramica".to_owned(),
            last_restock_date: None,
            average_daily_sales: 1.0,
            estimated_stockout_date: NOW.rfc3339(),
        })
    };
    hear(&memory, "p-1", 502, low(3));
    hear(&memory, "p-1", 501, low(5));
    let (_, page) = get(&memory, "/api/v1/artisans/art-1/low-stock");
    assert_eq!((&page["total"], &page["items"][0]["currentStock"]), (&json!(1), &json!(3)));
}
