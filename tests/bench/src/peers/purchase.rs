//! The same three-step saga as the peers', on our own host: `tests/guests/purchase`.

use crate::client::Connection;
use crate::options::Options;
use crate::orders::{Bought, Pace, Placed, Shop};
use crate::target::{Kind, Target};
use anyhow::{Result, ensure};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Products, as many as the sample catalogue of the marketplace has.
pub const PRODUCTS: usize = 40;
/// Pieces of each: they do not run out.
pub const STOCK: u32 = 1_000_000_000;
/// How long the shelves may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running host with the saga. Dropping it kills it.
#[derive(Debug)]
pub struct Purchase {
    target: Target,
}

impl Purchase {
    /// Starts it, and stocks the shelves.
    ///
    /// # Errors
    /// Where it does not start, or refuses.
    pub async fn start(options: &Options, state: &TempDir) -> Result<Self> {
        let manifest = artifacts::workspace().join("tests/guests/purchase/spin.toml");
        let target = Target::start_on(options, Kind::Host, &manifest, state.path()).await?;
        let mut connection = Connection::open(target.listen).await?;
        for product in 0..PRODUCTS {
            let body = format!(r#"{{"id":"product-{product}","data":{{"quantity":{STOCK}}}}}"#);
            let reply = connection.post("/stock", body).await?;
            ensure!(reply.status == 201, "stocking: {} {}", reply.status, reply.text());
        }
        let began = Instant::now();
        for product in 0..PRODUCTS {
            while connection.get(&format!("/stock/product-{product}")).await?.status != 200 {
                ensure!(began.elapsed() < PATIENCE, "product-{product} is not in stock: {}", target.log());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(Self { target })
    }

    /// Ends it.
    ///
    /// # Errors
    /// Where it does not.
    pub fn stop(self) -> Result<()> {
        self.target.stop()
    }
}

/// Any two different products.
pub fn two_products() -> (usize, usize) {
    let first = fastrand::usize(..PRODUCTS);
    (first, (first + fastrand::usize(1..PRODUCTS)) % PRODUCTS)
}

impl Shop for Purchase {
    fn address(&self) -> SocketAddr {
        self.target.listen
    }

    fn cpu_micros(&self) -> Result<u64> {
        self.target.cpu_micros()
    }

    async fn buy(&self, connection: &mut Connection, pace: Pace) -> Result<Bought> {
        let (first, second) = two_products();
        let id = uuid::Uuid::now_v7();
        let order = format!(
            r#"{{"id":"{id}","data":{{"items":[{{"productId":"product-{first}","quantity":1}},{{"productId":"product-{second}","quantity":1}}],"amount":3400,"method":"tok_ok"}}}}"#
        );
        let began = Instant::now();
        let reply = connection.post("/orders", order).await?;
        ensure!(reply.status == 201, "placing an order: {} {}", reply.status, reply.text());
        let order = Placed { path: format!("/orders/{id}"), began };
        // Not known yet: its event is in the log, and the handler has not come to it.
        order
            .confirmed(connection, pace, |reply| reply.status == 404 || reply.text_of("status") == Some("pending"))
            .await
    }
}
