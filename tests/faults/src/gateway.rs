//! The payment gateway as a process of its own, which nobody kills.

use anyhow::{Context as _, Result};
use end_to_end::{Client, Money, eventually};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running gateway. Dropping it kills it.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    child: Child,
}

impl Gateway {
    /// Starts it with its journal in `folder`.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn start(folder: &Path) -> Result<Self> {
        let address = artifacts::free_address();
        let mut command = Command::new(artifacts::binary("gateway"));
        command.arg(address.to_string()).arg(folder.join("ledger.journal")).stdin(Stdio::null());
        let gateway = Self { address, child: command.spawn().context("starting the gateway")? };
        let client = gateway.client();
        eventually("the gateway answers", async || client.get("/gateway/ledger").await.ok()).await?;
        Ok(gateway)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.url())
    }

    /// The whole ledger: money by order.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn ledger(&self) -> Result<BTreeMap<String, Money>> {
        let client = self.client();
        let mut entries = BTreeMap::new();
        let (mut page, mut pages) = (1, 1);
        while page <= pages {
            let reply = client.get(&format!("/gateway/ledger?page={page}")).await?;
            anyhow::ensure!(reply.status == 200, "page {page} of the ledger: {reply:?}");
            pages = reply.number_at("/pages").context("the ledger does not say how many pages it has")?;
            for entry in reply.json["entries"].as_array().into_iter().flatten() {
                // An account may be on two pages; a movement has one id.
                entries.insert(entry["id"].to_string(), entry.clone());
            }
            page += 1;
        }
        let mut ledger = BTreeMap::<String, Money>::new();
        for entry in entries.values() {
            let money = ledger.entry(entry["merchantReference"].as_str().unwrap_or_default().to_owned()).or_default();
            let amount = entry["amount"].as_u64().context("a movement of no amount")?;
            let side = if entry["kind"] == "refund" { &mut money.refunded } else { &mut money.charged };
            side.push(amount);
        }
        Ok(ledger)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _may_be_gone = self.child.wait();
    }
}
