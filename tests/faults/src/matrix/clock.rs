//! The machine's clock is set, and set back.

use super::{Arena, Injection, Load};
use crate::{Ill, Noted, Stage};
use anyhow::{Context as _, Result};
use end_to_end::eventually;

/// From normal flow to the next fault, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// How long the clock is wrong.
const WRONG: std::ops::RangeInclusive<u64> = 500..=2_000;
/// Seconds.
const HOUR: i64 = 3_600;

/// Sets the clock forward or back by an hour under load, and right again; in between orders flow as well. In turn: the
/// process lives through it, or is killed while its clock is ahead and starts with the right one.
pub(super) async fn set(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    let off = if round % 3 == 1 { -HOUR } else { HOUR };
    let before = arena.stage.unsynced.count(Noted::Clock)?;
    arena.stage.sabotage.begin(Ill::Clock(off))?;
    found(&arena.stage, before + 1).await?;
    load.recovery(&arena.stage.host.client()).await?.context("an order by a wrong clock")?;
    load.live(WRONG).await;
    let dies = round % 3 == 2;
    if dies {
        arena.stage.host.kill()?;
    }
    arena.stage.sabotage.end(Ill::Clock(off))?;
    match dies {
        true => arena.stage.host.begin()?,
        false => found(&arena.stage, before + 2).await?,
    }
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    arena.stage.host.ready().await?;
    arena.stage.unsynced.forget()?;
    Ok(Injection { counted: 1, recovery, ..Injection::default() })
}

/// Waits until the process has found its clock set so often.
async fn found(stage: &Stage, times: usize) -> Result<()> {
    eventually("the process looks at its clock", async || {
        (stage.unsynced.count(Noted::Clock).ok()? >= times).then_some(())
    })
    .await
}
