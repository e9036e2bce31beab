//! NATS servers that are killed.

use super::{Arena, Injection, Load};
use crate::plain;
use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Info;
use std::time::{Duration, Instant};

/// From normal flow to the next kill, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=1_000;
/// How long a server is away where it does not come back at once.
const AWAY: Duration = Duration::from_secs(3);
/// How long a server that was killed may take until it has all that the others have.
const CATCHING_UP: Duration = Duration::from_secs(90);
/// How often the servers of a cluster are asked whether they can serve.
const LOOK: Duration = Duration::from_millis(20);
/// How long an answer to that may take: without a leader there is none.
const ANSWER: Duration = Duration::from_millis(250);

/// `kill -9` of the only server, and a new start.
pub(super) async fn kill(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    load.someone_waits().await?;
    let (waiting, before) = (load.customers.waiting(), load.customers.put_off());
    let server = arena.servers.first_mut().context("an embedded host has no server")?;
    server.kill();
    if round % 3 == 2 {
        tokio::time::sleep(AWAY).await;
    }
    let over = Instant::now();
    tokio::task::block_in_place(|| server.restart());
    let listening = over.elapsed();
    let recovery = load.recovery(&arena.stage.host.client()).await?.map(|recovery| recovery + listening);
    let met = waiting > 0 && load.customers.put_off() > before;
    Ok(Injection { counted: u32::from(met), recovery, ..Injection::default() })
}

/// `kill -9` of the server that leads a stream or a bucket; the two others must do.
pub(super) async fn kill_leader(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    let plain = arena.plain()?.clone();
    let names = plain::all_streams(&plain).await?;
    ensure!(!names.is_empty(), "the application has no streams");
    until_whole(&plain, &names).await?;
    load.live(LIFE).await;
    let before = load.customers.put_off();
    // In turn, beginning with those every order needs.
    let victims = ["ORDERS", "KV_A4CO_POSITIONS", "INVENTORY", "PAYMENTS"].map(str::to_owned);
    let stores = names.iter().filter(|name| name.starts_with("KV_") && !victims.contains(name));
    let victims: Vec<_> = victims.iter().chain(stores).collect();
    let victim = victims.get(round as usize % victims.len()).context("there are victims")?;
    let leader = leader(&plain, victim).await.with_context(|| format!("{victim} has no leader"))?;
    let number: usize = leader.trim_start_matches('n').parse().context("servers are numbered")?;
    let server = arena.servers.get_mut(number).with_context(|| format!("{leader} is no server of ours"))?;
    server.kill();
    let door = arena.stage.host.client();
    let (recovery, beneath) = tokio::join!(load.recovery(&door), serve_again(&plain, &names, &leader));
    // Nobody meets it where that server led nothing that an order needs.
    let counted = u32::from(load.customers.put_off() > before);
    let server = arena.servers.get_mut(number).context("it was there")?;
    tokio::task::block_in_place(|| server.restart());
    Ok(Injection { counted, recovery: recovery?, beneath: Some(beneath), ..Injection::default() })
}

async fn info(plain: &Context, stream: &str) -> Option<Info> {
    let stream = tokio::time::timeout(ANSWER, plain.get_stream(stream)).await.ok()?.ok()?;
    Some(stream.cached_info().clone())
}

async fn leader(plain: &Context, stream: &str) -> Option<String> {
    info(plain, stream).await?.cluster?.leader
}

/// Waits until every stream has a leader and its followers have all it has: the next server may die.
async fn until_whole(plain: &Context, names: &[String]) -> Result<()> {
    let began = Instant::now();
    for name in names {
        loop {
            let cluster = info(plain, name).await.and_then(|info| info.cluster);
            let whole = cluster.as_ref().is_some_and(|cluster| {
                cluster.leader.is_some() && cluster.replicas.iter().all(|replica| replica.current && !replica.offline)
            });
            if whole {
                break;
            }
            ensure!(began.elapsed() < CATCHING_UP, "{name} is not whole after {CATCHING_UP:?}: {cluster:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

/// How long it takes until every stream has a leader that answers, other than the one that died: nobody could go on
/// before.
async fn serve_again(plain: &Context, names: &[String], dead: &str) -> Duration {
    let began = Instant::now();
    for name in names {
        while leader(plain, name).await.is_none_or(|leader| leader == dead) {
            tokio::time::sleep(LOOK).await;
        }
    }
    began.elapsed()
}
