//! The order flow as its users see it: through HTTP, against a real process.

use anyhow::Result;
use end_to_end::{Host, Order, Settings, Shop};
use serde_json::{Value, json};

async fn shop(settings: Settings) -> Result<(Host, Shop)> {
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    Ok((host, shop))
}

async fn an_order_is_confirmed_and_all_sides_agree(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 5, 3400).await?;
    let order_id = shop.ordered(&Order { items: vec![("prod-cuenco".into(), 2)], ..Order::of("prod-cuenco") }).await?;

    let order = shop.until(&order_id, &["confirmed", "cancelled"]).await?;
    assert_eq!(order.text_at("/status"), "confirmed", "{}", order.text);
    assert_eq!(order.number_at("/totalAmount"), Some(6800), "the price is the product's");
    let saga = shop.saga_until(&order_id, &["completed", "failed", "stuck"]).await?;
    assert_eq!(saga.text_at("/state"), "completed", "{}", saga.text);
    assert!(saga.json.pointer("/timeline").and_then(Value::as_array).is_some_and(|t| t.len() >= 5), "{}", saga.text);
    assert_eq!(shop.stock("prod-cuenco").await?, (3, 0, 2));
    let money = shop.money(&order_id).await?;
    assert_eq!((money.charged, money.refunded), (vec![6800], vec![]));
    let payment = shop.http.get(&format!("/api/v1/payments/{}", order.text_at("/payment/paymentId"))).await?;
    assert_eq!(
        (payment.text_at("/status"), payment.number_at("/amount")),
        ("succeeded", Some(6800)),
        "{}",
        payment.text
    );
    let told = shop.notified("user-lucia", &order_id).await?;
    assert!(told.len() >= 4, "placed, reserved, paid, confirmed: {told:?}");
    Ok(())
}

async fn a_declined_card_cancels_the_order_and_gives_the_stock_back(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 1, 3400).await?;
    let order_id = shop.ordered(&Order { pays: "tok_declined", ..Order::of("prod-cuenco") }).await?;
    let order = shop.until(&order_id, &["confirmed", "cancelled"]).await?;
    assert_eq!(order.text_at("/status"), "cancelled", "{}", order.text);
    assert_eq!(order.text_at("/cancellation/reason"), "payment-failed", "{}", order.text);
    shop.saga_until(&order_id, &["failed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (1, 0, 0));
    let money = shop.money(&order_id).await?;
    assert!(money.is_even(), "{money:?}: {}", shop.http.get(&format!("/api/v1/sagas/{order_id}")).await?.text);
    Ok(())
}

async fn a_busy_gateway_is_asked_again_until_it_takes_the_money(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings.with("payment_retry_delay", "50ms")).await?;
    shop.list("prod-cuenco", 1, 3400).await?;
    let order_id = shop.ordered(&Order { pays: "tok_busy", ..Order::of("prod-cuenco") }).await?;
    let order = shop.until(&order_id, &["confirmed", "cancelled"]).await?;
    assert_eq!(order.text_at("/status"), "confirmed", "{}", order.text);
    assert_eq!(shop.money(&order_id).await?.charged, [3400]);
    Ok(())
}

