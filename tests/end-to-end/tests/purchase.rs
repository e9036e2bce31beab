//! The saga that the bench compares: that it does what it is compared for.

use anyhow::Result;
use end_to_end::{Client, Host, Settings, eventually};
use serde_json::{Value, json};

async fn start(settings: Settings) -> Result<Host> {
    artifacts::build(&["guest-purchase"]);
    Host::start(settings.of(artifacts::workspace().join("tests/guests/purchase/spin.toml"))).await
}

async fn post(http: &Client, path: &str, id: &str, data: Value) -> Result<()> {
    let reply = http.post(path, &json!({ "id": id, "data": data })).await?;
    assert_eq!(reply.status, 201, "{}", reply.text);
    Ok(())
}

async fn until(http: &Client, path: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    let look = async || http.get(path).await.ok().map(|reply| reply.json).filter(&holds);
    eventually(path, look).await
}

/// Orders one piece of `a` and `b` each, and waits for its end.
async fn ends(http: &Client, id: &str, b: u32, method: &str) -> Result<Value> {
    let items = json!([{ "productId": "a", "quantity": 1 }, { "productId": "b", "quantity": b }]);
    post(http, "/orders", id, json!({ "items": items, "amount": 3400, "method": method })).await?;
    until(http, &format!("/orders/{id}"), |order| order["status"] != "pending" && !order.is_null()).await
}

async fn a_purchase_is_confirmed_or_undone(settings: Settings) -> Result<()> {
    let host = start(settings).await?;
    let http = host.client();
    for product in ["a", "b"] {
        post(&http, "/stock", product, json!({ "quantity": 5 })).await?;
        until(&http, &format!("/stock/{product}"), |stock| stock["available"] == 5).await?;
    }
    assert_eq!(ends(&http, "o1", 1, "tok_ok").await?["status"], "confirmed");
    let short = ends(&http, "o2", 9, "tok_ok").await?;
    assert_eq!((&short["status"], &short["reason"]), (&json!("cancelled"), &json!("insufficient-stock")));
    let declined = ends(&http, "o3", 2, "tok_declined").await?;
    assert_eq!((&declined["status"], &declined["reason"]), (&json!("cancelled"), &json!("card-declined")));
    for product in ["a", "b"] {
        let back = |stock: &Value| stock["available"] == 4 && stock["reserved"] == 1;
        until(&http, &format!("/stock/{product}"), back).await?;
    }
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats] because "a bridge needs routes of its own in the manifest": a_purchase_is_confirmed_or_undone;
}
