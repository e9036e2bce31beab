//! The marketplace as one or several processes over one NATS server.

use crate::catalogue::Catalogue;
use crate::client::Connection;
use crate::orders::{Bought, Pace, Shop, place};
use crate::process;
use anyhow::{Context as _, Result};
use end_to_end::Host;
use std::cell::Cell;
use std::net::SocketAddr;

/// Running processes, with the catalogue listed.
#[derive(Debug)]
pub struct Deployed {
    hosts: Vec<Host>,
    addresses: Vec<SocketAddr>,
    server: u32,
    catalogue: Catalogue,
    next: Cell<usize>,
}

impl Deployed {
    /// Lists the catalogue at the first of `hosts`; `server` is the process id of their NATS server.
    ///
    /// # Errors
    /// Where there is none, or it refuses a product.
    pub async fn new(hosts: Vec<Host>, server: u32) -> Result<Self> {
        let addresses: Result<Vec<SocketAddr>, _> = hosts.iter().map(|host| host.client_address().parse()).collect();
        let addresses = addresses?;
        let catalogue = Catalogue::load(*addresses.first().context("no process")?).await?;
        Ok(Self { hosts, addresses, server, catalogue, next: Cell::new(0) })
    }
}

impl Shop for Deployed {
    /// Each in turn.
    fn address(&self) -> SocketAddr {
        let next = self.next.replace(self.next.get() + 1);
        self.addresses[next % self.addresses.len()]
    }

    fn cpu_micros(&self) -> Result<u64> {
        let pids = self.hosts.iter().flat_map(Host::pids).chain([self.server]);
        pids.map(process::cpu_micros).sum()
    }

    async fn buy(&self, connection: &mut Connection, pace: Pace) -> Result<Bought> {
        place(connection, &self.catalogue, pace).await
    }
}
