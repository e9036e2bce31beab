//! What must hold once everything has come to rest.

use super::Model;
use super::log::Placed;
use super::shelves::Counts;
use kit::json::{self, Value};
use std::collections::BTreeMap;

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rest {
    /// Confirmed and not delivered.
    Confirmed,
    /// Delivered.
    Delivered,
    /// Cancelled, and no money was ever taken.
    Cancelled,
    /// Cancelled, and the money went back.
    Refunded,
}

type Held = Result<(), String>;

fn must(holds: bool, what: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(what()) }
}

impl Model {
    /// Checks everything; tells how the orders ended.
    pub fn finish(&mut self) -> BTreeMap<Rest, usize> {
        let mut rests = BTreeMap::new();
        let orders = self.log.orders().clone();
        let mut sold: BTreeMap<String, u64> = BTreeMap::new();
        for (order_id, placed) in &orders {
            match self.order_at_rest(order_id, placed) {
                Ok(rest) => {
                    *rests.entry(rest).or_default() += 1;
                    if matches!(rest, Rest::Confirmed | Rest::Delivered) {
                        for (product, pieces) in &placed.items {
                            *sold.entry(product.clone()).or_default() += pieces;
                        }
                    }
                }
                Err(what) => self.wrong(what),
            }
            let told = self.told_once(order_id, placed);
            self.check(told);
        }
        let products: Vec<String> = self.log.products().keys().cloned().collect();
        for product in &products {
            let checked = self.shelf_at_rest(product, sold.get(product).copied().unwrap_or(0));
            self.check(checked);
        }
        let listed = self.listed_once(&orders);
        let buried = self.garbled.all_found(&self.log);
        self.check(buried);
        let kept = self.promises.kept(&self.log).and_then(|()| self.promises_at_rest());
        self.check(listed);
        self.check(kept);
        rests
    }

    fn state(&self, key: &str) -> &Value {
        self.values.get(key).map_or(&Value::Null, |seen| &seen.parsed["state"])
    }

    /// Status, saga and money say the same.
    fn order_at_rest(&self, order_id: &str, placed: &Placed) -> Result<Rest, String> {
        let status = self.state(&format!("order/order/{order_id}"))["status"].as_str().unwrap_or("absent");
        let (phase, taken) = (self.saga_phase(order_id), self.ledger.taken(order_id));
        let fulfilled = taken == [placed.total] && phase == "completed";
        let undone = taken.is_empty() && phase == "failed";
        match status {
            "confirmed" if fulfilled => Ok(Rest::Confirmed),
            "delivered" if fulfilled => Ok(Rest::Delivered),
            "cancelled" if undone && self.ledger.ever_taken(order_id) > 0 => Ok(Rest::Refunded),
            "cancelled" if undone => Ok(Rest::Cancelled),
            _ => Err(format!(
                "order {order_id} is {status}, its saga {phase}, it costs {}, taken are {taken:?}",
                placed.total
            )),
        }
    }

    fn shelf_at_rest(&self, product: &str, sold: u64) -> Held {
        let Some(seen) = self.values.get(&format!("inventory/stock/{product}")) else {
            return Err(format!("{product} was listed, and inventory has not heard of it"));
        };
        let counts = Counts::of(&seen.parsed).unwrap_or_default();
        let initial = self.log.products().get(product).map_or(0, |listed| listed.initial);
        let adjusted: i64 = self.shelves.adjusted(product).values().sum();
        let due = i64::try_from(initial).unwrap_or(0) + adjusted;
        must(i64::try_from(counts.total()) == Ok(due), || format!("{product}: {due} came in, there are {counts:?}"))?;
        must(counts.reserved == 0, || format!("{product}: at rest {} are still reserved", counts.reserved))?;
        must(counts.sold == sold, || format!("{product}: {} are sold, fulfilled orders have {sold}", counts.sold))
    }

    /// Each notification of an order exists once.
    fn told_once(&self, order_id: &str, placed: &Placed) -> Held {
        let key = format!("notification/order/{order_id}");
        let thread: Value =
            self.values.get(&key).map(|seen| json::from_slice(&seen.bytes).unwrap_or_default()).unwrap_or_default();
        let notes = thread["view"]["notes"].as_array().cloned().unwrap_or_default();
        let notes_of = |kind: &str| notes.iter().filter(|note| !note["content"][kind].is_null()).count();
        for (subject, kind) in [
            ("order.created", "order-created"),
            ("order.confirmed", "order-confirmed"),
            ("order.cancelled", "order-cancelled"),
            ("order.delivered", "order-delivered"),
            ("inventory.stock.reserved", "stock-reserved"),
            ("payment.succeeded", "payment-succeeded"),
            ("payment.refunded", "payment-refunded"),
        ] {
            let (facts, told) = (self.log.count(subject, order_id), notes_of(kind));
            must(facts == told, || {
                format!("{} of {order_id}: {facts} × {subject} happened, {told} are told", placed.customer)
            })?;
        }
        Ok(())
    }

    /// Each order is once in its customer's list.
    fn listed_once(&self, orders: &BTreeMap<String, Placed>) -> Held {
        let mut listed: BTreeMap<String, usize> = BTreeMap::new();
        for (_, seen) in self.values.iter().filter(|(key, _)| key.starts_with("order/customer/")) {
            let page: Value = json::from_slice(&seen.bytes).unwrap_or_default();
            for order_id in page["view"]["orders"].as_array().into_iter().flatten() {
                *listed.entry(order_id.as_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        for order_id in orders.keys() {
            let times = listed.get(order_id).copied().unwrap_or(0);
            must(times == 1, || format!("{order_id} is {times} times in its customer's list"))?;
        }
        Ok(())
    }

    fn promises_at_rest(&self) -> Held {
        let status = |order_id: &String| self.state(&format!("order/order/{order_id}"))["status"].clone();
        for order_id in &self.promises.cancelled {
            let is = status(order_id);
            must(is == "cancelled", || format!("somebody was told that {order_id} is cancelled, and it is {is}"))?;
        }
        for order_id in &self.promises.delivered {
            let is = status(order_id);
            must(is == "delivered", || format!("somebody was told that {order_id} is delivered, and it is {is}"))?;
        }
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in self.log.entries().filter(|entry| entry.subject == "inventory.adjust") {
            let times = usize::from(self.shelves.adjusted(&entry.aggregate).contains_key(&entry.id));
            *made.entry(entry.data["notes"].as_str().unwrap_or_default()).or_default() += times;
        }
        for (request, times) in &made {
            must(*times <= 1, || format!("the correction {request} was made {times} times"))?;
        }
        let made = |request: &String| made.get(request.as_str()).copied().unwrap_or(0);
        for request in &self.promises.adjusted {
            must(made(request) == 1, || format!("somebody was told of the correction {request}, it was not made"))?;
        }
        for request in &self.promises.refused {
            must(made(request) == 0, || format!("the correction {request} was refused, and it was made"))?;
        }
        Ok(())
    }
}
