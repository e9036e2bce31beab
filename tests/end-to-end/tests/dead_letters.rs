//! Bad events: each ends in the dead letters with a reason and, where there is one, the path; the process goes on.

use anyhow::Result;
use bytes::Bytes;
use end_to_end::{Host, Manifest, Order, Settings, Shop, eventually};
use http::Method;
use serde_json::{Value, json};

/// The id comes from the data: two events of one id would be one event to the bus.
fn check_event(data: &Value) -> Value {
    json!({
        "eventId": format!("event-{data}"), "eventType": "StockCheckRequestedEvent",
        "aggregateId": "prod-cuenco", "eventVersion": 1, "occurredOn": "2026-01-15T10:30:00.000Z",
        "eventData": data,
        "metadata": {
            "publishedAt": "2026-01-15T10:30:00.000Z", "version": "1.0",
            "correlationId": "c-1", "causationId": "c-1",
        },
    })
}

fn deep() -> Bytes {
    let nested = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let event = check_event(&json!({ "orderId": "DEEP", "sagaId": "s", "quantityRequested": 1 }));
    event.to_string().replace(":\"DEEP\"", &format!(":{nested}")).into()
}

/// A number and a text far larger than any that is meant.
fn huge() -> (Bytes, Bytes) {
    let number = check_event(&json!({ "orderId": "HUGE", "sagaId": "s", "quantityRequested": 7 })).to_string();
    let text =
        check_event(&json!({ "orderId": "o", "reservationId": "r", "sagaId": "s", "reason": "HUGE" })).to_string();
    let number = number.replace("\"quantityRequested\":7", &format!("\"quantityRequested\":{}", "9".repeat(5_000)));
    (number.into(), text.replace(":\"HUGE\"", &format!(":\"{}\"", "x".repeat(900_000))).into())
}

/// Subject, body, and what the dead letter must say.
fn mutations() -> Vec<(&'static str, Bytes, &'static str)> {
    let event = |data: Value| Bytes::from(check_event(&data).to_string());
    let whole = event(json!({ "orderId": "o", "sagaId": "s", "quantityRequested": 1 }));
    let mut bad_utf8 = event(json!({ "orderId": "p", "sagaId": "s", "quantityRequested": 1 })).to_vec();
    if let Some(place) = bad_utf8.windows(3).position(|window| window == b"\"s\"") {
        bad_utf8[place + 1] = 0xff;
    }
    let cut = whole.windows(3).position(|window| window == b"\"s\"").map_or(0, |place| place + 2);
    let (huge_number, huge_text) = huge();
    vec![
        ("inventory.stock.check", event(json!({ "orderId": "o", "sagaId": "s" })), "eventData.quantityRequested"),
        (
            "inventory.stock.check",
            event(json!({ "orderId": "o", "sagaId": "s", "quantityRequested": "x" })),
            "eventData.quantityRequested",
        ),
        (
            "inventory.stock.check",
            event(json!({ "orderId": "o", "sagaId": "s", "quantityRequested": -1 })),
            "eventData.quantityRequested",
        ),
        (
            "inventory.stock.check",
            event(json!({ "orderId": "o", "sagaId": "s", "quantityRequested": 4_294_967_296_u64 })),
            "eventData.quantityRequested",
        ),
        (
            "inventory.stock.release",
            event(json!({ "orderId": "o", "reservationId": "r", "sagaId": "s", "reason": "boredom" })),
            "eventData.reason",
        ),
        ("inventory.stock.check", deep(), "eventData.orderId"),
        ("inventory.stock.check", huge_number, "eventData.quantityRequested"),
        ("inventory.stock.release", huge_text, "eventData.reason"),
        ("inventory.stock.check", Bytes::from(bad_utf8), "eventData.sagaId"),
        ("inventory.stock.check", whole.slice(..cut), "eventData.sagaId"),
        ("inventory.stock.check", Bytes::from_static(b"{}"), "eventId"),
    ]
}

