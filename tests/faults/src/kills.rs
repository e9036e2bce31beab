//! A workload with kills in it, and the verdict over what is left.

use crate::{Customers, Seed, Stage, verdict};
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;

/// Customers at work at the same time.
const CUSTOMERS: u64 = 12;
/// Products they choose from, and how many there are of each. Of the last one there are too few.
const PRODUCTS: u32 = 10;
const STOCK: u32 = 5_000;
const SCARCE: u32 = 25;
/// Cents.
const PRICE: u64 = 1_700;
/// From readiness to the next kill, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// Every third life is killed while it recovers.
const LIVES: u32 = 3;
/// How long a recovery is watched for the first sign of work.
const RECOVERY: Duration = Duration::from_secs(2);

/// What a kill takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process and its memory.
    Process,
    /// With it what was not synced: the power of the machine failed.
    Power,
}

/// How a run is to go.
#[derive(Debug, Clone, Copy)]
pub struct Kills {
    /// Kills that must count.
    pub wanted: u32,
    /// What each takes.
    pub loss: Loss,
}

impl Kills {
    /// `A4CO_KILLS`, or `default` where it is not set.
    #[must_use]
    pub fn wanted(default: u32) -> u32 {
        std::env::var("A4CO_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

/// Runs it.
///
/// # Errors
/// Where too few kills counted, or something does not hold afterwards; the seed is in the message.
pub async fn run(kills: Kills) -> Result<()> {
    let seed = Seed::take();
    run_with(kills, seed).await.with_context(|| format!("{seed}, {kills:?}"))
}

async fn run_with(kills: Kills, seed: Seed) -> Result<()> {
    let mut stage = Stage::set(kills.loss == Loss::Power).await?;
    let products = stock_up(&stage).await?;
    let ids: Vec<String> = products.iter().map(|(id, _)| id.clone()).collect();
    let mut customers = Customers::start(CUSTOMERS, &stage.shop.http, &ids, seed);
    let tally = kill_all(kills, &mut stage, &mut customers, seed).await;
    let tally = tally.with_context(|| format!("the host's log ends with\n{}", last_lines(&stage.host.log())))?;
    let notes = customers.finish().await?;
    ensure!(notes.taken().count() > 0, "no order was taken: there was no load");
    verdict::pronounce(&stage, &notes, &products).await.with_context(|| format!("after {tally:?}"))?;
    println!("{tally:?}, {} orders, {} taken: {seed}", notes.by_key.len(), notes.taken().count());
    Ok(())
}

async fn stock_up(stage: &Stage) -> Result<Vec<(String, u32)>> {
    let mut products = Vec::new();
    for number in 0..PRODUCTS {
        let stock = if number + 1 == PRODUCTS { SCARCE } else { STOCK };
        let product = format!("prod-{number}");
        stage.shop.list(&product, stock, PRICE).await?;
        products.push((product, stock));
    }
    Ok(products)
}

/// Kills that took work with them.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    counted: u32,
    in_recovery: u32,
}

async fn kill_all(kills: Kills, stage: &mut Stage, customers: &mut Customers, seed: Seed) -> Result<Tally> {
    let mut choices = seed.choices(0);
    let mut tally = Tally::default();
    for attempt in 0.. {
        if tally.counted >= kills.wanted && tally.in_recovery > 0 {
            break;
        }
        ensure!(attempt < kills.wanted * 3 + 10, "of {attempt} kills too few met work in flight: {tally:?}");
        let in_recovery = attempt % LIVES == 1;
        if in_recovery {
            recover_until_work(stage).await?;
        } else {
            if attempt > 0 {
                stage.host.restart().await?;
            }
            // The moment is the experiment: nothing is waited for.
            tokio::time::sleep(Duration::from_millis(choices.u64(LIFE))).await;
        }
        customers.check()?;
        let counts = match kills.loss {
            Loss::Process => {
                stage.host.kill()?;
                stage.vitals()?.is_amid_work()
            }
            // Every other life, and none in recovery, where the moment is aimed at already.
            Loss::Power => stage.lose_power(attempt.is_multiple_of(2) && !in_recovery, &mut choices).await?,
        };
        let counts = u32::from(counts);
        tally.counted += counts;
        tally.in_recovery += if in_recovery { counts } else { 0 };
    }
    stage.host.restart().await?;
    Ok(tally)
}

/// Starts the killed host and returns at the first moment at which it does again what the kill interrupted.
async fn recover_until_work(stage: &mut Stage) -> Result<()> {
    stage.forget_vitals()?;
    stage.host.begin()?;
    stage.amid_work(RECOVERY).await;
    Ok(())
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
