//! Keeps streams from filling up: removes what everybody has settled, and says loudly who is too far behind.

use crate::bus::{BusError, ConsumerStatus, StreamConfig};
use crate::metrics::Metrics;
use crate::nats::{ApiError, Nats};
use async_nats::jetstream::stream::{Info, State};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often the streams are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// How often while one is filling up.
const EVERY_WHILE_FULL: Duration = Duration::from_millis(250);
/// Above this share of a stream's limit, in percent, consumed events are removed.
const HIGH: u64 = 80;
/// Down to this share.
const LOW: u64 = 60;
/// Above this share of a limit, in percent, a consumer's backlog is an alarm.
const ALARM: u64 = 90;

/// Which consumers are about to lose events, in words.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<BTreeMap<(String, String), String>>);

impl Alarms {
    /// All that stand.
    #[must_use]
    pub fn standing(&self) -> Vec<String> {
        self.0.lock().values().cloned().collect()
    }

    /// Takes in how far behind a consumer is; tells of a change once.
    fn set(&self, consumer: &str, stream: &str, alarm: Option<String>) {
        let key = (consumer.to_owned(), stream.to_owned());
        let mut standing = self.0.lock();
        match alarm {
            Some(alarm) => {
                if standing.insert(key, alarm.clone()).is_none() {
                    tracing::error!(consumer, stream, "{alarm}");
                }
            }
            None => {
                if standing.remove(&key).is_some() {
                    tracing::info!(consumer, stream, "it has caught up");
                }
            }
        }
    }
}

/// Tells how all consumers stand: [`crate::bus::EventBus::consumers`], and nothing else of the bus.
pub type Standings = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<ConsumerStatus>, BusError>> + Send + Sync>;

/// See the module.
pub struct Keeper {
    nats: Nats,
    standings: Standings,
    streams: Vec<StreamConfig>,
    metrics: Arc<Metrics>,
    alarms: Arc<Alarms>,
}

/// A consumer that the server keeps: of a component, or of another program.
#[derive(Debug, Deserialize)]
struct Durable {
    #[serde(default)]
    config: DurableConfig,
    ack_floor: Floor,
    #[serde(default)]
    num_pending: u64,
    #[serde(default)]
    num_ack_pending: u64,
}

#[derive(Debug, Default, Deserialize)]
struct DurableConfig {
    #[serde(default)]
    durable_name: String,
}

#[derive(Debug, Deserialize)]
struct Floor {
    stream_seq: u64,
}

#[derive(Debug, Deserialize)]
struct Durables {
    #[serde(default)]
    total: u64,
    consumers: Option<Vec<Durable>>,
}

impl Keeper {
    /// Keeps `streams`, whose consumers stand as told.
    #[must_use]
    pub fn new(nats: Nats, standings: Standings, streams: Vec<StreamConfig>, metrics: Arc<Metrics>) -> Self {
        Self { nats, standings, streams, metrics, alarms: Arc::default() }
    }

    /// What it warns of.
    #[must_use]
    pub fn alarms(&self) -> Arc<Alarms> {
        Arc::clone(&self.alarms)
    }

    /// Looks at the streams for ever. What fails is tried again: an outage is told elsewhere.
    pub async fn run(self) {
        loop {
            let full = self.look().await;
            tokio::time::sleep(if full { EVERY_WHILE_FULL } else { EVERY }).await;
        }
    }

    /// Looks once; whether a stream is filling up. What one stream fails at does not keep the others from theirs.
    async fn look(&self) -> bool {
        // Before the consumers: what is settled beyond it is not counted, never the other way round.
        let mut states = Vec::with_capacity(self.streams.len());
        for stream in &self.streams {
            match self.nats.api::<Info>(&format!("STREAM.INFO.{}", stream.name), &()).await {
                Ok(info) => states.push((stream, info.state)),
                Err(error) => tracing::debug!(stream = %stream.name, "it could not be looked at: {error}"),
            }
        }
        let full = states.iter().any(|(stream, state)| is_filling_up(stream, state));
        // Once for all streams: it takes the server some requests for each consumer.
        let Ok(consumers) = (self.standings)().await else { return full };
        for (stream, state) in &states {
            let own: Vec<_> = consumers.iter().filter(|status| status.stream == stream.name).collect();
            for status in &own {
                let share = share(status, stream, state);
                self.metrics.set_limit_share(&status.component, &status.stream, share);
                self.alarms.set(&status.component, &status.stream, alarm(status, share));
            }
            if let Err(error) = self.make_room(stream, state, &own).await {
                tracing::debug!(stream = %stream.name, "no room could be made: {error}");
            }
        }
        full
    }

