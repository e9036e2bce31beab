//! Where orders are placed, whoever runs it.

use crate::client::{Connection, Reply};
use anyhow::{Result, bail};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a buyer looks: `first` after placing the order, then after `next`, which grows by a quarter each time, so that a server under
/// load is not kept busy with questions.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From the placing to the first look.
    pub first: Duration,
    /// Until the second.
    pub next: Duration,
}

/// An order that was confirmed.
#[derive(Debug, Clone, Copy)]
pub struct Bought {
    /// From the placing until `confirmed` was read.
    pub took: Duration,
    /// How often the buyer looked.
    pub polls: u32,
}

/// A server that takes orders.
pub trait Shop {
    /// Where buyers connect.
    fn address(&self) -> SocketAddr;

    /// CPU time of all its processes so far, in microseconds.
    ///
    /// # Errors
    /// Where one is gone.
    fn cpu_micros(&self) -> Result<u64>;

    /// Buys two products, one piece each, and waits until the order is confirmed.
    ///
    /// # Errors
    /// Where the order is not taken or not confirmed.
    async fn buy(&self, connection: &mut Connection, pace: Pace) -> Result<Bought>;
}

/// An order that was taken.
#[derive(Debug)]
pub struct Placed {
    /// Where it can be looked at.
    pub path: String,
    /// When it was asked for.
    pub began: Instant,
}

impl Placed {
    /// Looks until it is confirmed; `is_pending` tells of an answer whether it may still become so.
    ///
    /// # Errors
    /// Where it ends in another way, or not in time.
    pub async fn confirmed(
        &self,
        connection: &mut Connection,
        pace: Pace,
        is_pending: impl Fn(&Reply) -> bool,
    ) -> Result<Bought> {
        let (mut wait, mut next, mut polls) = (pace.first.saturating_sub(self.began.elapsed()), pace.next, 0);
        loop {
            tokio::time::sleep(wait).await;
            let reply = connection.get(&self.path).await?;
            polls += 1;
            if reply.status == 200 && reply.text_of("status") == Some("confirmed") {
                return Ok(Bought { took: self.began.elapsed(), polls });
            }
            if !is_pending(&reply) || self.began.elapsed() >= PATIENCE {
                bail!("{} after {:?}: {} {}", self.path, self.began.elapsed(), reply.status, reply.text());
            }
            wait = next;
            next = next.mul_f64(1.25);
        }
    }
}
