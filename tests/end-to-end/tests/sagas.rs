//! The saga, the payment and the gateway through the real host, where something does not answer.

use anyhow::{Result, ensure};
use end_to_end::{Host, Order, Reply, Settings, Shop, eventually};
use serde_json::json;

async fn shop(settings: Settings) -> Result<(Host, Shop)> {
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    Ok((host, shop))
}

/// Stops a consumer, or lets it go on.
async fn consumer(host: &Host, consumer: &str, what: &str) -> Result<()> {
    let reply = host.admin().post(&format!("/consumers/{consumer}/{what}"), &json!({})).await?;
    ensure!(reply.status == 200, "{consumer} {what}: {reply:?}");
    Ok(())
}

/// Waits until the order's items have this stock.
async fn until_stock(shop: &Shop, order_id: &str, stock: &str) -> Result<()> {
    eventually(&format!("the items of {order_id} are {stock}"), async || {
        let order = shop.http.get(&format!("/api/v1/orders/{order_id}")).await.ok()?;
        (order.text_at("/items/0/stock") == stock).then_some(())
    })
    .await
}

async fn a_stuck_saga_is_listed_alerted_and_taken_care_of(settings: Settings) -> Result<()> {
    let (host, shop) = shop(settings.with("compensation_deadline", "100ms")).await?;
    consumer(&host, "payment/PAYMENTS", "pause").await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    until_stock(&shop, &order_id, "reserved").await?;
    shop.saga_until(&order_id, &["payment-processing"]).await?;
    let cancelled = shop.http.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({})).await?;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    let early = resolve(&shop, &order_id, "retry").await?;
    assert_eq!((early.status, early.text_at("/code")), (409, "saga-not-stuck"), "{}", early.text);

    shop.saga_until(&order_id, &["stuck"]).await?;
    let list = "/api/v1/sagas?state=stuck";
    let listed = eventually("the stuck saga is listed", async || {
        shop.http.get(list).await.ok().filter(|reply| reply.number_at("/total") == Some(1))
    })
    .await?;
    assert_eq!(listed.text_at("/items/0/orderId"), order_id, "{}", listed.text);
    assert_eq!(listed.text_at("/items/0/outstanding/0/event"), "payment.refund", "{}", listed.text);
    eventually("the operators are told", async || {
        let told = shop.http.get("/api/v1/notifications?userId=operators").await.ok()?;
        (told.text_at("/items/0/event") == "saga.stuck" && told.text.contains(&order_id)).then_some(())
    })
    .await?;
    let warned = format!("the saga of order {order_id} is stuck");
    assert!(host.log().lines().any(|line| line.contains("WARN") && line.contains(&warned)), "{}", host.log());

    consumer(&host, "payment/PAYMENTS", "resume").await?;
    let retried = resolve(&shop, &order_id, "retry").await?;
    // The answer that was missing may come before the person.
    assert!(matches!(retried.status, 200 | 409), "{}", retried.text);
    shop.saga_until(&order_id, &["failed"]).await?;
    eventually("nothing is stuck", async || {
        shop.http.get(list).await.ok().filter(|reply| reply.number_at("/total") == Some(0))
    })
    .await?;
    assert!(shop.money(&order_id).await?.is_even());
    assert_eq!(shop.stock("prod-cuenco").await?, (3, 0, 0));
    Ok(())
}

async fn a_stuck_saga_is_closed_by_hand_and_stays_closed(settings: Settings) -> Result<()> {
    let (host, shop) = shop(settings.with("compensation_deadline", "100ms")).await?;
    consumer(&host, "payment/PAYMENTS", "pause").await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.saga_until(&order_id, &["payment-processing"]).await?;
    assert_eq!(shop.http.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({})).await?.status, 200);
    shop.saga_until(&order_id, &["stuck"]).await?;
    let closed = resolve(&shop, &order_id, "resolve").await?;
    assert_eq!((closed.status, closed.text_at("/state")), (200, "failed"), "{}", closed.text);
    assert_eq!(closed.text_at("/resolution/resolvedBy"), "ana", "{}", closed.text);
    let again = resolve(&shop, &order_id, "resolve").await?;
    assert_eq!((again.status, again.text_at("/code")), (409, "saga-not-stuck"), "{}", again.text);
    Ok(())
}

async fn resolve(shop: &Shop, order_id: &str, resolution: &str) -> Result<Reply> {
    let body = json!({ "resolution": resolution, "resolvedBy": "ana", "notes": "payment is back" });
    shop.http.post(&format!("/api/v1/sagas/{order_id}/resolve"), &body).await
}

