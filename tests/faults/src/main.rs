//! `cargo run --release -p faults [-- --setup nats --fault kill --times 10]`: the fault matrix on real processes. Prints
//! one table, writes `target/faults.json`, and fails where a fault was not injected or anything was lost or doubled.

use anyhow::{Result, ensure};
use clap::Parser;
use faults::{Fault, Report, Row, Seed, Setup, rows, run_matrix, table, write_json};
use std::io::Write as _;
use std::path::PathBuf;

/// The fault matrix on real processes
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this setup
    #[arg(long, value_enum)]
    setup: Option<Setup>,
    /// Only these faults
    #[arg(long, value_enum)]
    fault: Vec<Fault>,
    /// How often each is injected, instead of what a full run has
    #[arg(long)]
    times: Option<u32>,
    /// Where the figures are written
    #[arg(long, default_value = "target/faults.json")]
    json: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wanted = |row: &Row| {
        arguments.setup.is_none_or(|setup| setup == row.setup)
            && (arguments.fault.is_empty() || arguments.fault.contains(&row.fault))
    };
    let chosen: Vec<_> = rows().into_iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no such row: see `--help` for setups and faults, not every fault is in every setup");
    let mut out = std::io::stdout();
    artifacts::programs();
    let (mut reports, mut failed) = (Vec::<Report>::new(), Vec::new());
    for Row { setup, fault, times } in chosen {
        let times = arguments.times.unwrap_or(times);
        writeln!(out, "{setup} {fault}, {times} times …")?;
        match run_matrix(setup, &[(fault, times)], Seed::take()).await {
            Ok(row) => {
                writeln!(out, "{}", table(&row))?;
                for report in row.iter().filter(|report| !report.is_clean()) {
                    failed.push(format!("{setup} {fault}: {}", report.findings));
                }
                reports.extend(row);
                write_json(&reports, &arguments.json)?;
            }
            Err(error) => {
                writeln!(out, "{setup} {fault} FAILED: {error:#}")?;
                failed.push(format!("{setup} {fault}: {error:#}"));
            }
        }
    }
    writeln!(out, "{}", table(&reports))?;
    ensure!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}
