//! What an order costs as the log, the stores and the hot aggregates grow.

use crate::options::Options;
use crate::orders::{Marketplace, Until, closed};
use crate::report::{Goal, Report};
use crate::target::Kind;
use anyhow::Result;

/// Orders of one step.
const STEP: usize = 1_000;
/// How much dearer the last tenth may be than the first to be called flat: what one run differs from another.
const FLAT: f64 = 1.15;
/// Steps that are told.
const TOLD: usize = 10;

/// Measures the host.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let state = tempfile::tempdir()?;
    let shop = Marketplace::open(options, Kind::Host, &state).await?;
    let steps = options.orders / STEP;
    let mut costs = Vec::new();
    for step in 1..=steps {
        let load = closed(&shop, options.clients, Until::Orders(STEP)).await?;
        costs.push(load.cpu_an_order());
        if step == 1 || step == steps || step % steps.div_ceil(TOLD) == 0 {
            let title = format!("CPU an order, orders {} to {}", (step - 1) * STEP + 1, step * STEP);
            report.value(&title, load.cpu_an_order(), "µs");
            report.value(&format!("orders a second, up to {}", step * STEP), load.rate(), "/s");
        }
        if load.failed > 0 {
            report.note(&format!("{} orders were not confirmed: {}", load.failed, load.first_failure()));
        }
    }
    // Of tenths, not of single thousands: others use the machine too, and one thousand takes but seconds.
    let tenth = costs.len().div_ceil(10);
    let (first, last) = (median(costs.iter().take(tenth)), median(costs.iter().rev().take(tenth)));
    report.goal("CPU an order, the last tenth's median of the first's", last / first, "×", Goal::AtMost(FLAT));
    if let (Some(first), Some(last)) = (costs.first(), costs.last()) {
        report.value("CPU an order, the last thousand of the first", last / first, "×");
    }
    report.value("resident memory at the end", shop.target.resident_mib()?, "MiB");
    shop.target.stop()
}

fn median<'a>(costs: impl Iterator<Item = &'a f64>) -> f64 {
    let mut costs: Vec<_> = costs.copied().collect();
    costs.sort_by(f64::total_cmp);
    costs.get(costs.len() / 2).copied().unwrap_or(f64::NAN)
}