    /// Removes what everybody has settled where the stream is near its limit.
    async fn make_room(&self, stream: &StreamConfig, state: &State, own: &[&ConsumerStatus]) -> Result<(), ApiError> {
        let Some(most) = stream.max_messages.filter(|_| is_filling_up(stream, state)) else { return Ok(()) };
        let last = state.last_sequence;
        let settled = own.iter().map(|status| (status.component.clone(), settled_to(status, last)));
        let theirs = self.durables(&stream.name, last).await?;
        let slowest = settled.chain(theirs).min_by_key(|(_, settled_to)| *settled_to);
        let (holder, floor) = slowest.unwrap_or((String::new(), last));
        // Were all sequences there, this many from the end would be left; where some are missing, fewer are.
        let enough = last.saturating_sub(percent(most, LOW));
        let held = floor < enough && state.messages > percent(most, ALARM);
        self.alarms.set("", &stream.name, held.then(|| held_up(&stream.name, &holder, state)));
        let up_to = floor.min(enough);
        if up_to >= state.first_sequence {
            let request = json!({ "seq": up_to.saturating_add(1) });
            let _purged: serde_json::Value = self.nats.api(&format!("STREAM.PURGE.{}", stream.name), &request).await?;
            tracing::info!(stream = %stream.name, up_to, "consumed events are removed to make room");
        }
        Ok(())
    }

    /// Up to where durable consumers on the server have acknowledged, by name.
    async fn durables(&self, stream: &str, last: u64) -> Result<Vec<(String, u64)>, ApiError> {
        let mut floors = Vec::new();
        let mut seen = 0;
        loop {
            let request = json!({ "offset": seen });
            let page: Durables = self.nats.api(&format!("CONSUMER.LIST.{stream}"), &request).await?;
            let consumers = page.consumers.unwrap_or_default();
            seen += u64::try_from(consumers.len()).unwrap_or_default();
            let done = consumers.is_empty() || seen >= page.total;
            let durable = consumers.into_iter().filter(|consumer| !consumer.config.durable_name.is_empty());
            floors.extend(durable.map(|consumer| (consumer.config.durable_name.clone(), consumer.settled_to(last))));
            if done {
                return Ok(floors);
            }
        }
    }
}

impl Durable {
    fn settled_to(&self, last: u64) -> u64 {
        if self.num_pending == 0 && self.num_ack_pending == 0 { last } else { self.ack_floor.stream_seq }
    }
}

fn settled_to(status: &ConsumerStatus, last: u64) -> u64 {
    if status.pending == 0 { last } else { status.settled_to }
}

fn held_up(stream: &str, holder: &str, state: &State) -> String {
    format!(
        "stream {stream} is nearly full with {} events and {holder} has not handled the oldest: let it catch up, delete \
         that consumer where nobody needs it any more, or raise the stream's limit",
        state.messages
    )
}

fn is_filling_up(stream: &StreamConfig, state: &State) -> bool {
    stream.max_messages.is_some_and(|most| state.messages > percent(most, HIGH))
}

/// How much of the stream's limits a consumer's backlog takes: 1 where it reaches one.
fn share(status: &ConsumerStatus, stream: &StreamConfig, state: &State) -> f64 {
    if status.pending == 0 {
        return 0.0;
    }
    let behind = state.last_sequence.saturating_sub(status.settled_to).min(state.messages);
    let by_number = stream.max_messages.map_or(0.0, |most| ratio(behind, most));
    let by_age = stream
        .max_age
        .map_or(0.0, |most| ratio(status.oldest_pending_ms, u64::try_from(most.as_millis()).unwrap_or(u64::MAX)));
    by_number.max(by_age)
}

fn alarm(status: &ConsumerStatus, share: f64) -> Option<String> {
    let ConsumerStatus { component, stream, pending, .. } = status;
    if share >= 1.0 {
        return Some(format!(
            "{component} has reached the limit of stream {stream} with {pending} events not handled: what is older than \
             the stream keeps is lost, or publishers are refused"
        ));
    }
    (share >= ratio(ALARM, 100)).then(|| {
        format!(
            "{component} is within a tenth of the limit of stream {stream} with {pending} events not handled: let it \
             catch up, or raise the stream's limit"
        )
    })
}

fn percent(most: u64, share: u64) -> u64 {
    most.saturating_mul(share) / 100
}

#[expect(clippy::cast_precision_loss, reason = "a share for people and alarms needs no more than 53 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests;