async fn a_gateway_that_never_answers_is_compensated_after_the_deadline(settings: Settings) -> Result<()> {
    let settings =
        settings.with("gateway_timeout", "200ms").with("gateway_retry_delay", "200ms").with("payment_deadline", "1s");
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 1, 3400).await?;
    let order_id = shop.ordered(&Order { pays: "tok_timeout", ..Order::of("prod-cuenco") }).await?;
    let order = shop.until(&order_id, &["confirmed", "cancelled"]).await?;
    assert_eq!(order.text_at("/status"), "cancelled", "{}", order.text);
    assert_eq!(order.text_at("/cancellation/reason"), "payment-failed", "{}", order.text);
    shop.saga_until(&order_id, &["failed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (1, 0, 0));
    let money = shop.money(&order_id).await?;
    assert!(money.is_even(), "{money:?}: {}", shop.http.get(&format!("/api/v1/sagas/{order_id}")).await?.text);
    Ok(())
}

async fn more_than_there_is_is_refused_at_once_and_charges_nothing(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 1, 3400).await?;
    let reply = shop.order(&Order { items: vec![("prod-cuenco".into(), 2)], ..Order::of("prod-cuenco") }).await?;
    assert_eq!(reply.status, 409, "{}", reply.text);
    assert_eq!(reply.text_at("/code"), "insufficient-stock", "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(shop.stock("prod-cuenco").await?, (1, 0, 0));
    let listed = shop.http.get("/api/v1/orders?customerId=user-lucia").await?;
    assert_eq!(listed.number_at("/total"), Some(0), "{}", listed.text);
    Ok(())
}

async fn a_race_for_the_last_piece_lost_after_the_check_cancels_the_order(settings: Settings) -> Result<()> {
    let (host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 1, 3400).await?;
    let admin = host.admin();
    assert_eq!(admin.post("/consumers/inventory/INVENTORY/pause", &json!({})).await?.status, 200);
    let orders = [shop.ordered(&Order::of("prod-cuenco")).await?, shop.ordered(&Order::of("prod-cuenco")).await?];
    assert_eq!(admin.post("/consumers/inventory/INVENTORY/resume", &json!({})).await?.status, 200);

    let mut states = Vec::new();
    for order_id in &orders {
        let order = shop.until(order_id, &["confirmed", "cancelled"]).await?;
        if order.text_at("/status") == "cancelled" {
            assert_eq!(order.text_at("/cancellation/reason"), "inventory-unavailable", "{}", order.text);
            assert!(shop.money(order_id).await?.charged.is_empty());
        }
        states.push(order.text_at("/status").to_owned());
        shop.saga_until(order_id, &["completed", "failed"]).await?;
    }
    states.sort();
    assert_eq!(states, ["cancelled", "confirmed"]);
    assert_eq!(shop.stock("prod-cuenco").await?, (0, 0, 1));
    Ok(())
}

async fn a_customer_who_cancels_a_confirmed_order_gets_the_money_back_and_the_shop_its_stock(
    settings: Settings,
) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 1, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.saga_until(&order_id, &["completed"]).await?;
    let reply = shop.http.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({})).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.text_at("/status"), "cancelled", "{}", reply.text);
    shop.saga_until(&order_id, &["failed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (1, 0, 0));
    let money = shop.money(&order_id).await?;
    assert_eq!((money.charged, money.refunded), (vec![3400], vec![3400]));
    Ok(())
}

async fn a_delivered_order_stays_delivered(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 1, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    let deliver = json!({ "deliveryMethod": "courier", "recipientName": "Lucía Cano" });
    let path = format!("/api/v1/orders/{order_id}/deliver");
    let early = shop.http.post("/api/v1/orders/no-such-order/deliver", &deliver).await?;
    assert_eq!(early.status, 404, "{}", early.text);
    shop.saga_until(&order_id, &["completed"]).await?;
    let reply = end_to_end::eventually("the order can be delivered", async || {
        shop.http.post(&path, &deliver).await.ok().filter(|reply| reply.status == 200)
    })
    .await?;
    assert_eq!(reply.text_at("/status"), "delivered", "{}", reply.text);
    let cancel = shop.http.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({})).await?;
    assert_eq!(cancel.status, 409, "{}", cancel.text);
    assert_eq!(shop.money(&order_id).await?.refunded, Vec::<u64>::new());
    Ok(())
}

async fn a_repeated_post_with_its_key_is_one_order(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 5, 3400).await?;
    let body = Order::of("prod-cuenco").body();
    let first = shop.http.post_once("/api/v1/orders", "key-1", &body).await?;
    let again = shop.http.post_once("/api/v1/orders", "key-1", &body).await?;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json, again.json);
    let other = Order { items: vec![("prod-cuenco".into(), 3)], ..Order::of("prod-cuenco") }.body();
    assert_eq!(shop.http.post_once("/api/v1/orders", "key-1", &other).await?.status, 422);
    shop.saga_until(first.text_at("/orderId"), &["completed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (4, 0, 1));
    Ok(())
}

async fn a_bad_body_is_told_what_is_wrong_with_it(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    let mut body = Order::of("prod-cuenco").body();
    body["colour"] = json!("red");
    let reply = shop.http.post("/api/v1/orders", &body).await?;
    assert_eq!(reply.status, 422, "{}", reply.text);
    assert_eq!(reply.text_at("/errors/0/field"), "colour", "{}", reply.text);
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats, bridged]:
        an_order_is_confirmed_and_all_sides_agree,
        a_declined_card_cancels_the_order_and_gives_the_stock_back,
        a_busy_gateway_is_asked_again_until_it_takes_the_money,
        a_gateway_that_never_answers_is_compensated_after_the_deadline,
        more_than_there_is_is_refused_at_once_and_charges_nothing,
        a_race_for_the_last_piece_lost_after_the_check_cancels_the_order,
        a_customer_who_cancels_a_confirmed_order_gets_the_money_back_and_the_shop_its_stock,
        a_delivered_order_stays_delivered,
        a_repeated_post_with_its_key_is_one_order,
        a_bad_body_is_told_what_is_wrong_with_it;
}
