//! A crash at each point of a delivery and of an HTTP write, on the real host: what `delivery`'s table asks for, row by row.
//!
//! In each case the host runs with one failpoint, an order meets it, and the customer asks again with the same key where
//! no answer came. Afterwards everything must be as if nothing had happened.

use anyhow::{Context as _, Result, ensure};
use end_to_end::{Client, Order, Reply, eventually};
use faults::{Notes, Stage, pronounce};
use std::collections::BTreeSet;

const PRODUCT: &str = "prod-cuenco";
const STOCK: u32 = 100;

/// Where the process dies. The gateway is another process, so a charge outlives it.
const DEATHS: [(&str, &str); 16] = [
    ("before the swap, of a handler", "swap.before@inventory"),
    ("before the swap, the event on disk", "swap.before@inventory=durable-die"),
    ("before the swap, of a request or its delivery", "swap.before@order#2=durable-die"),
    ("after the swap, which is lost", "swap.after@inventory"),
    ("after the swap, before publishing", "swap.after@inventory=durable-die"),
    ("after the swap of the saga's state, before its commands", "swap.after@saga=durable-die"),
    ("after the charge's intent", "swap.after@payment#1=durable-die"),
    ("after the charge, before its outcome is written", "swap.before@payment#2=durable-die"),
    ("after the charge's outcome, before publishing", "answer@payment=durable-die"),
    ("before publishing and acknowledging, of a projection", "settle.before@notification#2=durable-die"),
    ("amid it: in memory, not on disk", "settle.after@inventory"),
    ("after it: on disk, nobody told", "settle.after@saga#2=durable-die"),
    ("HTTP: after the record, before publishing", "publish.before@order=durable-die"),
    ("HTTP: after publishing, which is lost", "publish.after@order"),
    ("HTTP: after publishing, before the local apply", "publish.after@order=durable-die"),
    ("HTTP: before the answer leaves", "response.before@order"),
];

/// Where a step is answered as failed though nobody knows whether it was made.
const UNKNOWN: [(&str, &str); 6] = [
    ("a swap that did not land", "swap.before@inventory=fail"),
    ("a swap that landed", "swap.after@inventory=fail"),
    ("a publishing that did not happen", "publish.before@order=fail"),
    ("a publishing that happened", "publish.after@order=fail"),
    ("outputs and acknowledgement that did not happen", "settle.before@payment=fail"),
    ("outputs and acknowledgement that happened", "settle.after@payment=fail"),
];

/// Asks with the same key until there is an answer.
async fn placed(client: &Client, key: &str, order: &Order) -> Result<Reply> {
    eventually(&format!("an answer to {key}"), async || {
        let reply = client.post_traced("/api/v1/orders", key, &order.body()).await.ok()?;
        (reply.status < 500).then_some(reply)
    })
    .await
}

/// The customer of a case, who has no other order.
fn order(case: usize) -> Order {
    Order { customer: format!("cust-{case}"), ..Order::of(PRODUCT) }
}

/// One order that meets a failpoint; then everything is checked, the orders of earlier cases too.
async fn check(stage: &mut Stage, notes: &mut Notes, failpoint: &str, dies: bool) -> Result<()> {
    let case = notes.by_key.len();
    let (key, order) = (format!("key-{case}"), order(case));
    stage.arm(failpoint).await?;
    notes.ask(&key, &order);
    let client = stage.shop.http.clone();
    let meets = async { if dies { stage.died().await } else { stage.reached().await } };
    let (reply, met) = tokio::join!(placed(&client, &key, &order), meets);
    let reply = reply.and_then(|reply| met.map(|()| reply))?;
    ensure!(reply.status == 201, "{reply:?}");
    notes.hear(&key, &reply)?;
    let order_id = reply.text_at("/orderId");
    stage.shop.until(order_id, &["confirmed"]).await?;
    pronounce(stage, notes, &[(PRODUCT.to_owned(), STOCK)]).await?;
    told_once(stage, &order.customer).await
}

async fn told_once(stage: &Stage, customer: &str) -> Result<()> {
    let told = stage.shop.http.get(&format!("/api/v1/notifications?userId={customer}&pageSize=100")).await?;
    let items = told.json["items"].as_array().cloned().unwrap_or_default();
    let events: BTreeSet<_> = items.iter().filter_map(|item| item["event"].as_str()).collect();
    ensure!(events.len() == items.len() && events.contains("order.confirmed"), "{customer} is told {}", told.text);
    Ok(())
}

async fn walk(cases: &[(&str, &str)], dies: bool) -> Result<()> {
    let mut stage = Stage::set(false).await?;
    stage.shop.list(PRODUCT, STOCK, 3400).await?;
    let mut notes = Notes::default();
    for (row, failpoint) in cases {
        check(&mut stage, &mut notes, failpoint, dies).await.with_context(|| format!("{row}: {failpoint}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn wherever_the_process_dies_the_order_is_fulfilled_once() -> Result<()> {
    walk(&DEATHS, true).await
}

#[tokio::test]
async fn whatever_step_has_an_unknown_outcome_the_order_is_fulfilled_once() -> Result<()> {
    walk(&UNKNOWN, false).await
}
