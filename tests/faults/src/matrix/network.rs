//! The network between processes: what passes late, or never.

use super::{Arena, Injection, Load};
use crate::{Losing, Lost, Proxy, Way, plain};
use anyhow::{Result, ensure};
use end_to_end::eventually;
use std::time::Duration;

/// From normal flow to the next fault, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// How long nothing passes: shorter than a lease, longer, and longer than the client believes in the connection.
const HELD: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(8)];
/// Both ways.
const BOTH: [Way; 2] = [Way::ToServer, Way::ToClient];
/// Frames that are lost in one round.
const FRAMES: u64 = 5;
/// What events are published to.
const EVENTS: [&str; 5] = ["order.", "inventory.", "payment.", "artisan.", "saga."];
/// What acknowledgements are written to.
const POSITIONS: &str = "$KV.A4CO_POSITIONS.";
/// Buckets of the host itself; the others hold the state of components.
const OWN: [&str; 3] = ["KV_A4CO_POSITIONS", "KV_A4CO_TIMERS", "KV_A4CO_CONTROL"];

/// Holds what passes between the process that delivers and NATS.
pub(super) async fn hold(arena: &mut Arena, load: &mut Load, (ways, round): (&[Way], u32)) -> Result<Injection> {
    load.live(LIFE).await;
    let before = load.customers.put_off();
    let held = hold_for(arena.to_nats()?, ways, round).await;
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    // A short one may pass before anybody's answer is overdue.
    let counted = u32::from(held > 0 && (load.customers.put_off() > before || round % 3 == 0));
    Ok(Injection { counted, recovery, ..Injection::default() })
}

/// Holds what passes between bridge and application.
pub(super) async fn hold_application(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    let held = hold_for(arena.to_application()?, &BOTH, round).await;
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    Ok(Injection { counted: u32::from(held > 0), recovery, ..Injection::default() })
}

/// How much was held.
async fn hold_for(proxy: &Proxy, ways: &[Way], round: u32) -> u64 {
    let before = proxy.held();
    proxy.hold(ways);
    tokio::time::sleep(HELD[round as usize % HELD.len()]).await;
    proxy.release();
    proxy.held() - before
}

/// Loses answers to what is published: the stream has it, and nobody knows.
pub(super) async fn lose_pub_acks(arena: &mut Arena, load: &mut Load) -> Result<Injection> {
    let to = EVENTS.map(str::to_owned).to_vec();
    lose(arena, load, Losing { lost: Lost::Answer, to, count: FRAMES }).await
}

/// Loses acknowledgements, or what says that they are stored.
pub(super) async fn lose_acks(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    lose(arena, load, Losing { lost: in_turn(round), to: vec![POSITIONS.to_owned()], count: FRAMES }).await
}

/// Loses writes of a component's state, or what says that they are stored.
pub(super) async fn lose_swaps(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    let names = plain::all_streams(arena.plain()?).await?;
    let stores = names.iter().filter(|name| !OWN.contains(&name.as_str()));
    let to: Vec<_> = stores.filter_map(|name| Some(format!("$KV.{}.", name.strip_prefix("KV_")?))).collect();
    ensure!(!to.is_empty(), "no bucket holds a component's state: {names:?}");
    lose(arena, load, Losing { lost: in_turn(round), to, count: FRAMES }).await
}

fn in_turn(round: u32) -> Lost {
    if round.is_multiple_of(2) { Lost::Answer } else { Lost::Request }
}

async fn lose(arena: &mut Arena, load: &mut Load, loss: Losing) -> Result<Injection> {
    load.live(LIFE).await;
    let proxy = arena.to_nats()?;
    let before = proxy.lost();
    proxy.lose(loss);
    let all = async || (proxy.to_be_lost() == 0 && proxy.lost() - before >= FRAMES).then_some(proxy.lost() - before);
    let lost = eventually("the frames are lost", all).await?;
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    Ok(Injection { counted: u32::try_from(lost)?, recovery, ..Injection::default() })
}