async fn an_order_is_not_delivered_before_its_items_are_sold(settings: Settings) -> Result<()> {
    let (host, shop) = shop(settings).await?;
    consumer(&host, "payment/PAYMENTS", "pause").await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    until_stock(&shop, &order_id, "reserved").await?;
    shop.saga_until(&order_id, &["payment-processing"]).await?;
    consumer(&host, "inventory/INVENTORY", "pause").await?;
    consumer(&host, "payment/PAYMENTS", "resume").await?;
    shop.until(&order_id, &["confirmed"]).await?;
    let deliver = json!({ "deliveryMethod": "courier", "recipientName": "Lucía Cano" });
    let path = format!("/api/v1/orders/{order_id}/deliver");
    let early = shop.http.post_once(&path, "early", &deliver).await?;
    assert_eq!((early.status, early.text_at("/code")), (409, "items-not-sold"), "{}", early.text);

    consumer(&host, "inventory/INVENTORY", "resume").await?;
    until_stock(&shop, &order_id, "sold").await?;
    let again = shop.http.post_once(&path, "early", &deliver).await?;
    assert_eq!((again.status, again.json), (409, early.json), "the same key gets the same answer");
    let now = shop.http.post(&path, &deliver).await?;
    assert_eq!((now.status, now.text_at("/status")), (200, "delivered"), "{}", now.text);
    Ok(())
}

/// A second cancellation, without a key, is a command of its own, and all that follows is said once more.
async fn an_order_cancelled_twice_is_told_of_once(settings: Settings) -> Result<()> {
    let (host, shop) = shop(settings).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.saga_until(&order_id, &["completed"]).await?;
    for _ in 0..3 {
        let reply = shop.http.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({})).await?;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    shop.saga_until(&order_id, &["failed"]).await?;
    eventually("everything is settled", async || {
        let consumers = host.admin().get("/consumers").await.ok()?;
        consumers.json["items"].as_array()?.iter().all(|item| item["pending"] == 0).then_some(())
    })
    .await?;
    let told = shop.told("user-lucia", &order_id).await?;
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    let expected =
        ["inventory.stock.reserved", "order.cancelled", "order.confirmed", "order.created", "payment.refunded"];
    assert!(expected.iter().all(|subject| told.contains_key(*subject)), "{told:?}");
    let money = shop.money(&order_id).await?;
    assert_eq!((money.charged, money.refunded), (vec![3400], vec![3400]));
    Ok(())
}

async fn a_payment_method_is_validated_and_a_body_is_told_what_is_missing(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    let body = |method: &str| json!({ "paymentMethodId": method, "amount": 3400, "currency": "EUR", "customerId": "user-lucia" });
    let path = "/api/v1/payments/validate";
    let yes = shop.http.post(path, &body("tok_declined")).await?;
    assert_eq!((yes.status, &yes.json["valid"]), (200, &json!(true)), "{}", yes.text);
    let no = shop.http.post(path, &body("tok_stolen")).await?;
    assert_eq!((no.status, &no.json["valid"]), (200, &json!(false)), "{}", no.text);
    let mut without = body("tok_ok");
    without.as_object_mut().map(|fields| fields.remove("amount"));
    let reply = shop.http.post(path, &without).await?;
    assert_eq!((reply.status, reply.text_at("/errors/0/field")), (422, "amount"), "{}", reply.text);
    assert_eq!(reply.text_at("/errors/0/reason"), "is missing", "{}", reply.text);
    Ok(())
}

async fn the_gateway_charges_once_a_key_refunds_and_voids(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    let charge = json!({ "amount": 900, "currency": "EUR", "method": "tok_ok", "merchantReference": "ref-1" });
    for _ in 0..2 {
        let reply = shop.http.post_once("/gateway/charges", "key-1", &charge).await?;
        assert_eq!((reply.status, reply.text_at("/status")), (200, "charged"), "{}", reply.text);
    }
    let wrong = shop.http.post("/gateway/charges/key-1/refund", &json!({ "amount": 1 })).await?;
    assert_eq!((wrong.status, wrong.text_at("/errors/0/field")), (422, "amount"), "{}", wrong.text);
    let refund = shop.http.post("/gateway/charges/key-1/refund", &json!({})).await?;
    assert_eq!(refund.number_at("/refundedAmount"), Some(900), "{}", refund.text);
    let shown = shop.http.get("/gateway/charges/key-1").await?;
    assert_eq!(shown.text_at("/status"), "refunded", "{}", shown.text);
    let void = shop.http.post("/gateway/charges/key-2/void", &json!({ "merchantReference": "ref-1" })).await?;
    assert_eq!(void.text_at("/status"), "voided", "{}", void.text);
    assert_eq!(shop.http.post_once("/gateway/charges", "key-2", &charge).await?.status, 409);
    let money = shop.money("ref-1").await?;
    assert_eq!((money.charged, money.refunded), (vec![900], vec![900]));
    assert_eq!(shop.http.get("/gateway/methods/tok_ok").await?.json["valid"], json!(true));
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats, bridged]:
        a_stuck_saga_is_listed_alerted_and_taken_care_of,
        a_stuck_saga_is_closed_by_hand_and_stays_closed,
        an_order_is_not_delivered_before_its_items_are_sold,
        an_order_cancelled_twice_is_told_of_once,
        a_payment_method_is_validated_and_a_body_is_told_what_is_missing,
        the_gateway_charges_once_a_key_refunds_and_voids;
}
