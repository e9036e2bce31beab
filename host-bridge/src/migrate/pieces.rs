//! Each kind of thing that is moved.

use crate::bus::EventBus as _;
use crate::bus::embedded::EmbeddedBus;
use crate::bus::nats::import::{Import, ImportedPosition};
use crate::keyvalue::embedded::EmbeddedKeyValue;
use crate::keyvalue::nats::NatsKeyValue;
use crate::keyvalue::{Entry, KeyValue};
use crate::manifest::Application;
use crate::nats::Nats;
use crate::store::{KeptConsumer, KeptStream, Store};
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// Events read at once.
const EVENTS: usize = 1_000;
/// Keys read at once.
const KEYS: usize = 256;
/// Bytes of values written in one step, about.
const STEP_BYTES: usize = 512 << 10;
/// Dead letters read at once.
const LETTERS: usize = 100;

/// From where to where.
pub(super) struct Move<'a> {
    pub(super) store: &'a Arc<Store>,
    pub(super) nats: &'a Nats,
    pub(super) values: &'a NatsKeyValue,
    pub(super) import: Import,
    pub(super) application: &'a Application,
}

impl Move<'_> {
    /// Nothing is there that would mix with what is moved.
    pub(super) async fn check_empty(&self) -> anyhow::Result<()> {
        let mut others = self.import.others().await?;
        for store in self.store.kept_stores()? {
            let page = self.values.list_keys(&store, None, 1).await?;
            others.extend(page.keys.first().map(|key| format!("store {store} with the key {key}")));
        }
        ensure!(
            others.is_empty(),
            "{} is not empty: {}; migrate to a server, an account or a --nats-prefix without them",
            self.nats.servers(),
            others.join(", ")
        );
        Ok(())
    }

    /// Events, each to the sequence it had.
    pub(super) async fn events(&self) -> anyhow::Result<u64> {
        let mut moved = 0;
        for stream in self.store.kept_streams() {
            let known = self.application.streams.iter().any(|config| config.name == stream.name);
            ensure!(
                known || stream.first > stream.last,
                "stream {} is not in the manifest any more and still holds events: add it, or let the embedded host drop \
                 it first",
                stream.name
            );
            if known {
                moved += self.events_of(&stream).await.with_context(|| format!("stream {}", stream.name))?;
            }
        }
        Ok(moved)
    }

    async fn events_of(&self, stream: &KeptStream) -> anyhow::Result<u64> {
        let mut last = self.import.last(&stream.name).await?;
        let before = stream.first.saturating_sub(1);
        if last < before {
            // An empty stream starts where this one does.
            let request = json!({ "seq": stream.first });
            self.nats.api::<Value>(&format!("STREAM.PURGE.{}", stream.name), &request).await?;
            last = self.import.last(&stream.name).await?;
            ensure!(last == before, "it cannot start at {}: the server begins at {}", stream.first, last + 1);
        }
        loop {
            let rows = self.store.kept_events(stream, last, EVENTS)?;
            for row in &rows {
                let place = (row.sequence, row.published_at);
                self.import.event(&stream.name, place, &row.event).await?;
                last = row.sequence;
            }
            if rows.len() < EVENTS {
                return Ok(stream.last.saturating_sub(before));
            }
        }
    }

    /// Values, under new revisions.
    pub(super) async fn values(&self) -> anyhow::Result<u64> {
        let from = EmbeddedKeyValue::new(self.store.clone());
        let mut moved = 0;
        for store in self.store.kept_stores()? {
            let mut cursor = None;
            loop {
                let page = from.list_keys(&store, cursor.as_deref(), KEYS).await?;
                let entries = from.get_many(&store, &page.keys).await?;
                moved += u64::try_from(page.keys.len()).unwrap_or_default();
                self.put(&store, page.keys.into_iter().zip(entries)).await?;
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(moved)
    }

    async fn put(&self, store: &str, entries: impl Iterator<Item = (String, Entry)>) -> anyhow::Result<()> {
        let (mut step, mut bytes): (Vec<(String, Option<Bytes>)>, _) = (Vec::new(), 0);
        for (key, entry) in entries {
            bytes += entry.value.as_ref().map_or(0, Bytes::len);
            step.push((key, entry.value));
            if bytes >= STEP_BYTES {
                self.values.put_many(store, std::mem::take(&mut step)).await?;
                bytes = 0;
            }
        }
        if !step.is_empty() {
            self.values.put_many(store, step).await?;
        }
        Ok(())
    }

    /// Dead letters, the oldest first.
    pub(super) async fn letters(&self) -> anyhow::Result<usize> {
        let from = EmbeddedBus::new(self.store.clone());
        let (mut letters, mut before) = (Vec::new(), None);
        loop {
            let page = from.dead_letters(LETTERS, before).await?;
            before = page.last().map(|letter| letter.id.clone());
            letters.extend(page);
            if before.is_none() {
                break;
            }
        }
        for letter in letters.iter().rev() {
            self.import.letter(letter).await?;
        }
        Ok(letters.len())
    }

    /// Replays that are not settled, in their order.
    pub(super) async fn replays(&self) -> anyhow::Result<usize> {
        self.import.clear_replays().await?;
        let replays = self.store.kept_replays()?;
        for replay in &replays {
            let consumer = (replay.component.as_str(), replay.stream.as_str());
            self.import.replay(consumer, (replay.origin, replay.number, replay.sequence), &replay.event).await?;
        }
        Ok(replays.len())
    }

    /// Timers.
    pub(super) async fn timers(&self) -> anyhow::Result<usize> {
        let timers = self.store.kept_timers()?;
        for timer in &timers {
            self.import.timer(&timer.fingerprint, (timer.fire_at, timer.set_at), &timer.event).await?;
        }
        Ok(timers.len())
    }

    /// Positions of consumers whose streams there are.
    pub(super) async fn positions(&self) -> anyhow::Result<usize> {
        let mut moved = 0;
        for consumer in self.store.kept_consumers() {
            let KeptConsumer { component, stream, filters, paused, cursor, outstanding } = consumer;
            if !self.application.streams.iter().any(|config| config.name == stream) {
                continue;
            }
            let filters = serde_json::to_value(&filters)?;
            self.import.position(ImportedPosition { component, stream, filters, paused, cursor, outstanding }).await?;
            moved += 1;
        }
        Ok(moved)
    }
}
