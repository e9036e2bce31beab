//! A saga of three steps (reserve, charge, confirm, with the way back), as a component on our host (`tests/guests/purchase`)
//! and on Restate in its JavaScript and its Rust SDK (`tests/bench/peers`). All flush a step before it counts.
//!
//! Beside it the marketplace as it ships, which does more: it checks stock, price and card first, tells customer and
//! artisan, keeps a timeline, and asks its gateway over HTTP.

mod purchase;
mod restate;

use crate::options::Options;
use crate::orders::{Load, Marketplace, Shop, Until, closed};
use crate::report::{Goal, Report};
use crate::target::Kind;
use anyhow::{Result, ensure};
use purchase::Purchase;
use restate::{Restate, Sdk};
use std::time::Duration;

/// Load before the figures count.
const WARM_UP: Duration = Duration::from_secs(2);
/// Longest load of one number of clients: a rate is steady soon.
const LONGEST: Duration = Duration::from_secs(8);
/// Clients at once: one for the latency, many for the throughput.
pub const CLIENTS: [usize; 3] = [1, 32, 128];

/// Who is measured, as the table names them.
pub const NAMES: [&str; 4] = ["a4co", "restate, JavaScript", "restate, Rust", "a4co, the whole marketplace"];

/// What one contender reached.
struct Reached {
    /// Orders a second, the most over all numbers of clients.
    rate: f64,
    /// Median latency of one client, in milliseconds.
    p50: f64,
}

/// One round: each contender in turn.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let state = tempfile::tempdir()?;
    let purchase = Purchase::start(options, &state).await?;
    let own = one(options, &purchase, NAMES[0], report).await?;
    purchase.stop()?;
    let mut theirs = Vec::new();
    for (sdk, name) in [(Sdk::JavaScript, NAMES[1]), (Sdk::Rust, NAMES[2])] {
        let restate = Restate::start(sdk).await?;
        theirs.push(one(options, &restate, name, report).await?);
        restate.stop()?;
    }
    let state = tempfile::tempdir()?;
    let shop = Marketplace::open(options, Kind::Host, &state).await?;
    one(options, &shop, NAMES[3], report).await?;
    shop.target.stop()?;
    let rate = theirs.iter().map(|reached| reached.rate).fold(f64::NAN, f64::max);
    let p50 = theirs.iter().map(|reached| reached.p50).fold(f64::NAN, f64::min);
    report.goal("orders a second, of the faster of Restate's", own.rate / rate, "×", Goal::AtLeast(6.0));
    report.goal("p50 of one client, of the faster of Restate's", own.p50 / p50, "×", Goal::AtMost(0.4));
    Ok(())
}

async fn one(options: &Options, shop: &impl Shop, name: &str, report: &mut Report) -> Result<Reached> {
    let mut reached = Reached { rate: 0.0, p50: f64::NAN };
    closed(shop, options.clients, Until::Elapsed(WARM_UP)).await?;
    for clients in CLIENTS {
        let mut load = closed(shop, clients, Until::Elapsed(options.duration.min(LONGEST))).await?;
        tell(report, &titled(name, clients), &mut load)?;
        reached.rate = reached.rate.max(load.rate());
        if clients == 1 {
            reached.p50 = load.latencies.percentile(50);
        }
    }
    Ok(reached)
}

/// How a contender's figures with that many clients begin.
pub fn titled(name: &str, clients: usize) -> String {
    format!("{name}, {clients} client{}", if clients == 1 { "" } else { "s" })
}

fn tell(report: &mut Report, title: &str, load: &mut Load) -> Result<()> {
    ensure!(!load.latencies.is_empty(), "{title}: no order was confirmed: {}", load.first_failure());
    ensure!(load.failed == 0, "{title}: {} orders were not confirmed: {}", load.failed, load.first_failure());
    report.value(&format!("{title}: orders a second"), load.rate(), "/s");
    report.value(&format!("{title}: p50"), load.latencies.percentile(50), "ms");
    report.value(&format!("{title}: p99"), load.latencies.percentile(99), "ms");
    report.value(&format!("{title}: CPU of all processes an order"), load.cpu_an_order(), "µs");
    Ok(())
}
