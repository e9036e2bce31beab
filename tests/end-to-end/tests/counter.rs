//! A second application, with a WIT package of its own, on the same host.

use anyhow::{Result, ensure};
use end_to_end::{Client, Host, Settings, eventually};
use serde_json::{Value, json};

fn counter(settings: Settings) -> Settings {
    artifacts::build(&["guest-counter"]);
    settings.of(artifacts::workspace().join("tests/guests/counter/spin.toml"))
}

fn add(number: u32, counter: &str, amount: i64) -> Value {
    json!({
        "eventId": format!("add-{number}"), "eventType": "CounterAddRequestedEvent", "aggregateId": counter,
        "eventVersion": 1, "occurredOn": "2026-01-15T10:30:00.000Z", "eventData": { "amount": amount },
        "metadata": {
            "publishedAt": "2026-01-15T10:30:00.000Z", "version": "1.0",
            "correlationId": format!("count-{number}"), "causationId": "test",
        },
    })
}

async fn publish(admin: &Client, event: &Value) -> Result<()> {
    let sent = admin.post("/events/counter.add", event).await?;
    ensure!(sent.status == 200, "{sent:?}");
    Ok(())
}

/// What `counter.changed` said after the `number`th addition.
async fn changed(admin: &Client, number: u32) -> Result<Value> {
    eventually(&format!("counter.changed after add-{number}"), async || {
        let shown = admin.get(&format!("/events/count-{number}")).await.ok()?;
        let items = shown.json["items"].as_array()?.clone();
        let found = items.into_iter().find(|item| item["subject"] == "counter.changed")?;
        Some(found["event"].clone())
    })
    .await
}

async fn counters_count_on_the_same_host_over_a_crash(settings: Settings) -> Result<()> {
    let mut host = Host::start(counter(settings)).await?;
    let admin = host.admin();
    for (number, amount, value) in [(1, 3, 3), (2, 4, 7), (3, -2, 5)] {
        publish(&admin, &add(number, "visits", amount)).await?;
        let event = changed(&admin, number).await?;
        assert_eq!(
            (&event["eventType"], &event["eventData"]),
            (&json!("CounterChangedEvent"), &json!({ "value": value }))
        );
        assert_eq!(
            (&event["aggregateId"], &event["metadata"]["causationId"]),
            (&json!("visits"), &json!(format!("add-{number}")))
        );
    }
    host.kill()?;
    host.restart().await?;
    publish(&admin, &add(4, "visits", 10)).await?;
    publish(&admin, &add(5, "sales", 1)).await?;
    assert_eq!(changed(&admin, 4).await?["eventData"]["value"], 15, "the crash took nothing");
    assert_eq!(changed(&admin, 5).await?["eventData"]["value"], 1, "another counter counts for itself");

    let mut wrong = add(6, "visits", 0);
    wrong["eventData"]["amount"] = json!(1.5);
    publish(&admin, &wrong).await?;
    let letter =
        eventually("a dead letter", async || admin.get("/dlq").await.ok()?.json["items"].get(0).cloned()).await?;
    assert_eq!((&letter["component"], &letter["cause"]["path"]), (&json!("counter"), &json!("eventData.amount")));
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats] because "the counter serves no route for a bridge: it knows no kit":
        counters_count_on_the_same_host_over_a_crash;
}
