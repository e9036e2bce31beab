//! Processes of ours that are killed, stopped, or started again.

use super::{Arena, Injection, Load};
use crate::plain;
use crate::stage::AIMED;
use anyhow::Result;
use async_nats::jetstream::Context;
use end_to_end::{Part, eventually};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// From normal flow to the next kill, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// From the start of a process to the kill that meets its recovery.
const RECOVERY: std::ops::RangeInclusive<u64> = 50..=500;
/// How much longer a process is stopped after another one has taken over.
const LONGER: Duration = Duration::from_secs(1);

/// `kill -9` of all of `a4co`.
pub(super) async fn kill(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    if round.is_multiple_of(2) && arena.plain().is_err() {
        arena.stage.amid_work(AIMED).await;
    }
    arena.stage.host.kill()?;
    let mut counted = u32::from(arena.died_amid_work().await?);
    if round % 3 == 1 {
        // What recovers has work by definition, once it has begun; what dies before has changed nothing.
        arena.stage.host.begin()?;
        load.live(RECOVERY).await;
        arena.stage.host.kill()?;
        counted += u32::from(arena.died_amid_work().await.unwrap_or(false));
    }
    let plain = arena.plain().ok().cloned();
    let left = if let Some(plain) = &plain { plain::in_hand(plain).await? } else { BTreeSet::new() };
    arena.stage.host.begin()?;
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    arena.stage.host.ready().await?;
    if let Some(plain) = &plain {
        digested(plain, &left).await?;
    }
    Ok(Injection { counted, recovery, ..Injection::default() })
}

/// Waits until what a death had left in hand is settled: recovery is to be that of one kill, or of two, not of a hail in
/// which what may have killed the process waits in a line that only grows.
async fn digested(plain: &Context, left: &BTreeSet<(String, u64)>) -> Result<()> {
    let settled = async || plain::in_hand(plain).await.ok()?.is_disjoint(left).then_some(());
    eventually("what was in hand at the death is settled", settled).await
}

/// The machine loses its power: the process is gone, and what was not synced. Every other failure meets a commit.
pub(super) async fn power(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    let counted = u32::from(arena.stage.lose_power(round.is_multiple_of(2), &mut load.choices).await?);
    arena.stage.host.begin()?;
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    arena.stage.host.ready().await?;
    Ok(Injection { counted, recovery, ..Injection::default() })
}

/// `kill -9` of one of the processes of a bridged application.
pub(super) async fn kill_part(arena: &mut Arena, load: &mut Load, part: Part) -> Result<Injection> {
    load.live(LIFE).await;
    arena.stage.host.kill_part(part)?;
    // Whichever of the two died: what was handed out or is to be is not acknowledged.
    let plain = arena.plain()?.clone();
    let (counted, left) = (u32::from(plain::unsettled(&plain).await? > 0), plain::in_hand(&plain).await?);
    arena.stage.host.begin_part(part)?;
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    arena.stage.host.ready().await?;
    digested(&plain, &left).await?;
    Ok(Injection { counted, recovery, ..Injection::default() })
}

/// Stops one of two processes until the other holds what it held, and lets it go on: it must find itself fenced off.
pub(super) async fn pause(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    let plain = arena.plain()?.clone();
    // Nobody stops all there are: both have their share.
    both_at_work(&plain).await?;
    load.live(LIFE).await;
    let before = holders(&plain).await?;
    let stopped = arena.host(round)?;
    stopped.signal("STOP")?;
    let taken = eventually("the other process takes over", async || {
        let now = holders(&plain).await.ok()?;
        // The one that was stopped holds nothing any more, and what it had let go of just before is taken too.
        let held = now.values().all(|(holder, _)| holder.is_some());
        (held && at_work(&now) < 2).then_some(moved(&before, &now))
    })
    .await;
    tokio::time::sleep(LONGER).await;
    stopped.signal("CONT")?;
    let counted = u32::from(taken? > 0);
    let door = arena.host(round)?.client();
    let recovery = load.recovery(&door).await?;
    Ok(Injection { counted, recovery, ..Injection::default() })
}

/// Stops one of two processes as an operator does, and starts it again.
pub(super) async fn roll(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    let plain = arena.plain()?.clone();
    // Nobody stops all there are: both have their share.
    both_at_work(&plain).await?;
    load.live(LIFE).await;
    let before = holders(&plain).await?;
    let host = arena.host(round)?;
    host.stop().await?;
    host.begin()?;
    let door = host.client();
    let recovery = load.recovery(&door).await?;
    arena.host(round)?.ready().await?;
    let moved = moved(&before, &holders(&plain).await?);
    Ok(Injection { counted: u32::from(moved > 0), recovery, ..Injection::default() })
}

/// Who holds each consumer, and which holder that is by number.
type Holders = BTreeMap<String, (Option<String>, u64)>;

async fn holders(plain: &Context) -> Result<Holders> {
    let positions = plain::positions(plain).await?;
    Ok(positions.into_iter().map(|position| (position.consumer(), (position.holder, position.epoch))).collect())
}

/// Processes that hold something.
fn at_work(holders: &Holders) -> usize {
    holders.values().filter_map(|(holder, _)| holder.as_ref()).collect::<BTreeSet<_>>().len()
}

async fn both_at_work(plain: &Context) -> Result<()> {
    let both = async || (at_work(&holders(plain).await.ok()?) == 2).then_some(());
    eventually("both processes hold something again", both).await
}

/// Consumers that have another holder.
fn moved(before: &Holders, now: &Holders) -> usize {
    now.iter().filter(|(consumer, (_, epoch))| before.get(*consumer).is_some_and(|(_, before)| before < epoch)).count()
}
