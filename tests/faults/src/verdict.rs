//! What must hold once everything has come to rest: the customers' notes, the gateway's ledger and the marketplace agree.

mod judgement;

pub use judgement::Judgement;

use crate::customers::{cancellation, delivery, second_cancellation};
use crate::{Answer, Note, Notes, Stage};
use anyhow::{Context as _, Result, ensure};
use end_to_end::{Money, Reply};
use judgement::Harm::{Doubled, Lost, Wrong};
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
    let judgement = judge(stage, notes, products).await?;
    ensure!(judgement.is_clean(), "{judgement}");
    Ok(())
}

/// Waits for rest, then checks everything and counts what does not hold.
///
/// # Errors
/// Where something cannot be read.
pub async fn judge(stage: &Stage, notes: &Notes, products: &[(String, u32)]) -> Result<Judgement> {
    let mut judgement = Judgement::default();
    let unanswered = notes.by_key.values().filter(|note| note.answer.is_none()).count();
    judgement.demand(unanswered == 0, Lost, || format!("{unanswered} orders have no answer"));
    let rest = Instant::now() + REST;
    let mut sold = Sold::new();
    let mut confirmed = BTreeSet::new();
    for (order_id, note) in notes.taken() {
        if !at_rest(stage, order_id, rest, &mut judgement).await? {
            continue;
        }
        if ended(stage, order_id, note, &mut judgement).await? {
            confirmed.insert(order_id);
            for (product, quantity) in &note.order.items {
                *sold.entry(product.clone()).or_default() += u64::from(*quantity);
            }
        }
    }
    caught_up(stage, rest, &mut judgement).await?;
    money(stage.gateway.ledger().await?, notes, &confirmed, &mut judgement);
    for (product, initial) in products {
        let initial = i64::from(*initial) + notes.adjusted.get(product).copied().unwrap_or_default();
        let expected = sold.get(product).copied().unwrap_or(0);
        pieces(stage, product, (u64::try_from(initial)?, expected), &mut judgement).await?;
    }
    stage.history.catch_up().await?;
    for (order_id, note) in notes.taken() {
        let is_confirmed = confirmed.contains(order_id);
        let told = told_once(stage, (order_id, note), is_confirmed, &mut judgement).await;
        told.with_context(|| format!("what is told of {order_id}"))?;
    }
    no_order_beside(stage, notes, &mut judgement).await?;
    let letters = stage.host.admin().get("/dlq").await?;
    let none = letters.json["items"].as_array().is_some_and(Vec::is_empty);
    judgement.demand(none, Wrong, || format!("dead letters: {}", letters.text));
    Ok(judgement)
}

