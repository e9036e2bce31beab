//! Customers who order all the time, ask again with the same key where no answer came, and write everything down. Now
//! and then one cancels, takes the goods, or stands in for the artisan who adjusts a stock.

use crate::seen::{PATIENCE, Seen};
use crate::{Answer, Notes, Seed};
use anyhow::{Context as _, Result, bail};
use end_to_end::{Client, Order, Reply};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Between two looks at an order.
const LOOK: Duration = Duration::from_millis(5);
/// Orders of one customer id: few enough for one page of a list.
const ORDERS_A_CUSTOMER: u32 = 8;

/// How many customers there are, and how eager they are.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// Customers at work at the same time.
    pub count: u64,
    /// The longest one rests between two orders.
    pub rest: Duration,
}

/// The customers at work.
#[derive(Debug)]
pub struct Customers {
    seen: Arc<Seen>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<()>>,
    probes: u32,
}

/// The key of the cancellation of the order that was asked for under `key`, and its correlation id.
#[must_use]
pub fn cancellation(key: &str) -> String {
    format!("cancel-{key}")
}

/// The same of a cancellation of what is cancelled.
#[must_use]
pub fn second_cancellation(key: &str) -> String {
    format!("cancel-again-{key}")
}

/// The same of a delivery.
#[must_use]
pub fn delivery(key: &str) -> String {
    format!("deliver-{key}")
}

struct Customer {
    number: u64,
    client: Client,
    products: Arc<[String]>,
    choices: fastrand::Rng,
    rest: Duration,
    seen: Arc<Seen>,
    stop: Arc<AtomicBool>,
}

impl Customers {
    /// Sets `count` of them to work, who never rest. They order from `products`.
    #[must_use]
    pub fn start(count: u64, client: &Client, products: &[String], seed: Seed) -> Self {
        Self::come(Crowd { count, rest: Duration::ZERO }, std::slice::from_ref(client), products, seed)
    }

    /// Sets a crowd to work, each at one of the `doors` of the marketplace.
    #[must_use]
    pub fn come(crowd: Crowd, doors: &[Client], products: &[String], seed: Seed) -> Self {
        let (seen, stop) = (Arc::<Seen>::default(), Arc::<AtomicBool>::default());
        let products: Arc<[String]> = products.into();
        let mut tasks = JoinSet::new();
        for (number, door) in (0..crowd.count).zip(doors.iter().cycle()) {
            let customer = Customer {
                number,
                client: door.clone(),
                products: products.clone(),
                choices: seed.choices(number + 1),
                rest: crowd.rest,
                seen: seen.clone(),
                stop: stop.clone(),
            };
            tasks.spawn(customer.work());
        }
        Self { seen, stop, tasks, probes: 0 }
    }

