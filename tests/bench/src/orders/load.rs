//! Many buyers: a fixed number, each one order after the other (closed), or one order every so often whatever became of
//! those before (open), timed from when it was due.

use super::Until;
use super::shop::{Bought, Pace, Shop};
use crate::client::Connection;
use anyhow::Result;
use end_to_end::Latencies;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// First look of a buyer who is in no queue.
const FIRST: Duration = Duration::from_millis(3);
/// Its next.
const NEXT: Duration = Duration::from_millis(2);
/// How much earlier than an order is usually done a buyer looks, at least: more than a look takes and a clock rounds up to.
/// Were it less, what is usual would be how long buyers wait, however soon their orders are done.
const EARLIER: Duration = Duration::from_millis(3);
/// Weight of the newest order in the average that tells a buyer in a queue when to look.
const NEWEST: f64 = 0.05;

/// What came of a load.
#[derive(Debug, Default)]
pub struct Load {
    /// From the first order to the last answer.
    pub elapsed: Duration,
    /// Of confirmed orders.
    pub latencies: Latencies,
    /// Orders that were refused, failed, or were not confirmed.
    pub failed: usize,
    polls: u64,
    cpu_micros: u64,
    first_failure: Option<String>,
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
impl Load {
    /// Confirmed orders a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// CPU time of the server for each confirmed order, in microseconds; the buyers' looks are in it.
    pub fn cpu_an_order(&self) -> f64 {
        self.cpu_micros as f64 / self.latencies.len() as f64
    }

    /// Looks for each confirmed order.
    pub fn polls_an_order(&self) -> f64 {
        self.polls as f64 / self.latencies.len() as f64
    }

    /// Orders that were not confirmed.
    pub fn failed_count(&self) -> f64 {
        self.failed as f64
    }

    /// What the first of them met.
    pub fn first_failure(&self) -> String {
        self.first_failure.clone().unwrap_or_default()
    }

    fn add(&mut self, outcome: Result<Bought>, late: Duration) {
        match outcome {
            Ok(bought) => {
                self.latencies.add(bought.took + late);
                self.polls += u64::from(bought.polls);
            }
            Err(error) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
}

/// What the buyers of a closed loop share; they all run on one thread.
struct Shared {
    load: RefCell<Load>,
    placed: RefCell<usize>,
    /// How long an order takes at the moment, in seconds.
    usual: RefCell<f64>,
}

/// Keeps `clients` buyers busy.
///
/// # Errors
/// Where the server is gone.
pub async fn closed(shop: &impl Shop, clients: usize, until: Until) -> Result<Load> {
    let shared =
        Shared { load: RefCell::default(), placed: RefCell::default(), usual: RefCell::new(FIRST.as_secs_f64()) };
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Connection::open(shop.address()).await?);
    }
    let (cpu, began) = (shop.cpu_micros()?, Instant::now());
    let mut buyers: FuturesUnordered<_> =
        connections.into_iter().map(|connection| shared.buy(shop, connection, until, began)).collect();
    while buyers.next().await.is_some() {}
    drop(buyers);
    let mut load = shared.load.take();
    load.elapsed = began.elapsed();
    load.cpu_micros = shop.cpu_micros()?.saturating_sub(cpu);
    Ok(load)
}

impl Shared {
    async fn buy(&self, shop: &impl Shop, mut connection: Connection, until: Until, began: Instant) {
        while self.goes_on(until, began) {
            let outcome = shop.buy(&mut connection, self.pace()).await;
            let failed = outcome.is_err();
            self.bought(outcome);
            if failed {
                // A server that refuses at once must not be asked in a tight loop.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn goes_on(&self, until: Until, began: Instant) -> bool {
        *self.placed.borrow_mut() += 1;
        match until {
            Until::Elapsed(duration) => began.elapsed() < duration,
            Until::Orders(orders) => *self.placed.borrow() <= orders,
        }
    }

    /// A buyer in a queue looks shortly before an order is usually done.
    fn pace(&self) -> Pace {
        let usual = *self.usual.borrow();
        Pace {
            first: Duration::from_secs_f64(usual * 0.9).saturating_sub(EARLIER).max(FIRST),
            next: Duration::from_secs_f64(usual * 0.1).max(NEXT),
        }
    }

    fn bought(&self, outcome: Result<Bought>) {
        if let Ok(bought) = &outcome {
            let mut usual = self.usual.borrow_mut();
            *usual += NEWEST * (bought.took.as_secs_f64() - *usual);
        }
        self.load.borrow_mut().add(outcome, Duration::ZERO);
    }
}

/// Places `rate` orders a second for `duration`.
///
/// # Errors
/// Where the server is gone.
pub async fn open(shop: &impl Shop, rate: u32, duration: Duration) -> Result<Load> {
    let idle: RefCell<Vec<Connection>> = RefCell::default();
    let mut load = Load::default();
    let (cpu, began) = (shop.cpu_micros()?, Instant::now());
    let period = Duration::from_secs(1) / rate;
    let mut orders = FuturesUnordered::new();
    let mut due = began;
    while due.duration_since(began) < duration {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(due.into()) => {
                orders.push(one(shop, &idle, due));
                due += period;
            }
            Some((outcome, late)) = orders.next(), if !orders.is_empty() => load.add(outcome, late),
        }
    }
    while let Some((outcome, late)) = orders.next().await {
        load.add(outcome, late);
    }
    load.elapsed = began.elapsed();
    load.cpu_micros = shop.cpu_micros()?.saturating_sub(cpu);
    Ok(load)
}

/// One order of an open loop, and how late it began: that counts, or a server that stalls would look well.
async fn one(shop: &impl Shop, idle: &RefCell<Vec<Connection>>, due: Instant) -> (Result<Bought>, Duration) {
    let spare = idle.borrow_mut().pop();
    let connection = match spare {
        Some(connection) => Ok(connection),
        None => Connection::open(shop.address()).await,
    };
    let late = due.elapsed();
    match connection {
        Ok(mut connection) => {
            let outcome = shop.buy(&mut connection, Pace { first: FIRST, next: NEXT }).await;
            if outcome.is_ok() {
                idle.borrow_mut().push(connection);
            }
            (outcome, late)
        }
        Err(error) => (Err(error), late),
    }
}
