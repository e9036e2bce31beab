//! A thousand buyers, one piece.

use anyhow::Result;
use end_to_end::{Host, Order, Reply, Settings, Shop, eventually};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::task::JoinSet;

const BUYERS: usize = 1_000;
const PRICE: u64 = 3_400;

async fn shop() -> Result<(Host, Shop)> {
    // A deadline would cancel what waits for the piece, and hide who lost the race.
    let settings = Settings::default().with("stock_deadline", "3m");
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-unica", 1, PRICE).await?;
    Ok((host, shop))
}

fn all_buy(shop: &Shop) -> JoinSet<Result<Reply>> {
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let shop = shop.clone();
        let order = Order { customer: format!("cust-{buyer}"), ..Order::of("prod-unica") };
        buyers.spawn(async move { shop.order(&order).await });
    }
    buyers
}

/// The ids of the orders that were taken. Every other buyer must have been told that there is not enough.
async fn taken(mut buyers: JoinSet<Result<Reply>>) -> Result<Vec<String>> {
    let mut orders = Vec::new();
    while let Some(reply) = buyers.join_next().await {
        let reply = reply??;
        match reply.status {
            201 => orders.push(reply.text_at("/orderId").to_owned()),
            409 => assert_eq!(reply.text_at("/code"), "insufficient-stock", "{}", reply.text),
            _ => anyhow::bail!("a buyer was answered neither yes nor no: {reply:?}"),
        }
    }
    Ok(orders)
}

async fn one_has_it_and_has_paid(shop: &Shop, orders: &[String]) -> Result<()> {
    let (mut confirmed, mut charges) = (Vec::new(), Vec::new());
    for order_id in orders {
        let order = shop.until(order_id, &["confirmed", "cancelled"]).await?;
        shop.saga_until(order_id, &["completed", "failed"]).await?;
        let story: &[&str] = if order.text_at("/status") == "confirmed" {
            confirmed.push(order_id.clone());
            &["inventory.stock.reserved", "order.confirmed", "order.created", "payment.succeeded"]
        } else {
            assert_eq!(order.text_at("/cancellation/reason"), "inventory-unavailable", "{}", order.text);
            &["order.cancelled", "order.created"]
        };
        let expected: BTreeMap<String, usize> = story.iter().map(|subject| ((*subject).to_owned(), 1)).collect();
        eventually(&format!("the buyer of {order_id} is told {story:?}, each once"), async || {
            let told = shop.told(order.text_at("/customerId"), order_id).await.ok()?;
            (told == expected).then_some(())
        })
        .await?;
        charges.extend(shop.money(order_id).await?.charged);
    }
    assert_eq!(confirmed.len(), 1, "one of {} orders gets the piece: {confirmed:?}", orders.len());
    assert_eq!(charges, [PRICE], "one is charged, once");
    assert_eq!(shop.stock("prod-unica").await?, (0, 0, 1));
    Ok(())
}

#[tokio::test]
async fn of_a_thousand_buyers_at_once_one_gets_the_piece() -> Result<()> {
    let (_host, shop) = shop().await?;
    let orders = taken(all_buy(&shop)).await?;
    one_has_it_and_has_paid(&shop, &orders).await
}

/// The worst case: nobody's stock check sees another's reservation.
#[tokio::test]
async fn of_a_thousand_who_were_all_told_that_there_is_one_one_gets_the_piece() -> Result<()> {
    let (host, shop) = shop().await?;
    let admin = host.admin();
    assert_eq!(admin.post("/consumers/inventory/INVENTORY/pause", &json!({})).await?.status, 200);
    let orders = taken(all_buy(&shop)).await?;
    assert_eq!(orders.len(), BUYERS, "all get past the check");
    assert_eq!(admin.post("/consumers/inventory/INVENTORY/resume", &json!({})).await?.status, 200);
    one_has_it_and_has_paid(&shop, &orders).await
}
