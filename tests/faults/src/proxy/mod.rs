//! A TCP proxy between a process and what it talks to, which breaks the network between them: it holds what goes one
//! way, or both; and, knowing enough of the NATS protocol, it loses requests or answers.

mod frames;
mod pump;
mod rules;

pub use rules::{Losing, Lost, Way};

use anyhow::{Context as _, Result};
use pump::Pump;
use rules::Rules;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running proxy. Dropping it closes all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    rules: Arc<Rules>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts one that leads to `upstream`, at an address of its own.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let address = artifacts::free_address();
        let listener = TcpListener::bind(address).await.with_context(|| format!("a proxy at {address}"))?;
        let rules = Arc::<Rules>::default();
        let accepting = tokio::spawn(accept(listener, upstream, rules.clone()));
        Ok(Self { address, rules, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds what goes these ways, from now on: nothing is lost, as TCP loses nothing, and nothing arrives.
    pub fn hold(&self, ways: &[Way]) {
        self.rules.hold(ways);
    }

    /// Lets everything pass again, beginning with what was held.
    pub fn release(&self) {
        self.rules.hold(&[]);
    }

    /// Pieces of traffic that were held so far.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.rules.held()
    }

    /// Loses what `loss` says, from now on, instead of what was to be lost before.
    pub fn lose(&self, loss: Losing) {
        self.rules.lose(loss);
    }

    /// Frames that were lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.rules.lost()
    }

    /// Frames that are still to be lost.
    #[must_use]
    pub fn to_be_lost(&self) -> u64 {
        self.rules.to_be_lost()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, rules: Arc<Rules>) {
    // Dropped with this task: so are the connections.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        connections.spawn(connect(client, upstream, rules.clone()));
    }
}

/// One connection, until either side ends it. What goes wrong on it, both sides see as its end.
async fn connect(client: TcpStream, upstream: SocketAddr, rules: Arc<Rules>) -> std::io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let awaited = Arc::default();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = Pump::new(Way::ToServer, &rules, &awaited).run(from_client, to_server);
    let back = Pump::new(Way::ToClient, &rules, &awaited).run(from_server, to_client);
    tokio::try_join!(there, back).map(|_| ())
}

#[cfg(test)]
mod tests;
