//! The order flow through a bridge: a process that serves HTTP alone, with Spin's manners, and events that come by HTTP.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests")]

use anyhow::{Result, ensure};
use bridge::Stage;
use end_to_end::{Host, Order, Settings, Shop, eventually};
use serde_json::Value;

/// Nothing died on the way.
async fn no_dead_letters(stage: &Stage) -> Result<()> {
    let letters = stage.admin.get("/dlq").await?;
    let items = letters.json.pointer("/items").and_then(Value::as_array).map(Vec::len);
    ensure!(items == Some(0), "{}", letters.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_confirmed_and_all_sides_agree() -> Result<()> {
    let stage = Stage::start(Settings::default()).await?;
    let shop = &stage.shop;
    shop.list("prod-cuenco", 5, 3400).await?;
    let order_id = shop.ordered(&Order { items: vec![("prod-cuenco".into(), 2)], ..Order::of("prod-cuenco") }).await?;
    let order = shop.until(&order_id, &["confirmed", "cancelled"]).await?;
    assert_eq!(order.text_at("/status"), "confirmed", "{}", order.text);
    shop.saga_until(&order_id, &["completed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (3, 0, 2));
    let money = shop.money(&order_id).await?;
    assert_eq!((money.charged, money.refunded), (vec![6800], vec![]));
    eventually("all is told", async || (shop.notified("user-lucia", &order_id).await.ok()?.len() >= 4).then_some(()))
        .await?;
    no_dead_letters(&stage).await?;
    stage.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_and_a_cancelled_order_are_undone() -> Result<()> {
    let stage = Stage::start(Settings::default()).await?;
    let shop = &stage.shop;
    shop.list("prod-cuenco", 2, 3400).await?;
    let declined = shop.ordered(&Order { pays: "tok_declined", ..Order::of("prod-cuenco") }).await?;
    let order = shop.until(&declined, &["confirmed", "cancelled"]).await?;
    assert_eq!(order.text_at("/cancellation/reason"), "payment-failed", "{}", order.text);
    shop.saga_until(&declined, &["failed"]).await?;

    let bought = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.saga_until(&bought, &["completed"]).await?;
    let reply = shop.http.post(&format!("/api/v1/orders/{bought}/cancel"), &serde_json::json!({})).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    shop.saga_until(&bought, &["failed"]).await?;
    assert!(shop.money(&bought).await?.is_even());
    assert_eq!(shop.stock("prod-cuenco").await?, (2, 0, 0));
    no_dead_letters(&stage).await?;
    stage.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_fires_from_the_bridge() -> Result<()> {
    let settings = Settings::default()
        .with("gateway_timeout", "200ms")
        .with("gateway_retry_delay", "200ms")
        .with("payment_deadline", "1s");
    let stage = Stage::start(settings).await?;
    stage.shop.list("prod-cuenco", 1, 3400).await?;
    let order_id = stage.shop.ordered(&Order { pays: "tok_timeout", ..Order::of("prod-cuenco") }).await?;
    let order = stage.shop.until(&order_id, &["confirmed", "cancelled"]).await?;
    assert_eq!(order.text_at("/cancellation/reason"), "payment-failed", "{}", order.text);
    stage.shop.saga_until(&order_id, &["failed"]).await?;
    assert_eq!(stage.shop.stock("prod-cuenco").await?, (1, 0, 0));
    // Payment itself gave the gateway up, though the host keeps no time where one component calls another: no delivery of
    // the event was ended, and none came again.
    let metrics = stage.admin.get("/metrics").await?.text;
    let again: Vec<_> = metrics.lines().filter(|line| line.starts_with("a4co_retries_total{")).collect();
    ensure!(again.is_empty(), "{again:?}");
    stage.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_piece_goes_to_one_of_many_buyers() -> Result<()> {
    let stage = Stage::start(Settings::default()).await?;
    stage.shop.list("prod-unico", 1, 9900).await?;
    let mut buyers = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let shop = stage.shop.clone();
        buyers.spawn(async move { shop.order(&Order::of("prod-unico")).await });
    }
    let mut confirmed = 0;
    while let Some(reply) = buyers.join_next().await {
        let reply = reply??;
        if reply.status == 409 {
            continue;
        }
        ensure!(reply.status == 201, "{reply:?}");
        let order = stage.shop.until(reply.text_at("/orderId"), &["confirmed", "cancelled"]).await?;
        confirmed += usize::from(order.text_at("/status") == "confirmed");
    }
    assert_eq!(confirmed, 1);
    assert_eq!(stage.shop.stock("prod-unico").await?, (0, 0, 1));
    no_dead_letters(&stage).await?;
    stage.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_target_spends_no_attempt_and_loses_nothing() -> Result<()> {
    let mut stage = Stage::start(Settings::default()).await?;
    stage.shop.list("prod-cuenco", 30, 3400).await?;
    let mut orders = Vec::new();
    for _ in 0..10 {
        orders.push(stage.shop.ordered(&Order::of("prod-cuenco")).await?);
    }
    // Amid the work: what was not answered comes again.
    stage.target.kill()?;
    eventually("the bridge notices", async || {
        let metrics = stage.admin.get("/metrics").await.ok()?.text;
        metrics.lines().any(|line| line.starts_with("a4co_outage") && line.ends_with(" 1")).then_some(())
    })
    .await?;
    stage.target.restart().await?;
    let shop = Shop::new(stage.target.client());
    for order_id in &orders {
        let order = shop.until(order_id, &["confirmed", "cancelled"]).await?;
        assert_eq!(order.text_at("/status"), "confirmed", "{}", order.text);
        shop.saga_until(order_id, &["completed"]).await?;
        assert_eq!(shop.money(order_id).await?.charged, [3400]);
    }
    assert_eq!(shop.stock("prod-cuenco").await?, (20, 0, 10));
    no_dead_letters(&stage).await?;
    stage.stop().await
}

#[tokio::test]
async fn without_a_bridge_reads_are_served_and_writes_are_put_off() -> Result<()> {
    let settings = Settings { arguments: vec!["--http-only".to_owned()], ..Settings::default() };
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    assert_eq!(shop.http.get("/api/v1/products/search?q=aceite").await?.status, 200);
    let refused = shop.artisan("art-alfar").await.unwrap_err().to_string();
    assert!(refused.contains("status: 503") && refused.contains("retry-after"), "{refused}");
    Ok(())
}
