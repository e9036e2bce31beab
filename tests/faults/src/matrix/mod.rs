//! The fault matrix: each fault in each setup it can happen in, under load, counted; what it cost, and how long until
//! everything flows again.

mod arena;
mod clock;
mod damage;
mod disk;
mod fault;
mod limits;
mod network;
mod processes;
mod report;
mod servers;
mod streams;

pub use arena::Arena;
pub use fault::{Fault, Row, Setup, rows};
pub use report::{Report, table, write_json};

use crate::{Crowd, Customers, Judgement, Notes, Seed, judge};
use anyhow::{Context as _, Result, ensure};
use end_to_end::eventually;
use std::time::{Duration, Instant};

/// Customers at work: some always wait for an answer, and the log stays one that can be read to its end.
const CROWD: Crowd = Crowd { count: 12, rest: Duration::from_millis(500) };
/// The same where two cores carry more processes an order: servers that come back must catch up with three, and what a
/// bridge could not hand over meanwhile comes on top.
const SMALLER_CROWD: Crowd = Crowd { count: 8, rest: Duration::from_millis(1_500) };
/// Products they choose from, and how many there are of each. Of the last one there are too few.
const PRODUCTS: u32 = 8;
const STOCK: u32 = 20_000;
const SCARCE: u32 = 25;
/// Cents.
const PRICE: u64 = 1_700;
/// What recovery is measured with: nobody else buys it.
const PROBED: &str = "prod-probed";
/// Nobody buys it: what is said of it is on disk since long.
const RESTING: &str = "prod-resting";
/// Orders before the first fault: everything is warm.
const WARM: usize = 15;
/// Rounds in which a fault may miss its chance, beyond as many again as are wanted: at every third loss of power or so
/// nothing was unsynced.
const MISSES: u32 = 10;

/// What one round of a fault did.
#[derive(Debug, Clone, Default)]
pub struct Injection {
    /// How often the fault was injected, as its evidence has it.
    pub counted: u32,
    /// From the end of the fault until an order placed then is confirmed.
    pub recovery: Option<Duration>,
    /// How much of that the NATS servers were not able to serve anybody.
    pub beneath: Option<Duration>,
    /// What else a reader of the figures is to know.
    pub remark: Option<String>,
}

/// The load that faults meet.
#[derive(Debug)]
pub(crate) struct Load {
    customers: Customers,
    choices: fastrand::Rng,
}

impl Load {
    /// From the end of a fault until an order that is placed now is confirmed, at the marketplace's `door`.
    pub(crate) async fn recovery(&mut self, door: &end_to_end::Client) -> Result<Option<Duration>> {
        self.customers.probe(door, PROBED).await.map(Some)
    }

    /// Lets the marketplace live for a random while.
    pub(crate) async fn live(&mut self, milliseconds: std::ops::RangeInclusive<u64>) {
        // The moment is the experiment: nothing is waited for.
        tokio::time::sleep(Duration::from_millis(self.choices.u64(milliseconds))).await;
    }

    /// Waits until a customer waits for an answer: of a small crowd at rest that is seldom so.
    pub(crate) async fn someone_waits(&self) -> Result<()> {
        eventually("a customer waits for an answer", async || (self.customers.waiting() > 0).then_some(())).await
    }

    /// Waits until customers beyond `before` were put off: they meet the fault.
    pub(crate) async fn is_met(&self, before: usize) -> Result<()> {
        eventually("a customer meets the fault", async || (self.customers.put_off() > before).then_some(())).await
    }
}

/// Runs `faults` in one setup, one after the other over one marketplace and one load, each until it was injected so often.
///
/// # Errors
/// Where a fault could not be injected, or a customer found a lie. What is lost or doubled at the end is in the reports.
pub async fn run(setup: Setup, faults: &[(Fault, u32)], seed: Seed) -> Result<Vec<Report>> {
    let kinds: Vec<_> = faults.iter().map(|(fault, _)| *fault).collect();
    let mut arena = Arena::set(setup, &kinds).await?;
    let ran = run_in(&mut arena, faults, seed).await;
    ran.with_context(|| format!("{setup}, {kinds:?}, {seed}; the log ends with\n{}", arena.last_lines()))
}

async fn run_in(arena: &mut Arena, faults: &[(Fault, u32)], seed: Seed) -> Result<Vec<Report>> {
    let began = Instant::now();
    let products = stock_up(arena).await?;
    let others = [PROBED, RESTING];
    let ids: Vec<_> = products.iter().map(|(id, _)| id.clone()).filter(|id| !others.contains(&id.as_str())).collect();
    let crowd = if matches!(arena.setup(), Setup::Cluster | Setup::Bridge) { SMALLER_CROWD } else { CROWD };
    let customers = Customers::come(crowd, &arena.doors(), &ids, seed);
    let mut load = Load { customers, choices: seed.choices(0) };
    eventually("the marketplace is warm", async || (load.customers.asked() >= WARM).then_some(())).await?;
    let mut reports = Vec::new();
    for (fault, times) in faults {
        let mut report = Report::new(arena.setup(), *fault);
        repeat(arena, &mut load, (*fault, *times), &mut report)
            .await
            .with_context(|| format!("{fault}: {report:?}"))?;
        reports.push(report);
    }
    let notes = load.customers.finish().await?;
    ensure!(notes.taken().count() > WARM, "{} orders were taken: there was no load", notes.taken().count());
    let judgement = judge(&arena.stage, &notes, &products).await?;
    for report in &mut reports {
        conclude(report, &notes, &judgement);
        report.seconds = began.elapsed().as_secs();
    }
    Ok(reports)
}

fn conclude(report: &mut Report, notes: &Notes, judgement: &Judgement) {
    report.orders = notes.by_key.len();
    (report.lost, report.doubled, report.wrong) = (judgement.lost(), judgement.doubled(), judgement.wrong());
    report.findings = if judgement.is_clean() { String::new() } else { judgement.to_string() };
}

/// Injects a fault until it counted so often.
async fn repeat(arena: &mut Arena, load: &mut Load, (fault, times): (Fault, u32), report: &mut Report) -> Result<()> {
    for round in 0.. {
        if report.injected >= times {
            return Ok(());
        }
        ensure!(round < 2 * times + MISSES, "in {round} rounds it was injected {} times, not {times}", report.injected);
        load.customers.check()?;
        if fault.is_of_the_machine() {
            arena.calm().await?;
        }
        let injection = fault.inject(arena, load, round).await.with_context(|| format!("round {round}"))?;
        if injection.recovery.is_some_and(|recovery| recovery > report::GOAL) {
            arena.keep_log(&format!("{}-{fault}-{round}", report.setup))?;
        }
        report.note(injection);
    }
    Ok(())
}

async fn stock_up(arena: &Arena) -> Result<Vec<(String, u32)>> {
    let named = (0..PRODUCTS).map(|number| format!("prod-{number}")).chain([PROBED, RESTING].map(str::to_owned));
    let scarce = format!("prod-{}", PRODUCTS - 1);
    let products: Vec<_> = named.map(|id| (id.clone(), if id == scarce { SCARCE } else { STOCK })).collect();
    for (product, stock) in &products {
        arena.stage.shop.list(product, *stock, PRICE).await?;
    }
    Ok(products)
}