/// Waits until an order is final and its saga has ended; whether it comes to that.
async fn at_rest(stage: &Stage, order_id: &str, rest: Instant, judgement: &mut Judgement) -> Result<bool> {
    loop {
        let order = get(stage, &format!("/api/v1/orders/{order_id}")).await?;
        let saga = get(stage, &format!("/api/v1/sagas/{order_id}")).await?;
        if order.status == 404 {
            judgement.demand(false, Lost, || format!("a 201 was taken back: {order_id} is {order:?}"));
            return Ok(false);
        }
        let placed = matches!(order.text_at("/status"), "confirmed" | "cancelled" | "delivered");
        if placed && matches!(saga.text_at("/state"), "completed" | "failed") {
            return Ok(true);
        }
        if Instant::now() > rest {
            let how = || format!("{order_id} did not come to rest in {REST:?}: {}\n{}", order.text, saga.text);
            judgement.demand(false, Lost, how);
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether an order at rest is confirmed; its saga must say the same.
async fn ended(stage: &Stage, order_id: &str, note: &Note, judgement: &mut Judgement) -> Result<bool> {
    let order = get(stage, &format!("/api/v1/orders/{order_id}")).await?;
    let saga = get(stage, &format!("/api/v1/sagas/{order_id}")).await?;
    ensure!(order.status == 200 && saga.status == 200, "{order_id} cannot be read: {order:?}\n{saga:?}");
    let delivered = order.text_at("/status") == "delivered";
    let confirmed = delivered || order.text_at("/status") == "confirmed";
    let completed = saga.text_at("/state") == "completed";
    let text = &order.text;
    judgement
        .demand(confirmed == completed, Wrong, || format!("{order_id} and its saga disagree: {text}\n{}", saga.text));
    judgement.demand(!(confirmed && note.cancelled), Lost, || {
        format!("{order_id} was cancelled, its customer was told so: {text}")
    });
    judgement.demand(delivered || !note.delivered, Lost, || {
        format!("{order_id} was delivered, its customer was told so: {text}")
    });
    let unpaid = matches!(note.order.pays, "tok_declined" | "tok_timeout");
    judgement.demand(!(confirmed && unpaid), Wrong, || format!("{order_id} is confirmed and not paid: {text}"));
    let same = order.number_at("/totalAmount") == Some(note.total);
    judgement.demand(same, Wrong, || format!("{order_id} has another price: {text}"));
    Ok(confirmed)
}

/// Waits until every consumer has settled everything.
async fn caught_up(stage: &Stage, rest: Instant, judgement: &mut Judgement) -> Result<()> {
    loop {
        let consumers = stage.host.admin().get("/consumers").await?;
        let items = consumers.json["items"].as_array().cloned().unwrap_or_default();
        if !items.is_empty() && items.iter().all(|item| item["pending"] == 0) {
            return Ok(());
        }
        if Instant::now() > rest {
            judgement.demand(false, Lost, || format!("events are not settled after {REST:?}: {}", consumers.text));
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// One net charge of the whole price for a confirmed order, none for another, no charge for anything else.
fn money(mut ledger: BTreeMap<String, Money>, notes: &Notes, confirmed: &BTreeSet<&str>, judgement: &mut Judgement) {
    for (order_id, note) in notes.taken() {
        let money = ledger.remove(order_id).unwrap_or_default();
        let total = note.total;
        judgement.demand(money.charged.len() <= 1, Doubled, || format!("{order_id} was charged twice: {money:?}"));
        if confirmed.contains(order_id) {
            judgement.demand(!money.charged.is_empty(), Lost, || format!("{order_id} is confirmed and not charged"));
            let right = money.charged.iter().all(|charge| *charge == total) && money.refunded.is_empty();
            judgement.demand(right, Wrong, || format!("{order_id}, confirmed for {total}: {money:?}"));
        } else {
            judgement.demand(money.is_even(), Lost, || format!("{order_id} is cancelled and keeps {money:?}"));
        }
    }
    let foreign = ledger.values().all(|money| money.charged.is_empty());
    judgement.demand(foreign, Doubled, || format!("charges for orders nobody placed: {ledger:?}"));
}

/// Of a product: `initial` pieces at first, of which the confirmed orders have `expected`.
async fn pieces(
    stage: &Stage,
    product: &str,
    (initial, expected): (u64, u64),
    judgement: &mut Judgement,
) -> Result<()> {
    let (available, reserved, sold) = stage.shop.stock(product).await?;
    let now = format!("{product}: {initial} at first; available {available}, reserved {reserved}, sold {sold}");
    // A negative number would not have been read as one.
    let sum = available.checked_add(reserved).and_then(|sum| sum.checked_add(sold));
    judgement.demand(sum == Some(initial), Wrong, || now.clone());
    judgement.demand(reserved == 0, Lost, || format!("{now}: nothing is in the making any more"));
    judgement.demand(sold >= expected, Lost, || format!("{now}: the confirmed orders have {expected}"));
    judgement.demand(sold <= expected, Doubled, || format!("{now}: the confirmed orders have {expected}"));
    Ok(())
}

/// Each fact of an order that its customer is told of is told once, whatever became of the order; and no other is.
async fn told_once(
    stage: &Stage,
    (order_id, note): (&str, &Note),
    confirmed: bool,
    judgement: &mut Judgement,
) -> Result<()> {
    let told = stage.shop.told(&note.order.customer, order_id).await?;
    let happened = happened(stage, order_id, note).await?;
    let count = |subject: &str| told.get(subject).copied().unwrap_or(0);
    for (subject, _) in TOLD {
        let (facts, said) = (happened.get(subject).copied().unwrap_or(0), count(subject));
        let how = || format!("{order_id}: {happened:?} happened, {told:?} is told");
        judgement.demand(said >= facts, Lost, how);
        judgement.demand(said <= facts, Doubled, how);
    }
    let (stands, off) = (usize::from(confirmed), usize::from(!confirmed));
    let how = || format!("{order_id}, confirmed: {confirmed}, told: {told:?}");
    let known = told.keys().all(|subject| TOLD.iter().any(|(known, _)| known == subject));
    judgement.demand(known, Wrong, how);
    judgement.demand(count("order.created") == 1 && count("order.cancelled") == off, Wrong, how);
    let right = count("order.confirmed") >= stands && count("payment.succeeded") >= stands;
    judgement.demand(right && count("payment.refunded") <= off, Wrong, how);
    let reserved = count("inventory.stock.reserved");
    judgement.demand(reserved == note.order.items.len() || !confirmed, Wrong, how);
    Ok(())
}

/// What the log has of an order, and the marketplace tells its customer: subjects, with how many facts of each there are.
/// A fact that lies there twice, under two ids, is one.
async fn happened(stage: &Stage, order_id: &str, note: &Note) -> Result<BTreeMap<String, usize>> {
    let mut facts = BTreeSet::new();
    let key = &note.key;
    for correlation in [key.clone(), cancellation(key), second_cancellation(key), delivery(key)] {
        for (subject, event) in stage.history.correlated(&correlation).await? {
            let Some((_, key)) = TOLD.iter().find(|(told, _)| *told == subject) else { continue };
            let of = [&event["aggregateId"], &event["eventData"]["orderId"]];
            ensure!(of.contains(&&Value::from(order_id)), "{correlation} is not of {order_id} alone: {event}");
            facts.insert((subject, event.pointer(key).cloned().unwrap_or_default().to_string()));
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
async fn no_order_beside(stage: &Stage, notes: &Notes, judgement: &mut Judgement) -> Result<()> {
    let mut known = BTreeMap::<&str, u64>::new();
    for note in notes.by_key.values() {
        *known.entry(&note.order.customer).or_default() += u64::from(matches!(note.answer, Some(Answer::Taken(_))));
    }
    for (customer, count) in known {
        let listed = get(stage, &format!("/api/v1/orders?customerId={customer}")).await?;
        let total = listed.number_at("/total").context("a list says how long it is")?;
        judgement.demand(total >= count, Lost, || format!("{customer} placed {count} orders: {}", listed.text));
        judgement.demand(total <= count, Doubled, || format!("{customer} placed {count} orders: {}", listed.text));
    }
    Ok(())
}

async fn get(stage: &Stage, path: &str) -> Result<Reply> {
    stage.shop.http.get(path).await
}
