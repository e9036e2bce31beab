//! Process start, memory, sizes.

use crate::options::Options;
use crate::orders::{Marketplace, Until, closed};
use crate::report::{Goal, Report};
use crate::target::{Kind, Target};
use anyhow::{Context as _, Result};
use std::time::Duration;

/// Starts, of which the fastest and the median are told.
const STARTS: usize = 5;
/// Orders before memory is looked at.
const ORDERS: usize = 2_000;
/// What the process gets to come to rest.
const REST: Duration = Duration::from_secs(5);

/// Measures the host.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    starts(options, report).await?;
    memory(options, report).await?;
    sizes(options, report)
}

async fn starts(options: &Options, report: &mut Report) -> Result<()> {
    let state = tempfile::tempdir()?;
    // Fills the cache.
    Target::start(options, Kind::Host, &state).await?.stop()?;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let target = Target::start(options, Kind::Host, &state).await?;
        took.push(target.started_in.as_secs_f64() * 1_000.0);
        target.stop()?;
    }
    took.sort_by(f64::total_cmp);
    let median = took.get(STARTS / 2).copied().unwrap_or(f64::NAN);
    report.goal("process start to ready, warm cache", median, "ms", Goal::AtMost(500.0));
    report.value("the same, fastest of 5", took.first().copied().unwrap_or(f64::NAN), "ms");
    Ok(())
}

async fn memory(options: &Options, report: &mut Report) -> Result<()> {
    let state = tempfile::tempdir()?;
    let target = Target::start(options, Kind::Host, &state).await?;
    report.value("resident memory after the start", target.resident_mib()?, "MiB");
    let shop = Marketplace::on(target).await?;
    closed(&shop, options.clients, Until::Orders(ORDERS)).await?;
    tokio::time::sleep(REST).await;
    let resident = shop.target.resident_mib()?;
    report.goal(&format!("resident memory, idle after {ORDERS} orders"), resident, "MiB", Goal::AtMost(200.0));
    shop.target.stop()
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn sizes(options: &Options, report: &mut Report) -> Result<()> {
    let application = a4co_host::manifest::load(&options.manifest, &a4co_host::manifest::Given::default())?;
    for component in &application.components {
        let file = std::fs::metadata(&component.source).with_context(|| component.source.display().to_string())?;
        let size = file.len() as f64 / 1_000.0;
        report.goal(&format!("{}.wasm", component.id), size, "kB", Goal::AtMost(600.0));
    }
    Ok(())
}
