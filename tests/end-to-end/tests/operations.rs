//! What an operator does with a running host.

use anyhow::Result;
use end_to_end::{Host, Manifest, Order, Settings, Setup, Shop, eventually};
use std::process::Command;

async fn a_clean_restart_goes_on_where_it_stopped(settings: Settings) -> Result<()> {
    let mut host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    host.stop().await?;
    host.restart().await?;
    shop.until(&order_id, &["confirmed"]).await?;
    shop.saga_until(&order_id, &["completed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (2, 0, 1));
    Ok(())
}

async fn a_killed_host_goes_on_where_it_stopped(settings: Settings) -> Result<()> {
    let mut host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    host.kill()?;
    host.restart().await?;
    shop.until(&order_id, &["confirmed"]).await?;
    shop.saga_until(&order_id, &["completed"]).await?;
    assert_eq!(shop.stock("prod-cuenco").await?, (2, 0, 1));
    assert_eq!(shop.money(&order_id).await?.charged, [3400]);
    Ok(())
}

async fn metrics_events_and_consumers_can_be_seen(settings: Settings) -> Result<()> {
    let embedded = settings.setup == Setup::Embedded;
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    let reply = shop.order(&Order::of("prod-cuenco")).await?;
    let correlation = reply.headers["x-correlation-id"].to_str()?.to_owned();
    shop.saga_until(reply.text_at("/orderId"), &["completed"]).await?;

    let metrics = host.metrics().await?;
    for name in [
        "microservices_sync_requests_total{source_service=\"order\",target_service=\"inventory\",\
         endpoint=\"/api/v1/inventory/availability\",status=\"200\"} 1\n",
        "microservices_events_published_total{service=\"order\",event_type=\"OrderCreatedEvent\",\
         subject=\"order.created\"} 1\n",
        "microservices_sync_request_duration_seconds_bucket",
        "microservices_events_published_total{service=\"saga\",event_type=\"OrderConfirmRequestedEvent\"",
        "microservices_events_processed_total{service=\"inventory\"",
        "microservices_event_processing_duration_seconds_bucket",
        "a4co_invocations_total",
        "a4co_queue_depth",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    let flushes = metrics.contains("a4co_store_bytes{") && !metrics.contains("a4co_flush_duration_seconds_count 0\n");
    assert!(flushes || !embedded, "what the state directory costs is missing in\n{metrics}");
    let shown = host.operate(&["events", "show", &correlation])?;
    for subject in ["order.created", "inventory.stock.reserved", "payment.succeeded", "order.confirmed"] {
        assert!(shown.contains(subject), "{subject} is missing in\n{shown}");
    }
    let consumers = host.operate(&["consumers", "list"])?;
    assert!(consumers.contains("inventory") && consumers.contains("INVENTORY"), "{consumers}");
    Ok(())
}

async fn what_a_deadline_publishes_is_counted(settings: Settings) -> Result<()> {
    let host = Host::start(settings.with("stock_deadline", "300ms")).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    host.operate(&["consumers", "pause", "inventory"])?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.until(&order_id, &["cancelled"]).await?;
    let metrics = host.metrics().await?;
    let fired = r#"microservices_events_published_total{service="timer",event_type="SagaTimeoutEvent""#;
    assert!(metrics.contains(fired), "{fired} is missing in\n{metrics}");
    Ok(())
}

/// `wasi:http` leaves a handle behind with every call a guest makes; used again and again, an instance would run out.
async fn instances_that_leave_handles_behind_are_replaced_in_time(settings: Settings) -> Result<()> {
    let mut manifest = Manifest::copy(&artifacts::marketplace())?;
    for component in ["order", "payment"] {
        let build = format!("build.command = \"cargo build --profile guest --target wasm32-wasip2 -p {component}\"");
        manifest.replace(&build, &format!("tool.host.handles = 64\n{build}"))?;
    }
    let host = Host::start(Settings { manifest: Some(manifest.path()), ..settings }).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 100, 3400).await?;
    let mut last = String::new();
    for _ in 0..80 {
        last = shop.ordered(&Order::of("prod-cuenco")).await?;
    }
    shop.saga_until(&last, &["completed"]).await?;
    let metrics = host.metrics().await?;
    let traps: Vec<_> = metrics.lines().filter(|line| line.contains("outcome=\"trap\"")).collect();
    assert!(traps.is_empty(), "{traps:#?}");
    Ok(())
}

/// A rule of the manifest reaches every component's keys, which begin with its name: while the record is there, its key is
/// refused for another body.
async fn a_record_of_a_key_goes_once_it_is_past_its_age(settings: Settings) -> Result<()> {
    let mut manifest = Manifest::copy(&artifacts::marketplace())?;
    manifest.replace("prefix = \"*/idempotency/\", after = \"2d\"", "prefix = \"*/idempotency/\", after = \"5s\"")?;
    let host = Host::start(Settings { manifest: Some(manifest.path()), ..settings }).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 9, 3400).await?;
    let body =
        |pieces: u32| Order { items: vec![("prod-cuenco".to_owned(), pieces)], ..Order::of("prod-cuenco") }.body();
    let once = async |pieces| shop.http.post_once("/api/v1/orders", "key", &body(pieces)).await;
    assert_eq!(once(1).await?.status, 201);
    assert_eq!(once(2).await?.status, 422);
    let taken = async || once(2).await.ok().filter(|reply| reply.status != 422);
    let reply = eventually("the record goes", taken).await?;
    assert!(reply.status < 500, "{}", reply.text);
    Ok(())
}

async fn a_paused_consumer_gets_nothing_until_it_is_resumed(settings: Settings) -> Result<()> {
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    host.operate(&["consumers", "pause", "saga"])?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    let depth = eventually("the saga's backlog shows", async || {
        let list = host.admin().get("/consumers").await.ok()?;
        let items = list.json["items"].as_array()?.clone();
        let orders = items.into_iter().find(|it| it["component"] == "saga" && it["stream"] == "ORDERS")?;
        orders["pending"].as_u64().filter(|pending| *pending > 0)
    })
    .await?;
    assert_eq!(depth, 1);
    assert_eq!(shop.http.get(&format!("/api/v1/orders/{order_id}")).await?.text_at("/status"), "pending");
    host.operate(&["consumers", "resume", "saga"])?;
    shop.until(&order_id, &["confirmed"]).await?;
    Ok(())
}

async fn a_backup_of_a_running_host_restores_to_the_same_state(settings: Settings) -> Result<()> {
    let mut host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.saga_until(&order_id, &["completed"]).await?;
    let backup = host.state_dir().join("backup.db");
    host.operate(&["backup", &backup.to_string_lossy()])?;

    // What happens after the backup is not in it.
    let later = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.saga_until(&later, &["completed"]).await?;
    host.stop().await?;
    let state = host.state_dir().join("state");
    std::fs::remove_dir_all(&state)?;
    let restored = Command::new(artifacts::binary("a4co"))
        .args(["restore", &backup.to_string_lossy(), "--state-dir", &state.to_string_lossy()])
        .output()?;
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    host.restart().await?;
    assert_eq!(shop.until(&order_id, &["confirmed"]).await?.status, 200);
    assert_eq!(shop.http.get(&format!("/api/v1/orders/{later}")).await?.status, 404);
    assert_eq!(shop.stock("prod-cuenco").await?, (2, 0, 1));
    Ok(())
}

async fn a_state_directory_has_one_owner_and_a_port_one_listener(settings: Settings) -> Result<()> {
    let host = Host::start(settings).await?;
    let start = |listen: &str| {
        Command::new(artifacts::binary("a4co"))
            .args(["up", "--admin-listen", "127.0.0.1:0", "--listen", listen, "--manifest"])
            .arg(artifacts::marketplace())
            .arg("--state-dir")
            .arg(host.state_dir().join("state"))
            .output()
    };
    let second = start("127.0.0.1:0")?;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains(&host.pid().to_string()), "{said}");
    let taken = host.client_address();
    let second = start(&taken)?;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("--listen"), "{said}");
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats, bridged]:
        a_clean_restart_goes_on_where_it_stopped,
        a_killed_host_goes_on_where_it_stopped,
        metrics_events_and_consumers_can_be_seen,
        what_a_deadline_publishes_is_counted,
        a_record_of_a_key_goes_once_it_is_past_its_age,
        a_paused_consumer_gets_nothing_until_it_is_resumed,
        a_state_directory_has_one_owner_and_a_port_one_listener;
    [embedded, nats] because "a Spin application has a fresh instance a request":
        instances_that_leave_handles_behind_are_replaced_in_time;
    [embedded] because "what lies in NATS is copied by the tools of NATS":
        a_backup_of_a_running_host_restores_to_the_same_state;
}
