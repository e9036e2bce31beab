//! `kill -9` and power failures under load.
//!
//! A kill counts only where it took a write that was not flushed and an event that was not acknowledged; a run with too
//! few of these fails. Every third life is killed amid its recovery from the kill before. By default 6 kills and 4 power
//! failures are made to count, which suits CI; the full run is `A4CO_KILLS=100 cargo test --release -p faults --test kill`.

use anyhow::Result;
use faults::{Kills, Loss, run};

#[tokio::test]
async fn a_killed_process_takes_nothing_back_and_does_nothing_twice() -> Result<()> {
    run(Kills { wanted: Kills::wanted(6), loss: Loss::Process }).await
}

#[tokio::test]
async fn a_power_failure_takes_nothing_back_and_does_nothing_twice() -> Result<()> {
    run(Kills { wanted: Kills::wanted(4), loss: Loss::Power }).await
}
