//! The marketplace with its catalogue: an order is placed, and looked at until it is confirmed.

use super::shop::{Bought, Pace, Shop};
use crate::catalogue::Catalogue;
use crate::client::Connection;
use crate::options::Options;
use crate::target::{Kind, Target};
use anyhow::{Context as _, Result, bail, ensure};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running marketplace.
#[derive(Debug)]
pub struct Marketplace {
    /// Its process.
    pub target: Target,
    catalogue: Catalogue,
}

impl Marketplace {
    /// Starts one of the two and lists the catalogue there.
    ///
    /// # Errors
    /// Where it does not become ready, or a product is refused.
    pub async fn open(options: &Options, kind: Kind, state: &TempDir) -> Result<Self> {
        Self::on(Target::start(options, kind, state).await?).await
    }

    /// Lists the catalogue at a running process.
    ///
    /// # Errors
    /// Where a product is refused.
    pub async fn on(target: Target) -> Result<Self> {
        let catalogue = Catalogue::load(target.listen).await?;
        Ok(Self { target, catalogue })
    }
}

impl Shop for Marketplace {
    fn address(&self) -> SocketAddr {
        self.target.listen
    }

    fn cpu_micros(&self) -> Result<u64> {
        self.target.cpu_micros()
    }

    async fn buy(&self, connection: &mut Connection, pace: Pace) -> Result<Bought> {
        place(connection, &self.catalogue, pace).await
    }
}

/// Places an order of two products, and looks until it is confirmed.
///
/// # Errors
/// Where it is not taken or not confirmed.
pub async fn place(connection: &mut Connection, catalogue: &Catalogue, pace: Pace) -> Result<Bought> {
    let began = Instant::now();
    let reply = connection.post("/api/v1/orders", catalogue.order()).await?;
    ensure!(reply.status == 201, "placing an order: {} {}", reply.status, reply.text());
    let id = reply.text_of("orderId").with_context(|| format!("no orderId in {}", reply.text()))?;
    let path = format!("/api/v1/orders/{id}");
    let (mut wait, mut next, mut polls) = (pace.first.saturating_sub(began.elapsed()), pace.next, 0);
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
