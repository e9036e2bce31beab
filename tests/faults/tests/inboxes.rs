//! With empty inboxes, copies of everything that ever happened change nothing.

use anyhow::{Result, ensure};
use end_to_end::eventually;
use faults::{Customers, Memory, Seed, Stage, pronounce};
use std::collections::BTreeMap;

const ORDERS: usize = 60;
const STOCK: u32 = 1_000;

/// What users see: stock, orders, and the gateway's ledger.
async fn seen(stage: &Stage, orders: &[String], products: &[(String, u32)]) -> Result<BTreeMap<String, String>> {
    let mut seen = BTreeMap::new();
    for (product, _) in products {
        seen.insert(product.clone(), format!("{:?}", stage.shop.stock(product).await?));
    }
    for order_id in orders {
        let order = stage.shop.http.get(&format!("/api/v1/orders/{order_id}")).await?;
        let saga = stage.shop.http.get(&format!("/api/v1/sagas/{order_id}")).await?;
        seen.insert(order_id.clone(), format!("{} {}", order.text, saga.text_at("/state")));
    }
    seen.insert("ledger".to_owned(), format!("{:?}", stage.gateway.ledger().await?));
    Ok(seen)
}

#[tokio::test]
async fn copies_of_all_events_change_nothing_though_every_inbox_is_empty() -> Result<()> {
    let seed = Seed::take();
    println!("{seed}");
    let mut stage = Stage::set(false).await?;
    let mut products = Vec::new();
    for number in 0..4 {
        let product = format!("prod-{number}");
        stage.shop.list(&product, STOCK, 900).await?;
        products.push((product, STOCK));
    }
    let ids: Vec<_> = products.iter().map(|(id, _)| id.clone()).collect();
    let customers = Customers::start(4, &stage.shop.http, &ids, seed);
    eventually("enough orders are placed", async || (customers.asked() >= ORDERS).then_some(())).await?;
    let notes = customers.finish().await?;
    pronounce(&stage, &notes, &products).await?;
    let orders: Vec<_> = notes.taken().map(|(order_id, _)| order_id.to_owned()).collect();
    let before = seen(&stage, &orders, &products).await?;

    stage.host.stop().await?;
    let mut events = {
        let memory = Memory::open(&stage.database())?;
        let emptied = memory.empty_inboxes()?;
        ensure!(emptied >= orders.len(), "only {emptied} inboxes had something in them");
        memory.age_events()?;
        memory.events()?
    };
    stage.host.restart().await?;
    seed.choices(99).shuffle(&mut events);
    let mut copies = 0;
    for event in &events {
        let version = event.version.map(|version| version.to_string()).unwrap_or_default();
        let headers = [("aggregate-version", version.as_str())];
        let headers = if event.version.is_some() { &headers[..] } else { &[] };
        let body = event.body.clone().into();
        let path = format!("/events/{}", event.subject);
        let reply = stage.host.admin().send("POST".parse()?, &path, headers, Some(body)).await?;
        ensure!(reply.status == 200, "publishing a copy of {}: {reply:?}", event.subject);
        copies += usize::from(reply.json["duplicate"] == false);
    }
    // A copy that came of another copy before it was published is known by its id.
    ensure!(copies * 4 > events.len(), "only {copies} of {} copies were taken for news", events.len());
    pronounce(&stage, &notes, &products).await?;
    let after = seen(&stage, &orders, &products).await?;
    for (what, was) in &before {
        ensure!(after.get(what) == Some(was), "{seed}: copies have changed {what}\n{was}\n{:?}", after.get(what));
    }
    Ok(())
}
