//! What must hold once everything has come to rest: the customers' notes, the gateway's ledger and the marketplace agree.

use crate::customers::{cancellation, delivery, second_cancellation};
use crate::{Answer, Note, Notes, Stage};
use anyhow::{Context as _, Result, bail, ensure};
use end_to_end::{Money, Reply};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long everything may take to come to rest.
const REST: Duration = Duration::from_secs(180);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// Pieces of a product that were sold, by product.
type Sold = BTreeMap<String, u64>;

/// Waits for rest, then checks everything.
///
/// # Errors
/// What does not hold.
pub async fn pronounce(stage: &Stage, notes: &Notes, products: &[(String, u32)]) -> Result<()> {
    let asked = notes.by_key.len();
    ensure!(notes.by_key.values().all(|note| note.answer.is_some()), "of {asked} orders some have no answer");
    let rest = Instant::now() + REST;
    let mut sold = Sold::new();
    let mut confirmed = Vec::new();
    for (order_id, note) in notes.taken() {
        at_rest(stage, order_id, rest).await?;
        if ended(stage, order_id, note).await? {
            confirmed.push((order_id, note));
            for (product, quantity) in &note.order.items {
                *sold.entry(product.clone()).or_default() += u64::from(*quantity);
            }
        }
    }
    caught_up(stage, rest).await?;
    money(stage.gateway.ledger().await?, notes, &confirmed)?;
    for (product, initial) in products {
        let initial = i64::from(*initial) + notes.adjusted.get(product).copied().unwrap_or_default();
        let pieces = pieces(stage, product, u64::try_from(initial)?, sold.get(product).copied().unwrap_or(0)).await;
        pieces.with_context(|| format!("{} of {} orders are confirmed", confirmed.len(), notes.taken().count()))?;
    }
    for (order_id, note) in notes.taken() {
        let is_confirmed = confirmed.iter().any(|(confirmed, _)| *confirmed == order_id);
        told_once(stage, order_id, note, is_confirmed).await.with_context(|| format!("what is told of {order_id}"))?;
    }
    no_order_beside(stage, notes).await?;
    let letters = stage.host.admin().get("/dlq").await?;
    ensure!(letters.json["items"].as_array().is_some_and(Vec::is_empty), "dead letters: {}", letters.text);
    Ok(())
}

