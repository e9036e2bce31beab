//! `cargo run --release -p simulation`: runs one seed, some, or as many as there is time for.

use anyhow::{Result, bail};
use clap::Parser;
use simulation::{MUTATIONS, Mutation, Report, application, run};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Seconds between two lines about the progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// The whole marketplace in one thread, driven by one seed.
#[derive(Debug, Parser)]
#[command(name = "simulation")]
struct Arguments {
    /// Run this seed and print its trace
    #[arg(long, conflicts_with_all = ["seeds", "long"])]
    seed: Option<u64>,
    /// Run so many seeds
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Begin with this seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run until told to stop
    #[arg(long)]
    long: bool,
    /// Run with this defect, such as `SkipInbox`
    #[arg(long)]
    mutation: Option<String>,
}

/// What all runs came to.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    steps: u64,
    orders: usize,
    simulated: Duration,
    faults: BTreeMap<&'static str, u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mutation = arguments.mutation.as_deref().map(named).transpose()?;
    let application = application()?;
    let mut out = std::io::stdout().lock();
    if let Some(seed) = arguments.seed {
        let report = run(seed, &application, mutation)?;
        for line in &report.tail {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{report}")?;
        return if report.wrong.is_empty() { Ok(()) } else { bail!("seed {seed} fails") };
    }
    let (began, mut said, mut sum) = (Instant::now(), Instant::now(), Sum::default());
    let last = if arguments.long { u64::MAX } else { arguments.from.saturating_add(arguments.seeds) };
    for seed in arguments.from..last {
        let report = run(seed, &application, mutation)?;
        sum.add(&report);
        if !report.wrong.is_empty() {
            writeln!(out, "{report}")?;
            bail!("seed {seed} fails, after {} seeds", sum.seeds);
        }
        if said.elapsed() > PROGRESS {
            said = Instant::now();
            writeln!(out, "{}", sum.line(began.elapsed()))?;
        }
    }
    for (fault, times) in &sum.faults {
        writeln!(out, "{times:>12} × {fault}")?;
    }
    writeln!(out, "{}", sum.line(began.elapsed()))?;
    Ok(())
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.steps += report.steps;
        self.orders += report.rests.values().sum::<usize>();
        self.simulated += report.simulated;
        for (fault, times) in &report.faults {
            *self.faults.entry(*fault).or_default() += times;
        }
    }

    fn line(&self, took: Duration) -> String {
        let Self { seeds, steps, orders, simulated, .. } = self;
        let hours = simulated.as_secs() / 3_600;
        let rate = *seeds as f64 / took.as_secs_f64();
        format!(
            "{seeds} seeds, {rate:.1} a second, {steps} steps, {orders} orders at rest, {hours} simulated hours ({} days)",
            hours / 24
        )
    }
}

fn named(name: &str) -> Result<Mutation> {
    let found = MUTATIONS.into_iter().find(|mutation| format!("{mutation:?}") == name);
    found.ok_or_else(|| {
        let names: Vec<_> = MUTATIONS.iter().map(|mutation| format!("{mutation:?}")).collect();
        anyhow::anyhow!("there is no mutation {name}: take one of {}", names.join(", "))
    })
}
