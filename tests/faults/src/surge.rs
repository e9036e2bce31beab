//! More orders than can be served: placed at a fixed rate, whatever becomes of those before.

use crate::seen::{PATIENCE, Seen};
use crate::{Answer, Customers};
use anyhow::{Result, bail, ensure};
use end_to_end::{Client, Order, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How many order at once while it is found out how much can be served.
const AT_ONCE: usize = 64;
/// How long a customer waits who is told to come again later.
const LATER: Duration = Duration::from_secs(1);
/// Between two looks at an order.
const LOOK: Duration = Duration::from_millis(20);
/// Orders of one customer id: few enough for one page of a list.
const ORDERS_A_CUSTOMER: usize = 8;

/// Customers who come all at once.
#[derive(Debug)]
pub struct Surge {
    door: Client,
    products: Vec<String>,
    name: String,
    seen: Arc<Seen>,
    came: AtomicUsize,
    put_off: AtomicUsize,
}

impl Surge {
    /// Of customers who write down where `customers` do, and order one of `products` each. Their ids begin with `name`.
    #[must_use]
    pub fn beside(customers: &Customers, door: &Client, (name, products): (&str, Vec<String>)) -> Arc<Self> {
        Arc::new(Self {
            door: door.clone(),
            products,
            name: name.to_owned(),
            seen: customers.seen(),
            came: AtomicUsize::new(0),
            put_off: AtomicUsize::new(0),
        })
    }

    /// Orders a second that come to their end where nobody places the next before.
    ///
    /// # Errors
    /// Where an answer is none.
    pub async fn capacity(self: &Arc<Self>, time: Duration) -> Result<f64> {
        let (began, mut tasks) = (Instant::now(), JoinSet::new());
        for _ in 0..AT_ONCE {
            let this = self.clone();
            tasks.spawn(async move {
                let mut served = 0_u32;
                while began.elapsed() < time {
                    let order_id = this.order().await?;
                    this.ends(&order_id).await?;
                    served += 1;
                }
                Ok::<_, anyhow::Error>(served)
            });
        }
        let mut served = 0;
        while let Some(ended) = tasks.join_next().await {
            served += ended??;
        }
        Ok(f64::from(served) / began.elapsed().as_secs_f64())
    }

    /// Lets `rate` customers a second come for that time, and returns those who still wait.
    pub async fn come(self: &Arc<Self>, rate: f64, time: Duration) -> JoinSet<Result<()>> {
        let mut tasks = JoinSet::new();
        let mut next = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        // Those who are late come all at once: the rate is what counts.
        next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let began = Instant::now();
        while began.elapsed() < time {
            next.tick().await;
            let this = self.clone();
            tasks.spawn(async move { this.order().await.map(drop) });
        }
        tasks
    }

    /// How many have come.
    #[must_use]
    pub fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }

    /// How often one was told to come again later.
    #[must_use]
    pub fn put_off(&self) -> usize {
        self.put_off.load(Ordering::Relaxed)
    }

    /// Places one order, and comes again as often as that is what the answer asks for; the order's id.
    async fn order(&self) -> Result<String> {
        let number = self.came.fetch_add(1, Ordering::Relaxed);
        let (key, customer) =
            (format!("{}-{number}", self.name), format!("{}-{}", self.name, number / ORDERS_A_CUSTOMER));
        let product = self.products.get(number % self.products.len().max(1)).cloned().unwrap_or_default();
        let order = Order { customer, ..Order::of(&product) };
        self.seen.note(|notes| notes.ask(&key, &order));
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let reply = self.door.post_traced("/api/v1/orders", &key, &order.body()).await?;
            if is_put_off(&reply)? {
                self.put_off.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(LATER).await;
                continue;
            }
            ensure!(reply.status == 201, "{key}: {reply:?}");
            let answer = self.seen.note(|notes| notes.hear(&key, &reply))?;
            let Answer::Taken(order_id) = answer else { bail!("{key}: {answer:?}") };
            return Ok(order_id);
        }
        bail!("{key} got no answer in {PATIENCE:?}")
    }

    /// Waits until an order is confirmed, or cancelled.
    async fn ends(&self, order_id: &str) -> Result<()> {
        let (began, path) = (Instant::now(), format!("/api/v1/orders/{order_id}"));
        while began.elapsed() < PATIENCE {
            let order = self.door.get(&path).await?;
            if matches!(order.text_at("/status"), "confirmed" | "cancelled") {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("{order_id} did not end in {PATIENCE:?}")
    }
}

/// Whether the customer is to come again; then the answer must say when.
fn is_put_off(reply: &Reply) -> Result<bool> {
    let later = matches!(reply.status, 429 | 503);
    ensure!(!later || reply.headers.contains_key("retry-after"), "put off without a Retry-After: {reply:?}");
    Ok(later || reply.status == 202)
}
