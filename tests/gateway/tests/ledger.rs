//! The ledger is on disk before an answer: `kill -9` takes nothing back, and a repeated charge is the same charge.

use anyhow::{Context as _, Result, ensure};
use end_to_end::{Client, eventually};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Gateway(Child);

impl Gateway {
    async fn start(address: SocketAddr, journal: &Path) -> Result<(Self, Client)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        let child = command.arg(address.to_string()).arg(journal).stdin(Stdio::null()).spawn()?;
        let gateway = Self(child);
        let client = Client::new(format!("http://{address}"));
        eventually("the gateway answers", async || client.get("/gateway/ledger").await.ok()).await?;
        Ok((gateway, client))
    }
}

/// Killed as `kill -9` does.
impl Drop for Gateway {
    fn drop(&mut self) {
        let _may_be_gone = self.0.kill();
        let _may_be_gone = self.0.wait();
    }
}

async fn charge(client: &Client, key: &str) -> Result<Value> {
    let body = json!({ "amount": 3400, "currency": "EUR", "method": "tok_ok", "merchantReference": "order-1" });
    let reply = client.post_once("/gateway/charges", key, &body).await?;
    ensure!(reply.status < 300, "charging: {reply:?}");
    Ok(reply.json)
}

/// The ledger's amounts, of all its pages, in order of size.
async fn amounts(client: &Client) -> Result<Vec<u64>> {
    let (mut amounts, mut page, mut pages) = (Vec::new(), 1, 1);
    while page <= pages {
        let ledger = client.get(&format!("/gateway/ledger?page={page}")).await?;
        let entries = ledger.json["entries"].as_array().context("a ledger has entries")?;
        amounts.extend(entries.iter().filter_map(|entry| entry["amount"].as_u64()));
        pages = ledger.json["pages"].as_u64().context("a ledger has pages")?;
        page += 1;
    }
    amounts.sort_unstable();
    Ok(amounts)
}

#[tokio::test]
async fn a_charge_outlives_the_process_and_is_made_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("ledger.journal");
    let address = artifacts::free_address();
    let (gateway, client) = Gateway::start(address, &journal).await?;
    let charged = charge(&client, "order-1-1").await?;
    drop(gateway);
    // A line that was being written when the process died was never answered for.
    let mut torn = std::fs::read(&journal)?;
    torn.extend_from_slice(b"[\"half");
    std::fs::write(&journal, torn)?;

    let (gateway, client) = Gateway::start(address, &journal).await?;
    assert_eq!(charge(&client, "order-1-1").await?, charged);
    assert_eq!(amounts(&client).await?, [3400]);
    let other = json!({ "amount": 900, "currency": "EUR", "method": "tok_ok", "merchantReference": "order-2" });
    let reply = client.post_once("/gateway/charges", "order-2-1", &other).await?;
    ensure!(reply.status < 300, "charging: {reply:?}");
    drop(gateway);

    let (_gateway, client) = Gateway::start(address, &journal).await?;
    assert_eq!(amounts(&client).await?, [900, 3400], "what followed the torn line is there");
    Ok(())
}
