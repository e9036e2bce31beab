//! `cargo run --release -p bench [-- orders noop reads search start scale floor nats plain peers]`: measures a real host from
//! outside and, in the same run, the same components as plain Rust and those who do such work elsewhere. Prints a table,
//! writes `target/bench.json` and, of the peers, a plot beside it.

mod catalogue;
mod client;
mod floor;
mod machine;
mod native;
mod nats;
mod noop;
mod options;
mod orders;
mod peers;
mod plain;
mod plot;
mod process;
mod reads;
mod report;
mod scale;
mod search;
mod start;
mod target;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use options::{Arguments, Hidden, Measure, Options};
use report::Report;
use std::io::Write as _;

/// What the host has too: the native baseline is measured with the same allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.hidden {
        Some(Hidden::ServeNative { manifest, state_dir, listen }) => {
            tokio::runtime::Runtime::new()?.block_on(native::serve(&manifest, &state_dir, listen))
        }
        Some(Hidden::NoopNative { manifest, state_dir }) => {
            let result = tokio::runtime::Runtime::new()?.block_on(native::run_noop(&manifest, &state_dir))?;
            Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&result)?)?)
        }
        Some(Hidden::ServeFixed { listen }) => tokio::runtime::Runtime::new()?.block_on(floor::serve(listen)),
        // One thread: the client shares the machine with what it measures.
        None => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(measure(&Options::resolve(arguments.options)?)),
    }
}

async fn measure(options: &Options) -> Result<()> {
    let mut report = Report::new(options);
    for measure in &options.measures {
        report.title(measure.name());
        for _ in 0..measure.rounds(options) {
            round(*measure, options, &mut report).await.with_context(|| format!("measuring {}", measure.name()))?;
        }
        report.told();
    }
    plot::write(&report, &options.json.with_extension("svg"))?;
    report.write(&options.json)
}

async fn round(measure: Measure, options: &Options, report: &mut Report) -> Result<()> {
    match measure {
        Measure::Orders => orders::measure(options, report).await,
        Measure::Noop => noop::measure(options, report).await,
        Measure::Reads => reads::measure(options, report).await,
        Measure::Search => search::measure(options, report).await,
        Measure::Start => start::measure(options, report).await,
        Measure::Scale => scale::measure(options, report).await,
        Measure::Floor => floor::measure(options, report).await,
        Measure::Nats => nats::measure(options, report).await,
        Measure::Plain => plain::measure(options, report).await,
        Measure::Peers => peers::measure(options, report).await,
    }
}
