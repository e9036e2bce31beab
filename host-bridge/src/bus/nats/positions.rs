//! Looks at all positions of the application, whoever holds them, and tells how the consumers stand.

use super::core::Core;
use super::filters::on_server;
use super::names::pause_key;
use super::reader::Reading;
use super::record::Record;
use super::{BusError, headers, layout, range, replays};
use crate::bus::ConsumerStatus;
use crate::clock::Millis;
use crate::durability::Watermark;
use crate::subject::SubjectPattern;
use futures::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeMap;

/// Consumers looked at side by side.
const AT_ONCE: usize = 8;

/// All positions, by component and stream.
///
/// The keys come in one answer and each value by its key: who walks the bucket may meet none of a position that is being
/// rewritten, since each write takes the last away.
pub(super) async fn all(core: &Core) -> Result<Vec<Record>, BusError> {
    let bucket = &core.buckets.positions;
    let mut found = BTreeMap::new();
    for key in bucket.keys().await? {
        let record = bucket.read::<Record>(&key).await?.value;
        if let Some(record) = record.filter(|record| !record.component.is_empty()) {
            found.insert((record.component.clone(), record.stream.clone()), record);
        }
    }
    Ok(found.into_values().collect())
}

impl Core {
    /// How all consumers stand.
    pub(super) async fn statuses(&self) -> Result<Vec<ConsumerStatus>, BusError> {
        let records = all(self).await?;
        let known = records.into_iter().filter(|record| self.stream(&record.stream).is_ok());
        // Replays are rare: where there is none, no consumer needs to be asked about its own.
        let replays = layout::info(&self.nats, &self.names.replays()).await?.state.messages > 0;
        let statuses = futures::stream::iter(known).map(|record| async move { self.status(&record, replays).await });
        statuses.buffered(AT_ONCE).try_collect().await
    }

    async fn status(&self, record: &Record, may_have_replays: bool) -> Result<ConsumerStatus, BusError> {
        let paused = self.is_paused(&record.component, &record.stream).await?;
        let unread = self.unread(record).await?;
        let replays = if may_have_replays { self.unread_replays(record).await? } else { 0 };
        let pending = unread + replays + (record.outstanding.len() + record.replays.len()) as u64;
        let oldest = if pending == 0 { None } else { self.oldest(record).await? };
        Ok(ConsumerStatus {
            component: record.component.clone(),
            stream: record.stream.clone(),
            settled_to: record.settled_to(),
            pending,
            oldest_pending_ms: oldest.map_or(0, |at| self.clock.now().0.saturating_sub(at.0)),
            paused,
        })
    }

    async fn unread_replays(&self, record: &Record) -> Result<u64, BusError> {
        let replays = Reading {
            stream: self.names.replays(),
            incarnation: 0,
            filters: vec![self.names.replay(&record.component, &record.stream)],
            after: record.replay_cursor,
        };
        range::pending(&self.nats, &replays).await
    }

    /// Matching events after the cursor. Where the server cannot filter, all that come count.
    async fn unread(&self, record: &Record) -> Result<u64, BusError> {
        let taken = &self.stream(&record.stream)?.subjects;
        let mut starts: BTreeMap<u64, Vec<SubjectPattern>> = BTreeMap::new();
        for (pattern, from) in record.filters.patterns() {
            starts.entry(from.max(record.cursor + 1)).or_default().push(pattern);
        }
        let mut unread = 0;
        for (start, patterns) in starts {
            let filters = on_server(&patterns, taken);
            let (stream, incarnation) = (record.stream.clone(), record.incarnation);
            let reading = Reading { stream, incarnation, filters, after: start - 1 };
            unread += range::pending(&self.nats, &reading).await?;
        }
        Ok(unread)
    }

    /// When the oldest event that is not settled was published; replays do not count.
    async fn oldest(&self, record: &Record) -> Result<Option<Millis>, BusError> {
        let stream = self.reading(&record.stream).await?;
        let mut first = None;
        if let Some(sequence) = record.outstanding.iter().map(|one| one.sequence).min() {
            first = replays::found(stream.get_raw_message(sequence).await)?;
        } else {
            for (pattern, from) in record.filters.patterns() {
                let start = from.max(record.cursor + 1);
                let next = stream.get_first_raw_message_by_subject(pattern.as_str(), start).await;
                let earlier = replays::found(next)?.filter(|next| {
                    first.as_ref().is_none_or(|first: &async_nats::jetstream::message::StreamMessage| {
                        next.sequence < first.sequence
                    })
                });
                first = earlier.or(first);
            }
        }
        Ok(first.map(|message| {
            let stored_at = u64::try_from(message.time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
            headers::published_at(Some(&message.headers), stored_at)
        }))
    }

    /// Stops or resumes the hand-outs of a consumer, whoever holds it.
    pub(super) async fn set_paused(&self, component: &str, stream: &str, paused: bool) -> Result<Watermark, BusError> {
        self.position(component, stream).await?;
        self.buckets.control.put(&pause_key(component, stream), &paused).await?;
        self.bells.control.ring();
        Ok(self.watermark())
    }

    /// The position of a consumer.
    pub(super) async fn position(&self, component: &str, stream: &str) -> Result<Record, BusError> {
        let key = super::names::source_key(component, stream);
        let cell = self.buckets.positions.read::<Record>(&key).await?;
        cell.value.ok_or_else(|| BusError::NotFound(format!("consumer {component}/{stream}")))
    }
}
