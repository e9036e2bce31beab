//! Complete orders: placed, and watched until `confirmed` is readable.

mod load;
mod marketplace;
mod shop;

pub use load::{Load, closed, open};
pub use marketplace::{Marketplace, place};
pub use shop::{Bought, Pace, Placed, Shop};

use crate::options::Options;
use crate::report::{Goal, Report};
use crate::target::Kind;
use anyhow::{Result, ensure};
use std::time::Duration;

/// Load before the figures count.
const WARM_UP: Duration = Duration::from_secs(3);
/// Longest open loop, however long the closed one is.
const OPEN: Duration = Duration::from_secs(20);

/// Measures the host, then the baseline, one after the other in the same run.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let host = one(options, Kind::Host, report).await?;
    report.goal("orders a second, closed loop", host, "/s", Goal::AtLeast(500.0));
    if options.native {
        let native = one(options, Kind::Native, report).await?;
        report.goal("orders a second, of the native baseline's", host / native, "×", Goal::AtLeast(0.5));
    }
    Ok(())
}

async fn one(options: &Options, kind: Kind, report: &mut Report) -> Result<f64> {
    let state = tempfile::tempdir()?;
    let shop = Marketplace::open(options, kind, &state).await?;
    closed(&shop, options.clients, Until::Elapsed(WARM_UP)).await?;
    let mut load = closed(&shop, options.clients, Until::Elapsed(options.duration)).await?;
    let name = kind.name();
    report.value(&format!("{name}: orders a second, {} clients", options.clients), load.rate(), "/s");
    tell(report, &format!("{name}: closed loop"), &mut load, None)?;
    let rate = load.rate();
    let mut open = open(&shop, options.rate, options.duration.min(OPEN)).await?;
    let title = format!("{name}: open loop at {}/s", options.rate);
    tell(report, &title, &mut open, (kind == Kind::Host).then_some((10.0, 40.0)))?;
    report.value(&format!("{name}: resident memory after it"), shop.target.resident_mib()?, "MiB");
    shop.target.stop()?;
    Ok(rate)
}

/// The figures of a load; `at_most` are the goals of p50 and p99, in milliseconds, where there are some.
fn tell(report: &mut Report, title: &str, load: &mut Load, at_most: Option<(f64, f64)>) -> Result<()> {
    ensure!(!load.latencies.is_empty(), "{title}: no order was confirmed: {}", load.first_failure());
    report.value(&format!("{title}, CPU of the server an order"), load.cpu_an_order(), "µs");
    let (p50, p99) = (load.latencies.percentile(50), load.latencies.percentile(99));
    match at_most {
        Some((middle, tail)) => {
            report.goal(&format!("{title}, p50"), p50, "ms", Goal::AtMost(middle));
            report.goal(&format!("{title}, p99"), p99, "ms", Goal::AtMost(tail));
        }
        None => {
            report.value(&format!("{title}, p50"), p50, "ms");
            report.value(&format!("{title}, p99"), p99, "ms");
        }
    }
    report.value(&format!("{title}, GETs until confirmed"), load.polls_an_order(), "an order");
    if load.failed > 0 {
        report.value(&format!("{title}, orders NOT confirmed"), load.failed_count(), "orders");
        report.note(&load.first_failure());
    }
    Ok(())
}

/// When a closed loop ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After this long.
    Elapsed(Duration),
    /// After this many orders.
    Orders(usize),
}
