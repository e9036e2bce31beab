//! Where orders are placed, whoever runs it.

use crate::client::Connection;
use anyhow::Result;
use std::net::SocketAddr;
use std::time::Duration;

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
