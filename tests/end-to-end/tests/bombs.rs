//! A component that breaks every limit, in the real process: each time it costs one delivery, and the others go on.

use anyhow::{Result, ensure};
use end_to_end::{Client, Host, Settings, eventually};
use serde_json::{Value, json};

/// Bombs, and what the dead letter says of them.
const BOMBS: [(&str, &str); 13] = [
    ("loop", "did not finish in time"),
    ("memory", "memory"),
    ("handles", "resource table has no free keys"),
    ("calls", "host calls"),
    ("variables", "host calls"),
    ("clock", "did not finish in time"),
    ("output", "did not finish in time"),
    ("http", "did not finish in time"),
    ("recursion", "wasm trap"),
    ("trap", "unreachable"),
    ("huge", "hostcalls"),
    ("many", "at most 256"),
    ("stolen", "may not publish"),
];

fn bombs(settings: Settings) -> Settings {
    artifacts::build(&["guest-bomb"]);
    settings.of(artifacts::workspace().join("tests/guests/bomb/spin.toml"))
}

async fn set(admin: &Client, id: &str, mode: &str) -> Result<()> {
    let event = json!({
        "eventId": id, "eventType": "BombSetEvent", "aggregateId": id, "eventVersion": 1,
        "occurredOn": "2026-01-15T10:30:00.000Z", "eventData": { "mode": mode },
        "metadata": {
            "publishedAt": "2026-01-15T10:30:00.000Z", "version": "1.0", "correlationId": id, "causationId": "test",
        },
    });
    let sent = admin.post("/events/bomb.set", &event).await?;
    ensure!(sent.status == 200, "{sent:?}");
    Ok(())
}

/// Waits until a dud was handled: its handler says so.
async fn spent(admin: &Client, id: &str) -> Result<()> {
    eventually(&format!("{id} is spent"), async || {
        let shown = admin.get(&format!("/events/{id}")).await.ok()?;
        let items = shown.json["items"].as_array()?.clone();
        items.iter().any(|item| item["subject"] == "bomb.spent").then_some(())
    })
    .await
}

async fn letters(admin: &Client) -> Option<Vec<Value>> {
    admin.get("/dlq").await.ok()?.json["items"].as_array().cloned()
}

async fn each_bomb_is_a_dead_letter_and_the_others_go_on_meanwhile(settings: Settings) -> Result<()> {
    let host = Host::start(bombs(settings)).await?;
    let admin = host.admin();
    for (mode, expected) in BOMBS {
        set(&admin, mode, mode).await?;
        let dud = format!("dud-beside-{mode}");
        set(&admin, &dud, "dud").await?;
        spent(&admin, &dud).await?;
        assert_eq!(admin.get("/healthz").await?.status, 200, "beside {mode}");
        let letter = eventually(&format!("{mode} is a dead letter"), async || {
            letters(&admin).await?.into_iter().find(|letter| letter["eventId"] == mode)
        })
        .await?;
        assert_eq!((&letter["cause"]["kind"], &letter["cause"]["deliveries"]), (&json!("exhausted"), &json!(1)));
        let reason = letter["cause"]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(expected), "{mode}: {reason}");
    }
    assert_eq!(letters(&admin).await.map(|letters| letters.len()), Some(BOMBS.len()), "a bomb is one delivery");
    let noise = host.log().matches("noise").count();
    // Six bytes a word, 64 KiB an invocation.
    assert!((1..11_000).contains(&noise), "{noise} words of noise are in the log");

    // All at once, on every place there is.
    for (mode, _) in BOMBS {
        set(&admin, &format!("{mode}-again"), mode).await?;
    }
    set(&admin, "the-last-dud", "dud").await?;
    spent(&admin, "the-last-dud").await?;
    eventually("all are dead letters", async || {
        letters(&admin).await.filter(|letters| letters.len() == 2 * BOMBS.len())
    })
    .await?;
    assert_eq!(admin.get("/readyz").await?.status, 200);
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats] because "the bomb serves no route for a bridge: it knows no kit":
        each_bomb_is_a_dead_letter_and_the_others_go_on_meanwhile;
}