/// Waits until an order is final and its saga has ended.
async fn at_rest(stage: &Stage, order_id: &str, rest: Instant) -> Result<()> {
    loop {
        let order = get(stage, &format!("/api/v1/orders/{order_id}")).await?;
        let saga = get(stage, &format!("/api/v1/sagas/{order_id}")).await?;
        ensure!(order.status == 200, "a 201 was taken back: {order_id} is {order:?}");
        let placed = matches!(order.text_at("/status"), "confirmed" | "cancelled" | "delivered");
        if placed && matches!(saga.text_at("/state"), "completed" | "failed") {
            return Ok(());
        }
        if Instant::now() > rest {
            bail!("{order_id} did not come to rest in {REST:?}: {}\n{}", order.text, saga.text);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether an order at rest is confirmed; its saga must say the same.
async fn ended(stage: &Stage, order_id: &str, note: &Note) -> Result<bool> {
    let order = get(stage, &format!("/api/v1/orders/{order_id}")).await?;
    let saga = get(stage, &format!("/api/v1/sagas/{order_id}")).await?;
    ensure!(order.status == 200 && saga.status == 200, "{order_id} cannot be read: {order:?}\n{saga:?}");
    let delivered = order.text_at("/status") == "delivered";
    let confirmed = delivered || order.text_at("/status") == "confirmed";
    let completed = saga.text_at("/state") == "completed";
    ensure!(confirmed == completed, "{order_id} and its saga disagree: {}\n{}", order.text, saga.text);
    ensure!(!(confirmed && note.cancelled), "{order_id} was cancelled, its customer was told so: {}", order.text);
    ensure!(delivered || !note.delivered, "{order_id} was delivered, its customer was told so: {}", order.text);
    let unpaid = matches!(note.order.pays, "tok_declined" | "tok_timeout");
    ensure!(!(confirmed && unpaid), "{order_id} is confirmed and not paid: {}", order.text);
    ensure!(order.number_at("/totalAmount") == Some(note.total), "{order_id} has another price: {}", order.text);
    Ok(confirmed)
}

/// Waits until every consumer has settled everything.
async fn caught_up(stage: &Stage, rest: Instant) -> Result<()> {
    loop {
        let consumers = stage.host.admin().get("/consumers").await?;
        let items = consumers.json["items"].as_array().cloned().unwrap_or_default();
        if !items.is_empty() && items.iter().all(|item| item["pending"] == 0) {
            return Ok(());
        }
        ensure!(Instant::now() < rest, "events are still not settled after {REST:?}: {}", consumers.text);
        tokio::time::sleep(LOOK).await;
    }
}

/// One net charge of the whole price for a confirmed order, none for another, no charge for anything else.
fn money(mut ledger: BTreeMap<String, Money>, notes: &Notes, confirmed: &[(&str, &Note)]) -> Result<()> {
    for (order_id, note) in confirmed {
        let money = ledger.get(*order_id).with_context(|| format!("{order_id} is confirmed and was not charged"))?;
        ensure!(money.charged == [note.total] && money.refunded.is_empty(), "{order_id}, {}: {money:?}", note.total);
    }
    for (order_id, note) in notes.taken() {
        let money = ledger.remove(order_id).unwrap_or_default();
        let is_confirmed = confirmed.iter().any(|(confirmed, _)| *confirmed == order_id);
        ensure!(money.charged.len() <= 1, "{order_id} was charged more than once: {money:?}");
        ensure!(is_confirmed || money.is_even(), "{order_id} is cancelled and keeps {money:?} of {}", note.total);
    }
    ensure!(ledger.values().all(|money| money.charged.is_empty()), "charges for orders nobody placed: {ledger:?}");
    Ok(())
}

async fn pieces(stage: &Stage, product: &str, initial: u64, expected: u64) -> Result<()> {
    let (available, reserved, sold) = stage.shop.stock(product).await?;
    let now = format!("{product}: {initial} at first; available {available}, reserved {reserved}, sold {sold}");
    // A negative number would not have been read as one.
    ensure!(available.checked_add(reserved).and_then(|sum| sum.checked_add(sold)) == Some(initial), "{now}");
    ensure!(reserved == 0, "{now}: nothing is in the making any more");
    ensure!(sold == expected, "{now}: the confirmed orders have {expected}");
    Ok(())
}

/// Each fact of an order that its customer is told of is told once, whatever became of the order; and no other is.
async fn told_once(stage: &Stage, order_id: &str, note: &Note, confirmed: bool) -> Result<()> {
    let told = stage.shop.told(&note.order.customer, order_id).await?;
    let happened = happened(stage, order_id, note).await?;
    ensure!(told == happened, "{happened:?} happened, {told:?} is told");
    let count = |subject: &str| told.get(subject).copied().unwrap_or(0);
    let (stands, off) = (usize::from(confirmed), usize::from(!confirmed));
    ensure!(count("order.created") == 1 && count("order.cancelled") == off, "confirmed: {confirmed}, told: {told:?}");
    let right = count("order.confirmed") >= stands && count("payment.succeeded") >= stands;
    ensure!(right && count("payment.refunded") <= off, "confirmed: {confirmed}, told: {told:?}");
    let reserved = count("inventory.stock.reserved");
    ensure!(reserved == note.order.items.len() || !confirmed, "{reserved} reservations are told: {told:?}");
    Ok(())
}

/// What the log has of an order, and the marketplace tells its customer: subjects, with how many facts of each there are.
/// A fact that lies there twice, under two ids, is one.
async fn happened(stage: &Stage, order_id: &str, note: &Note) -> Result<BTreeMap<String, usize>> {
    let mut facts = BTreeSet::new();
    let key = &note.key;
    for correlation in [key.clone(), cancellation(key), second_cancellation(key), delivery(key)] {
        let log = stage.host.admin().get(&format!("/events/{correlation}")).await?;
        for item in log.json["items"].as_array().into_iter().flatten() {
            let (subject, event) = (item["subject"].as_str().unwrap_or_default(), &item["event"]);
            let Some((_, key)) = TOLD.iter().find(|(told, _)| *told == subject) else { continue };
            let of = [&event["aggregateId"], &event["eventData"]["orderId"]];
            ensure!(of.contains(&&Value::from(order_id)), "{correlation} is not of {order_id} alone: {event}");
            facts.insert((subject.to_owned(), event.pointer(key).cloned().unwrap_or_default().to_string()));
        }
    }
    let mut happened = BTreeMap::new();
    for (subject, _) in facts {
        *happened.entry(subject).or_default() += 1;
    }
    Ok(happened)
}

/// What customers are told of an order, and what tells two facts of one subject apart: a pointer into the event.
const TOLD: [(&str, &str); 8] = [
    ("order.created", "/aggregateId"),
    ("order.confirmed", "/aggregateId"),
    ("order.cancelled", "/aggregateId"),
    ("order.delivered", "/aggregateId"),
    ("inventory.stock.reserved", "/aggregateId"),
    ("payment.succeeded", "/aggregateId"),
    ("payment.failed", "/eventData/attemptNumber"),
    ("payment.refunded", "/aggregateId"),
];

/// No customer has an order of which they know nothing.
async fn no_order_beside(stage: &Stage, notes: &Notes) -> Result<()> {
    let mut known = BTreeMap::<&str, u64>::new();
    for note in notes.by_key.values() {
        *known.entry(&note.order.customer).or_default() += u64::from(matches!(note.answer, Some(Answer::Taken(_))));
    }
    for (customer, count) in known {
        let listed = get(stage, &format!("/api/v1/orders?customerId={customer}")).await?;
        ensure!(listed.number_at("/total") == Some(count), "{customer} placed {count} orders: {}", listed.text);
    }
    Ok(())
}

async fn get(stage: &Stage, path: &str) -> Result<Reply> {
    stage.shop.http.get(path).await
}
