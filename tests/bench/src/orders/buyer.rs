//! One buyer: places an order, and looks until it is confirmed.

use crate::catalogue::Catalogue;
use crate::client::Connection;
use anyhow::{Context as _, Result, bail, ensure};
use std::time::{Duration, Instant};

/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a buyer looks: after `first`, then after `next`, which grows by a quarter each time, so that a server under
/// load is not kept busy with questions.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Until the first look.
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

/// Buys two products.
///
/// # Errors
/// Where the order is not taken or not confirmed.
pub async fn buy(connection: &mut Connection, catalogue: &Catalogue, pace: Pace) -> Result<Bought> {
    let began = Instant::now();
    let reply = connection.post("/api/v1/orders", catalogue.order()).await?;
    ensure!(reply.status == 201, "placing an order: {} {}", reply.status, reply.text());
    let id = reply.text_of("orderId").with_context(|| format!("no orderId in {}", reply.text()))?;
    let path = format!("/api/v1/orders/{id}");
    let (mut wait, mut next, mut polls) = (pace.first, pace.next, 0);
    loop {
        tokio::time::sleep(wait).await;
        let reply = connection.get(&path).await?;
        polls += 1;
        match reply.text_of("status") {
            Some("confirmed") => return Ok(Bought { took: began.elapsed(), polls }),
            Some("pending") if began.elapsed() < PATIENCE => {}
            _ => bail!("order {id} after {:?}: {} {}", began.elapsed(), reply.status, reply.text()),
        }
        wait = next;
        next = next.mul_f64(1.25);
    }
}
