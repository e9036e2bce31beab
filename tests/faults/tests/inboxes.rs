//! With empty inboxes, copies of everything that ever happened change nothing; and inboxes that are emptied at random,
//! of what is settled, change nothing while the work goes on.

use anyhow::{Context as _, Result, ensure};
use end_to_end::eventually;
use faults::{Customers, Memory, Seed, Stage, pronounce};
use std::collections::BTreeMap;

const ORDERS: usize = 60;
const STOCK: u32 = 1_000;

/// Rounds of work after each of which inboxes are emptied, and orders of each.
const ROUNDS: usize = 5;
const ORDERS_A_ROUND: usize = 30;

async fn stocked(stage: &Stage) -> Result<Vec<(String, u32)>> {
    let mut products = Vec::new();
    for number in 0..4 {
        let product = format!("prod-{number}");
        stage.shop.list(&product, STOCK, 900).await?;
        products.push((product, STOCK));
    }
    Ok(products)
}

/// Up to where each consumer has settled everything. It only grows.
async fn settled(stage: &Stage) -> Result<BTreeMap<String, u64>> {
    let list = stage.host.admin().get("/consumers").await?;
    let items = list.json["items"].as_array().cloned().unwrap_or_default();
    let one = |item: &serde_json::Value| {
        let name = format!("{}/{}", item["component"].as_str()?, item["stream"].as_str()?);
        Some((name, item["settledTo"].as_u64()?))
    };
    Ok(items.iter().filter_map(one).collect())
}

#[tokio::test]
async fn inboxes_emptied_at_random_after_acknowledgements_change_nothing() -> Result<()> {
    let seed = Seed::take();
    println!("{seed}");
    let mut stage = Stage::set(false).await?;
    let products = stocked(&stage).await?;
    let ids: Vec<_> = products.iter().map(|(id, _)| id.clone()).collect();
    let mut customers = Customers::start(8, &stage.shop.http, &ids, seed);
    let mut choices = seed.choices(98);
    for round in 1..=ROUNDS {
        eventually("a round of orders", async || (customers.asked() >= round * ORDERS_A_ROUND).then_some(())).await?;
        customers.check()?;
        let settled = settled(&stage).await?;
        stage.host.stop().await?;
        let forgotten = Memory::open(&stage.database())?.forget_settled(&settled, &mut choices)?;
        ensure!(forgotten > 0, "round {round}: no inbox had anything settled in it");
        stage.host.restart().await?;
    }
    let notes = customers.finish().await?;
    pronounce(&stage, &notes, &products).await.context(seed)
}

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
    let products = stocked(&stage).await?;
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
