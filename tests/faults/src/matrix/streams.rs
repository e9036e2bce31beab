//! What somebody else does to the streams: publishes again, deletes consumers, fills one up.

use super::{Arena, Injection, Load};
use crate::plain;
use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream::{self, context::PublishErrorKind};
use end_to_end::eventually;
use futures::TryStreamExt as _;
use serde_json::json;

/// From normal flow to the next fault, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// Copies of one round.
const COPIES: u32 = 50;
/// The stream that is filled, and what fills it: nobody subscribes to it.
const FILLED: &str = "ORDERS";
const FILLER: &str = "order.filler";
/// Fillers published at once.
const AT_ONCE: usize = 250;
/// Who stands still meanwhile, so that no room is made.
const STANDS_STILL: &str = "notification";

/// Publishes old events again, byte by byte as they are.
pub(super) async fn duplicate(arena: &mut Arena, load: &mut Load) -> Result<Injection> {
    load.live(LIFE).await;
    let plain = arena.plain()?;
    let names = plain::streams(plain).await?;
    let (mut counted, mut tries) = (0, 0);
    while counted < COPIES {
        tries += 1;
        ensure!(tries < COPIES * 20, "of {tries} events only {counted} were old enough to be news");
        let name = load.choices.choice(&names).context("the application has streams")?;
        counted += u32::from(copy_one(plain, name, &mut load.choices).await?);
    }
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    Ok(Injection { counted, recovery, ..Injection::default() })
}

/// Whether a random event of the stream was old enough to be taken for news.
async fn copy_one(plain: &jetstream::Context, name: &str, choices: &mut fastrand::Rng) -> Result<bool> {
    let stream = plain.get_stream(name).await?;
    let state = &stream.cached_info().state;
    if state.messages == 0 {
        return Ok(false);
    }
    let sequence = choices.u64(state.first_sequence..=state.last_sequence);
    let Ok(original) = stream.get_raw_message(sequence).await else { return Ok(false) };
    if original.subject.as_str() == FILLER {
        return Ok(false);
    }
    // One that NATS still knows is none: it does not count.
    let sent = plain.publish_with_headers(original.subject, original.headers, original.payload).await?;
    Ok(!sent.await?.duplicate)
}

/// Deletes every consumer the server has.
pub(super) async fn delete_consumers(arena: &mut Arena, load: &mut Load) -> Result<Injection> {
    load.live(LIFE).await;
    let plain = arena.plain()?;
    let mut counted = 0;
    for name in plain::streams(plain).await? {
        let stream = plain.get_stream(&name).await?;
        let consumers: Vec<String> = stream.consumer_names().try_collect().await?;
        for consumer in consumers {
            counted += u32::from(stream.delete_consumer(&consumer).await.is_ok());
        }
    }
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    Ok(Injection { counted, recovery, ..Injection::default() })
}

/// Fills a stream to its limit while one consumer stands still, until customers feel it; then lets that one go on.
pub(super) async fn fill(arena: &mut Arena, load: &mut Load) -> Result<Injection> {
    // What is removed to make room is not there to be read later.
    arena.stage.history.catch_up().await?;
    let admin = arena.stage.host.admin();
    let consumer = format!("/consumers/{STANDS_STILL}/{FILLED}");
    let paused = admin.post(&format!("{consumer}/pause"), &json!({})).await?;
    ensure!(paused.status == 200, "{paused:?}");
    load.live(LIFE).await;
    let before = load.customers.put_off();
    let filled = fill_up(arena.plain()?).await?;
    load.is_met(before).await?;
    arena.stage.history.catch_up().await?;
    let resumed = admin.post(&format!("{consumer}/resume"), &json!({})).await?;
    ensure!(resumed.status == 200, "{resumed:?}");
    let recovery = load.recovery(&arena.stage.host.client()).await?;
    eventually("there is room again", async || {
        let stream = arena.plain().ok()?.get_stream(FILLED).await.ok()?;
        let info = stream.cached_info();
        (info.state.messages < u64::try_from(info.config.max_messages).ok()?).then_some(())
    })
    .await?;
    Ok(Injection { counted: u32::from(filled), recovery, ..Injection::default() })
}

/// Publishes until the stream refuses.
async fn fill_up(plain: &jetstream::Context) -> Result<bool> {
    loop {
        let mut answers = Vec::with_capacity(AT_ONCE);
        for _ in 0..AT_ONCE {
            answers.push(plain.publish(FILLER, "{}".into()).await?);
        }
        for answer in answers {
            match answer.await {
                Ok(_) => {}
                Err(error) if error.kind() == PublishErrorKind::Other => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
