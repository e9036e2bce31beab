//! A client of NATS that is not the host's: what it sees of the host's streams, and does to them.

use anyhow::{Context as _, Result};
use async_nats::jetstream;
use futures::TryStreamExt as _;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// The bucket with the positions of all consumers.
const POSITIONS: &str = "A4CO_POSITIONS";
/// What the names of streams begin with that hold no events.
const OTHERS: [&str; 2] = ["KV_", "A4CO_"];
/// How long a server may take over a request.
const REQUEST: Duration = Duration::from_secs(2);

/// The position of one consumer, as far as it is needed here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Position {
    /// Who holds it.
    pub(crate) holder: Option<String>,
    /// Grows with each holder.
    pub(crate) epoch: u64,
    component: String,
    stream: String,
    filters: Vec<Filter>,
    cursor: u64,
    /// Of each: its sequence and, where something was counted, failures, hand-outs without an answer, and a time.
    outstanding: Vec<Vec<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filter {
    pattern: String,
    from: u64,
}

impl Position {
    /// Whose it is.
    pub(crate) fn consumer(&self) -> String {
        format!("{}/{}", self.component, self.stream)
    }
}

/// Connects; with commas between several servers.
pub(crate) async fn connect(servers: &str) -> Result<async_nats::Client> {
    let addresses: Vec<&str> = servers.split(',').collect();
    let options = async_nats::ConnectOptions::new().request_timeout(Some(REQUEST)).retry_on_initial_connect();
    options.connect(addresses).await.with_context(|| format!("a plain client of {servers}"))
}

/// The names of the streams that hold events.
pub(crate) async fn streams(context: &jetstream::Context) -> Result<Vec<String>> {
    let names: Vec<String> = context.stream_names().try_collect().await?;
    Ok(names.into_iter().filter(|name| !OTHERS.iter().any(|other| name.starts_with(other))).collect())
}

/// The names of all streams, those of buckets too.
pub(crate) async fn all_streams(context: &jetstream::Context) -> Result<Vec<String>> {
    Ok(context.stream_names().try_collect().await?)
}

/// All positions.
pub(crate) async fn positions(context: &jetstream::Context) -> Result<Vec<Position>> {
    let bucket = context.get_key_value(POSITIONS).await?;
    let keys: Vec<String> = bucket.keys().await?.try_collect().await?;
    let mut positions = Vec::new();
    for key in keys {
        if let Some(bytes) = bucket.get(&key).await? {
            positions.extend(serde_json::from_slice::<Position>(&bytes));
        }
    }
    positions.retain(|position| !position.component.is_empty());
    Ok(positions)
}

/// Consumers that have events which are not acknowledged durably.
pub(crate) async fn unsettled(context: &jetstream::Context) -> Result<usize> {
    let mut unsettled = 0;
    for position in positions(context).await? {
        unsettled += usize::from(!position.outstanding.is_empty() || is_behind(context, &position).await?);
    }
    Ok(unsettled)
}

/// Events that were handed out and are not settled: consumers and sequences. After a death they are tried carefully.
pub(crate) async fn in_hand(context: &jetstream::Context) -> Result<BTreeSet<(String, u64)>> {
    let positions = positions(context).await?;
    let of = |position: &Position| {
        let (consumer, sequences) = (position.consumer(), position.outstanding.iter());
        sequences.filter_map(|counts| Some((consumer.clone(), *counts.first()?))).collect::<Vec<_>>()
    };
    Ok(positions.iter().flat_map(of).collect())
}

/// Whether its stream has something for it past its cursor.
async fn is_behind(context: &jetstream::Context, position: &Position) -> Result<bool> {
    let stream = context.get_stream_no_info(&position.stream).await?;
    for Filter { pattern, from } in &position.filters {
        let Ok(last) = stream.get_last_raw_message_by_subject(pattern).await else { continue };
        if last.sequence > position.cursor && last.sequence >= *from {
            return Ok(true);
        }
    }
    Ok(false)
}
