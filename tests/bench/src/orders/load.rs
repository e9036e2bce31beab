//! Many buyers: a fixed number, each one order after the other (closed), or one order every so often whatever became of
//! those before (open), timed from when it was due.

use super::Until;
use super::buyer::{Bought, Pace, buy};
use crate::catalogue::Catalogue;
use crate::client::Connection;
use crate::latency::Latencies;
use crate::target::Target;
use anyhow::Result;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// First look of a buyer who is in no queue.
const FIRST: Duration = Duration::from_millis(3);
/// Its next.
const NEXT: Duration = Duration::from_millis(2);
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
pub async fn closed(target: &Target, catalogue: &Arc<Catalogue>, clients: usize, until: Until) -> Result<Load> {
    let shared = Rc::new(Shared {
        load: RefCell::default(),
        placed: RefCell::default(),
        usual: RefCell::new(FIRST.as_secs_f64()),
    });
    let (cpu, began) = (target.cpu_micros()?, Instant::now());
    let buyers = tokio::task::LocalSet::new();
    for _ in 0..clients {
        let mut connection = Connection::open(target.listen).await?;
        let (shared, catalogue) = (shared.clone(), catalogue.clone());
        buyers.spawn_local(async move {
            while shared.goes_on(until, began) {
                let outcome = buy(&mut connection, &catalogue, shared.pace()).await;
                let failed = outcome.is_err();
                shared.bought(outcome);
                if failed {
                    // A server that refuses at once must not be asked in a tight loop.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
    }
    buyers.await;
    let mut load = shared.load.take();
    load.elapsed = began.elapsed();
    load.cpu_micros = target.cpu_micros()?.saturating_sub(cpu);
    Ok(load)
}

impl Shared {
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
            first: Duration::from_secs_f64(usual * 0.8).max(FIRST),
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
pub async fn open(target: &Target, catalogue: &Arc<Catalogue>, rate: u32, duration: Duration) -> Result<Load> {
    let idle: Rc<RefCell<Vec<Connection>>> = Rc::default();
    let mut load = Load::default();
    let (cpu, began) = (target.cpu_micros()?, Instant::now());
    let local = tokio::task::LocalSet::new();
    let outcomes = local.run_until(async {
        let mut orders = JoinSet::new();
        let period = Duration::from_secs(1) / rate;
        let mut due = began;
        while due.duration_since(began) < duration {
            tokio::time::sleep_until(due.into()).await;
            orders.spawn_local(one(target.listen, catalogue.clone(), idle.clone(), due));
            due += period;
        }
        orders.join_all().await
    });
    for (outcome, late) in outcomes.await {
        load.add(outcome, late);
    }
    load.elapsed = began.elapsed();
    load.cpu_micros = target.cpu_micros()?.saturating_sub(cpu);
    Ok(load)
}

/// One order of an open loop, and how late it began: that counts, or a server that stalls would look well.
async fn one(
    address: SocketAddr,
    catalogue: Arc<Catalogue>,
    idle: Rc<RefCell<Vec<Connection>>>,
    due: Instant,
) -> (Result<Bought>, Duration) {
    let spare = idle.borrow_mut().pop();
    let connection = match spare {
        Some(connection) => Ok(connection),
        None => Connection::open(address).await,
    };
    let late = due.elapsed();
    match connection {
        Ok(mut connection) => {
            let outcome = buy(&mut connection, &catalogue, Pace { first: FIRST, next: NEXT }).await;
            if outcome.is_ok() {
                idle.borrow_mut().push(connection);
            }
            (outcome, late)
        }
        Err(error) => (Err(error), late),
    }
}
