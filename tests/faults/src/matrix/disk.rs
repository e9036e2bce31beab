//! The disk under the database: full, failing a sync, and the process that ends between two calls of a commit.

use super::{Arena, Injection, Load, RESTING, damage};
use crate::{Ill, Noted, Power};
use anyhow::{Result, ensure};
use end_to_end::{Order, eventually};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

/// From normal flow to the next fault, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// How long a disk stays full.
const FULL: std::ops::RangeInclusive<u64> = 500..=2_000;
/// Calls of a commit that are tried in turn: two for each page and one sync.
const CALLS: u32 = 24;
/// How long a commit of so many calls is waited for.
const COMMIT: Duration = Duration::from_secs(3);
/// What a process says that could not sync.
const UNSYNCED: &str = "could not write to";
/// What one says that finds no room.
const NO_ROOM: &str = "make room";

/// Fills the disk until customers feel it: writes are refused with when to come again, reads are served, the process
/// lives on, and goes on by itself once there is room.
pub(super) async fn fill(arena: &mut Arena, load: &mut Load) -> Result<Injection> {
    load.live(LIFE).await;
    let stage = &mut arena.stage;
    let before = load.customers.put_off();
    stage.sabotage.begin(Ill::Full)?;
    load.is_met(before).await?;
    let admin = stage.host.admin();
    eventually("the host says that it is not ready, and why", async || {
        let ready = admin.get("/readyz").await.ok()?;
        (ready.status == 503 && ready.text.contains(NO_ROOM)).then_some(())
    })
    .await?;
    let refused = stage.shop.order(&Order::of("prod-0")).await?;
    let later = refused.headers.contains_key("retry-after");
    ensure!(refused.status == 503 && later, "an order on a full disk: {refused:?}");
    let read = stage.shop.http.get(&format!("/api/v1/products/{RESTING}")).await?;
    ensure!(read.status == 200, "a read on a full disk: {read:?}");
    load.live(FULL).await;
    ensure!(stage.host.has_ended()?.is_none(), "the process ended on a full disk");
    let struck = stage.unsynced.count(Noted::Full)?;
    stage.sabotage.end(Ill::Full)?;
    let recovery = load.recovery(&stage.host.client()).await?;
    stage.host.ready().await?;
    Ok(Injection { counted: u32::from(struck > 0), recovery, ..Injection::default() })
}

/// Fails a sync. In turn: what was not synced is lost; it is not, and the power fails in the next life; the sync of the
/// next start fails.
pub(super) async fn fail_sync(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    match round % 3 {
        2 => at_start(arena, load).await,
        other => under_load(arena, load, other == 1).await,
    }
}

async fn under_load(arena: &mut Arena, load: &mut Load, believed: bool) -> Result<Injection> {
    let stage = &mut arena.stage;
    let said = stage.host.log().len();
    stage.sabotage.begin(Ill::LogSync)?;
    let status = stage.host.ended().await?;
    ensure!(!status.success(), "a process that could not sync ended with {status}");
    let log = stage.host.log().split_off(said);
    ensure!(log.contains(UNSYNCED), "a process that could not sync said\n{log}");
    let struck = stage.unsynced.count(Noted::FailedSync)?;
    if believed {
        // The system shows to the next life what the disk has not.
        stage.host.restart().await?;
        stage.host.kill()?;
    }
    stage.unsynced.lose(&stage.database(), Power::LosesAll, &mut load.choices)?;
    stage.host.begin()?;
    let recovery = load.recovery(&stage.host.client()).await?;
    stage.host.ready().await?;
    Ok(Injection { counted: u32::from(struck > 0), recovery, ..Injection::default() })
}

async fn at_start(arena: &mut Arena, load: &mut Load) -> Result<Injection> {
    let stage = &mut arena.stage;
    stage.host.kill()?;
    stage.sabotage.begin(Ill::DatabaseSync)?;
    let refused = damage::refused(stage).await?;
    stage.sabotage.end(Ill::DatabaseSync)?;
    let struck = stage.unsynced.count(Noted::FailedSync)?;
    if let Some(said) = &refused {
        ensure!(said.contains("check the health of its disk"), "a start that could not sync said\n{said}");
        stage.host.begin()?;
    }
    let recovery = load.recovery(&stage.host.client()).await?;
    stage.host.ready().await?;
    stage.unsynced.forget()?;
    ensure!(refused.is_some() || struck == 0, "a start went on though a sync failed");
    Ok(Injection { counted: u32::from(struck > 0), recovery, ..Injection::default() })
}

/// Ends the process before the next call of a commit, in turn; every second time the power fails with it.
pub(super) async fn kill_in_commit(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    let stage = &mut arena.stage;
    let ill = Ill::KillAt(round / 2 % CALLS);
    stage.sabotage.begin(ill)?;
    let began = Instant::now();
    let mut status = stage.host.has_ended()?;
    while status.is_none() && began.elapsed() < COMMIT {
        tokio::time::sleep(Duration::from_millis(1)).await;
        status = stage.host.has_ended()?;
    }
    stage.sabotage.end(ill)?;
    let Some(status) = status else { return Ok(Injection::default()) };
    ensure!(status.signal() == Some(9), "the process ended with {status}");
    let struck = stage.unsynced.count(Noted::Killed)?;
    if round % 2 == 1 {
        let power = if load.choices.bool() { Power::LosesAll } else { Power::LosesSectors };
        stage.unsynced.lose(&stage.database(), power, &mut load.choices)?;
    }
    stage.unsynced.forget()?;
    stage.host.begin()?;
    let recovery = load.recovery(&stage.host.client()).await?;
    stage.host.ready().await?;
    Ok(Injection { counted: u32::from(struck > 0), recovery, ..Injection::default() })
}