async fn a_mutated_event_becomes_a_dead_letter_that_names_the_path(settings: Settings) -> Result<()> {
    let host = Host::start(settings).await?;
    let (admin, shop) = (host.admin(), Shop::new(host.client()));
    let mutations = mutations();
    for (number, (subject, body, path)) in mutations.iter().enumerate() {
        let sent = admin.send(Method::POST, &format!("/events/{subject}"), &[], Some(body.clone())).await?;
        assert!(sent.status < 300, "{subject}: {}", sent.text);
        let letter = eventually(&format!("mutation {number} is a dead letter"), async || {
            let list = admin.get("/dlq").await.ok()?;
            let items = list.json["items"].as_array()?.clone();
            (items.len() == number + 1).then(|| items.first().cloned()).flatten()
        })
        .await?;
        assert_eq!(letter["component"], "inventory");
        assert_eq!(letter["cause"]["kind"], "undecodable", "{letter}");
        assert_eq!(letter["cause"]["path"], *path, "mutation {number}: {letter}");
        let reason = letter["cause"]["reason"].as_str().unwrap_or_default();
        assert!((1..2_000).contains(&reason.len()), "mutation {number}: a reason of {} bytes", reason.len());
    }
    let past_the_door = check_event(&json!({ "orderId": "x".repeat(2 << 20) })).to_string();
    // The host answers before it has read it all: a sender that is still writing may find the connection closed first, and
    // asks again.
    let past_the_door = Bytes::from(past_the_door);
    eventually("the door is shut with a 413", async || {
        let sent =
            admin.send(Method::POST, "/events/inventory.stock.check", &[], Some(past_the_door.clone())).await.ok()?;
        (sent.status == 413).then_some(())
    })
    .await?;
    // On a connection of its own: the one that was refused is on its way out.
    let letters = eventually("the dead letters are shown", async || admin.get("/dlq").await.ok()).await?;
    assert_eq!(letters.json["items"].as_array().map(Vec::len), Some(mutations.len()), "{}", letters.text);
    shop.list("prod-cuenco", 1, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.until(&order_id, &["confirmed"]).await?;
    Ok(())
}

async fn an_operator_shows_replays_and_discards_a_dead_letter(settings: Settings) -> Result<()> {
    let host = Host::start(settings).await?;
    let admin = host.admin();
    let body = check_event(&json!({ "orderId": "o", "sagaId": "s", "quantityRequested": "x" }));
    admin.post("/events/inventory.stock.check", &body).await?;
    let id = eventually("the dead letter", async || {
        let list = admin.get("/dlq").await.ok()?;
        list.json.pointer("/items/0/id").and_then(Value::as_str).map(str::to_owned)
    })
    .await?;
    assert!(host.operate(&["dlq", "list"])?.contains("inventory"));
    let shown = host.operate(&["dlq", "show", &id])?;
    assert!(shown.contains("eventData.quantityRequested") && shown.contains("event-"), "{shown}");
    host.operate(&["dlq", "replay", &id])?;
    let again = eventually("it died again, as a replay", async || {
        let list = admin.get("/dlq").await.ok()?;
        let items = list.json["items"].as_array()?.clone();
        items.into_iter().find(|item| item["replay"] == 1)
    })
    .await?;
    assert_eq!(again["eventId"], body["eventId"], "the event's own id stays");
    host.operate(&["dlq", "discard", again["id"].as_str().unwrap_or_default()])?;
    let list: Value = serde_json::from_str(&host.operate(&["dlq", "list", "--json"])?)?;
    assert!(!list.to_string().contains(again["id"].as_str().unwrap_or_default()), "{list}");
    Ok(())
}

/// The grant for what inventory answers is forgotten: its handler has changed its state by then, and every answer is
/// refused. Then the manifest is mended.
async fn a_dead_letter_that_is_replayed_after_the_fix_has_its_effect(settings: Settings) -> Result<()> {
    let (granted, forgotten) = ("publish = [\"inventory.>\"]", "publish = [\"inventory.adjusted\"]\nmax_attempts = 2");
    let mut manifest = Manifest::copy(&artifacts::marketplace())?;
    manifest.replace(granted, forgotten)?;
    let mut host = Host::start(settings.of(manifest.path()).with("stock_deadline", "4m")).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 2, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    let letter =
        eventually("the dead letter", async || host.admin().get("/dlq").await.ok()?.json["items"].get(0).cloned())
            .await?;
    let reason = letter["cause"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("inventory.stock.reserved"), "{letter}");
    let id = letter["id"].as_str().unwrap_or_default();
    assert_eq!(shop.http.get(&format!("/api/v1/orders/{order_id}")).await?.text_at("/status"), "pending");

    host.stop().await?;
    manifest.replace(forgotten, granted)?;
    host.restart().await?;
    host.operate(&["dlq", "replay", id])?;
    shop.until(&order_id, &["confirmed"]).await?;
    shop.saga_until(&order_id, &["completed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (1, 0, 1), "reserved once, though it was handled three times");
    assert_eq!(shop.money(&order_id).await?.charged, [3400]);
    assert_eq!(host.operate(&["dlq", "list"])?, "no dead letters\n");
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats, bridged]:
        a_mutated_event_becomes_a_dead_letter_that_names_the_path,
        an_operator_shows_replays_and_discards_a_dead_letter,
        a_dead_letter_that_is_replayed_after_the_fix_has_its_effect;
}
