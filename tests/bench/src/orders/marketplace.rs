//! The marketplace with its catalogue: an order is placed, and looked at until it is confirmed.

use super::shop::{Bought, Pace, Placed, Shop};
use crate::catalogue::Catalogue;
use crate::client::Connection;
use crate::options::Options;
use crate::target::{Kind, Target};
use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::time::Instant;
use tempfile::TempDir;

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
    let order = Placed { path: format!("/api/v1/orders/{id}"), began };
    order.confirmed(connection, pace, |reply| reply.status == 200 && reply.text_of("status") == Some("pending")).await
}