    /// How many orders they have asked for so far.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.seen.look(|notes| notes.by_key.len())
    }

    /// How many of them wait for an answer now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.seen.waiting.load(Ordering::Relaxed)
    }

    /// How often one got no answer so far, or was told to come again.
    #[must_use]
    pub fn put_off(&self) -> usize {
        self.seen.put_off.load(Ordering::Relaxed)
    }

    /// Where what is seen is written down, for others who order beside them.
    pub(crate) fn seen(&self) -> Arc<Seen> {
        self.seen.clone()
    }

    /// Orders one piece of `product` now, and waits until that order is confirmed; how long it took.
    ///
    /// # Errors
    /// Where it is refused, or not confirmed in the end.
    pub async fn probe(&mut self, door: &Client, product: &str) -> Result<Duration> {
        self.probes += 1;
        let key = format!("probe-{}", self.probes);
        let customer = format!("cust-probe-{}", self.probes / ORDERS_A_CUSTOMER);
        let order = Order { customer, ..Order::of(product) };
        self.seen.note(|notes| notes.ask(&key, &order));
        let began = Instant::now();
        let reply = self.seen.answered(door, "/api/v1/orders", (&key, &order.body())).await?;
        anyhow::ensure!(reply.status == 201, "{key}: {reply:?}");
        self.seen.note(|notes| notes.hear(&key, &reply))?;
        let path = format!("/api/v1/orders/{}", reply.text_at("/orderId"));
        let confirmed = async {
            loop {
                match door.get(&path).await {
                    Ok(reply) if reply.text_at("/status") == "confirmed" => return Ok(began.elapsed()),
                    Ok(reply) if reply.text_at("/status") == "cancelled" => bail!("{key} is cancelled: {reply:?}"),
                    _ => tokio::time::sleep(LOOK).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, confirmed).await.with_context(|| format!("{key}: not in {PATIENCE:?}"))?
    }

    /// Fails as soon as one of them has found a lie.
    ///
    /// # Errors
    /// What the customer found.
    pub fn check(&mut self) -> Result<()> {
        match self.tasks.try_join_next() {
            Some(ended) => ended?.context("a customer").and_then(|()| bail!("a customer stopped too early")),
            None => Ok(()),
        }
    }

    /// Lets each finish what it is at; the notes.
    ///
    /// # Errors
    /// Where a customer found a lie, or got no answer in the end.
    pub async fn finish(mut self) -> Result<Notes> {
        self.stop.store(true, Ordering::Release);
        while let Some(ended) = self.tasks.join_next().await {
            ended?.context("a customer")?;
        }
        Ok(self.seen.look(Notes::clone))
    }
}

impl Customer {
    async fn work(mut self) -> Result<()> {
        let mut count = 0;
        while !self.stop.load(Ordering::Acquire) {
            let rest = self.choices.u64(..=u64::try_from(self.rest.as_millis())?);
            tokio::time::sleep(Duration::from_millis(rest)).await;
            let (key, order) = (format!("key-{}-{count}", self.number), self.order(count));
            count += 1;
            self.seen.note(|notes| notes.ask(&key, &order));
            let answer = self.place(&key, &order).await?;
            let Answer::Taken(order_id) = answer else { continue };
            if self.choices.u8(..100) < 20 {
                let again = self.place(&key, &order).await?;
                anyhow::ensure!(again == Answer::Taken(order_id.clone()), "{key}: {order_id} has become {again:?}");
            }
            match self.choices.u8(..100) {
                0..6 => {
                    self.change(&key, &cancellation(&key), (&order_id, "cancel")).await?;
                    if self.choices.bool() {
                        self.change(&key, &second_cancellation(&key), (&order_id, "cancel")).await?;
                    }
                }
                6..16 => self.change(&key, &delivery(&key), (&order_id, "deliver")).await?,
                16..22 => self.adjust(&key).await?,
                _ => {}
            }
        }
        Ok(())
    }

    fn order(&mut self, count: u32) -> Order {
        let customer = format!("cust-{}-{}", self.number, count / ORDERS_A_CUSTOMER);
        let first = self.choices.usize(..self.products.len());
        let second = (first + 1 + self.choices.usize(..self.products.len() - 1)) % self.products.len();
        let pays = match self.choices.u8(..50) {
            0..5 => "tok_declined",
            5..10 => "tok_busy",
            10 => "tok_timeout",
            _ => "tok_ok",
        };
        let item = |place: usize, quantity| (self.products.get(place).cloned().unwrap_or_default(), quantity);
        let items = vec![item(first, 1), item(second, 1 + u32::from(pays == "tok_busy"))];
        Order { customer, items, pays }
    }

    async fn place(&self, key: &str, order: &Order) -> Result<Answer> {
        let body = order.body();
        let reply = self.answered("/api/v1/orders", key, &body).await?;
        anyhow::ensure!(matches!(reply.status, 201 | 409), "{key}: {reply:?}");
        self.seen.note(|notes| notes.hear(key, &reply))
    }

    /// Cancels the order or takes the goods; either may be refused.
    async fn change(&self, key: &str, idempotency_key: &str, (order_id, what): (&str, &str)) -> Result<()> {
        let body = match what {
            "deliver" => json!({ "deliveryMethod": "courier", "recipientName": "Lucía Cano" }),
            _ => json!({}),
        };
        let path = format!("/api/v1/orders/{order_id}/{what}");
        let reply = self.answered(&path, idempotency_key, &body).await?;
        anyhow::ensure!(matches!(reply.status, 200 | 409), "{what} of {order_id}: {reply:?}");
        self.seen.note(|notes| {
            if let Some(note) = notes.by_key.get_mut(key).filter(|_| reply.status == 200) {
                (note.cancelled, note.delivered) =
                    (note.cancelled || what == "cancel", note.delivered || what == "deliver");
            }
        });
        Ok(())
    }

    /// Finds some pieces more, or some fewer.
    async fn adjust(&mut self, key: &str) -> Result<()> {
        let product = self.products.get(self.choices.usize(..self.products.len())).cloned().unwrap_or_default();
        let by = if self.choices.bool() { 2 } else { -1 };
        let body =
            json!({ "adjustmentQuantity": by, "adjustmentReason": "correction", "adjustedBy": "art-alfar-ubeda" });
        let path = format!("/api/v1/inventory/{product}/adjustments");
        let reply = self.answered(&path, &format!("adjust-{key}"), &body).await?;
        anyhow::ensure!(matches!(reply.status, 200 | 409), "adjusting {product}: {reply:?}");
        self.seen.note(|notes| {
            if reply.status == 200 {
                *notes.adjusted.entry(product).or_default() += by;
            }
        });
        Ok(())
    }

    async fn answered(&self, path: &str, key: &str, body: &Value) -> Result<Reply> {
        self.seen.answered(&self.client, path, (key, body)).await
    }
}
