//! What the host logs as JSON: each line an object, what failed at warn, what went well at debug, all of it to be found
//! by its correlation.

use anyhow::{Context as _, Result, ensure};
use end_to_end::{Host, Order, Settings, Shop, eventually};
use http::Method;
use serde_json::{Value, json};

async fn host(mut settings: Settings) -> Result<Host> {
    settings.json_logs = true;
    settings.set_environment("A4CO_LOG", Some("a4co_host=debug,guest=info"));
    Host::start(settings).await
}

/// The lines of the log; those of the start-up screen, which goes to standard output, are none.
fn lines(host: &Host) -> Result<Vec<Value>> {
    let log = host.log();
    let json = log.lines().filter(|line| line.starts_with('{'));
    let lines = json.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    for line in &lines {
        let whole = ["timestamp", "level", "message"].iter().all(|field| line[field].is_string());
        ensure!(whole, "a line without time, level or message: {line}");
    }
    Ok(lines)
}

async fn line(host: &Host, level: &str, correlation: &str, message: &str) -> Result<Value> {
    let awaited = format!("{level} `{message}` of {correlation}");
    let found = found(host, &awaited, |line| {
        let text = line["message"].as_str().unwrap_or_default();
        line["level"] == level && line["correlation_id"] == correlation && text.contains(message)
    });
    found.await
}

async fn found(host: &Host, awaited: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    let found = eventually(awaited, async || lines(host).ok()?.into_iter().find(&is));
    found.await.with_context(|| host.log())
}

async fn every_line_is_json_and_is_found_by_its_correlation(settings: Settings) -> Result<()> {
    let host = host(settings).await?;
    let (shop, admin) = (Shop::new(host.client()), host.admin());
    shop.list("prod-cuenco", 3, 3400).await?;
    let headers = [("x-correlation-id", "the-order")];
    let order = Order::of("prod-cuenco").body().to_string();
    let reply = shop.http.send(Method::POST, "/api/v1/orders", &headers, Some(order.into())).await?;
    shop.saga_until(reply.text_at("/orderId"), &["completed"]).await?;
    // Through a bridge every delivery is a request too.
    let answered = found(&host, "the answer to the order", |line| {
        line["message"] == "request answered" && line["correlation_id"] == "the-order" && line["status"] == 201
    });
    let answered = answered.await?;
    assert_eq!((&answered["level"], &answered["component"]), (&json!("DEBUG"), &json!("order")));
    let handled = line(&host, "DEBUG", "the-order", "event handled").await?;
    assert_eq!(handled["verdict"], "done", "{handled}");

    let bad = json!({
        "eventId": "bad-1", "eventType": "StockCheckRequestedEvent", "aggregateId": "prod-cuenco", "eventVersion": 1,
        "occurredOn": "2026-01-15T10:30:00.000Z", "eventData": { "orderId": "o", "sagaId": "s" },
        "metadata": {
            "publishedAt": "2026-01-15T10:30:00.000Z", "version": "1.0", "correlationId": "the-bad-one", "causationId": "x",
        },
    });
    admin.post("/events/inventory.stock.check", &bad).await?;
    let dead = line(&host, "WARN", "the-bad-one", "event is a dead letter").await?;
    assert_eq!((&dead["path"], &dead["component"]), (&json!("eventData.quantityRequested"), &json!("inventory")));

    let all = lines(&host)?;
    let lost: Vec<_> = all.iter().filter(|line| line["level"] == "WARN" && line["correlation_id"].is_null()).collect();
    ensure!(lost.is_empty(), "warnings that nobody can place: {lost:?}");
    ensure!(!all.iter().any(|line| line["level"] == "ERROR"), "nothing went wrong: {all:?}");
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats, bridged]:
        every_line_is_json_and_is_found_by_its_correlation;
}
