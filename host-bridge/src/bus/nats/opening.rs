//! Opening a consumer: taking the lease on its position, bringing that up to date with the manifest and the stream.

use super::BusError;
use super::bucket::{Cell, WriteError};
use super::consumer::NatsConsumer;
use super::core::Core;
use super::filters::{Filters, on_server};
use super::holding::Holding;
use super::names::{pause_key, source_key};
use super::reader::Reading;
use super::record::Record;
use super::{headers, layout, range, replays};
use crate::bus::{Consumer, ConsumerConfig, Start};
use crate::subject::SubjectPattern;
use async_nats::jetstream::stream::Info;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a handle of this process that was just dropped may take to let go.
const LETTING_GO: Duration = Duration::from_secs(5);
/// How often a process that waits looks by itself.
const LOOK: Duration = Duration::from_millis(500);
/// A look that took longer says nothing about how long the position was not written before.
const SLOW: Duration = Duration::from_millis(500);
/// Old events moved at once.
const PAGE: usize = 256;
/// Conflicts in a row until the consumer counts as held: somebody else is writing.
const CONFLICTS: usize = 5;

/// A lease that was taken.
pub(super) struct Taken {
    pub holding: Arc<Holding>,
    /// Its former holder did not let go of it.
    pub unclean: bool,
}

impl Core {
    pub(super) async fn consume(self: &Arc<Self>, config: ConsumerConfig) -> Result<Arc<dyn Consumer>, BusError> {
        self.stream(&config.stream)?;
        let name = config.name();
        self.let_go(&name).await?;
        self.nodes.want(&name);
        let info = self.look_at(&config.stream).await?;
        let key = source_key(&config.component, &config.stream);
        let taken = self.take(&name, &key, |found| started(found, &config, &info)).await?;
        self.holdings.lock().insert(name.clone(), taken.holding.clone());
        let opened = self.opened(&config, &info, taken.holding.clone(), taken.unclean).await;
        if opened.is_err() {
            taken.holding.close();
        }
        Ok(Arc::new(opened?))
    }

    /// Returns when the consumer may be free.
    pub(super) async fn wait_for(&self, config: &ConsumerConfig) {
        let key = source_key(&config.component, &config.stream);
        self.nodes.want(&config.name());
        self.wait_for_lease(&config.name(), &key).await;
    }

    /// Returns when the lease may be free.
    pub(super) async fn wait_for_lease(&self, name: &str, key: &str) {
        let mut freed = self.bells.freed.hear();
        loop {
            if self.see(key).await.is_ok_and(|cell| self.may_take(name, key, &cell)) {
                return;
            }
            tokio::select! {
                () = freed.rung() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Looks at a position. A server that is away or slow keeps its holder from writing too.
    async fn see(&self, key: &str) -> Result<Cell<Record>, BusError> {
        let began = Instant::now();
        let seen = self.buckets.positions.read(key).await;
        if seen.is_err() || began.elapsed() >= SLOW {
            self.lose_sight(key);
        }
        seen
    }

    fn may_take(&self, name: &str, key: &str, cell: &Cell<Record>) -> bool {
        let preferred = self.nodes.is_preferred(name);
        let sighting = self.sight(key, cell.revision);
        sighting.may_take(cell.value.as_ref(), &self.node, preferred, Instant::now())
    }

    /// Waits for a handle of this process that was dropped; one that is open is a holder as any other.
    async fn let_go(&self, name: &str) -> Result<(), BusError> {
        let held = self.holdings.lock().get(name).cloned();
        let Some(held) = held else { return Ok(()) };
        if held.lost().is_none() && !held.is_closing() {
            return Err(BusError::Held(name.to_owned()));
        }
        // One that is stuck is fenced off by the lease.
        let _late = tokio::time::timeout(LETTING_GO, held.ended()).await;
        Ok(())
    }

    /// Takes the lease at `key`, where it may be taken, writing what `next` makes of what is there.
    pub(super) async fn take(
        &self,
        name: &str,
        key: &str,
        next: impl Fn(Option<&Record>) -> Record,
    ) -> Result<Taken, BusError> {
        let bucket = &self.buckets.positions;
        for _ in 0..CONFLICTS {
            let cell = self.see(key).await?;
            if !self.may_take(name, key, &cell) {
                return Err(BusError::Held(name.to_owned()));
            }
            let found = cell.value.as_ref();
            let (epoch, beat) = found.map_or((0, 0), |found| (found.epoch, found.beat));
            let holder = Some(self.node.clone());
            let record = Record { holder, epoch: epoch + 1, beat: beat + 1, ..next(found) };
            let began = Instant::now();
            let revision = match bucket.write(key, &record, cell.revision).await {
                Ok(revision) => revision,
                Err(WriteError::Conflict) => continue,
                Err(WriteError::Unknown(error)) => {
                    // It may be there: then it is ours by holder, epoch and beat, as nobody else writes these.
                    let written = bucket.read::<Record>(key).await?;
                    if written.value.as_ref() != Some(&record) {
                        return Err(BusError::Unavailable(format!("{key} cannot be taken: {error}")));
                    }
                    written.revision
                }
            };
            let unclean = found.is_some_and(|found| found.holder.is_some());
            tracing::debug!(consumer = name, epoch = record.epoch, unclean, "a lease was taken");
            let holding = Holding::start(bucket.clone(), key.to_owned(), (record, revision), began);
            return Ok(Taken { holding, unclean });
        }
        Err(BusError::Held(name.to_owned()))
    }

    /// Brings a position that is held up to date, and starts to read.
    async fn opened(
        self: &Arc<Self>,
        config: &ConsumerConfig,
        info: &Info,
        holding: Arc<Holding>,
        unclean: bool,
    ) -> Result<NatsConsumer, BusError> {
        let last = info.state.last_sequence;
        let (cursor, first) = (holding.look(|position| position.cursor()), info.state.first_sequence);
        if first > cursor + 1 {
            // What of it this consumer wanted is not known any more.
            let gone = first - cursor - 1;
            tracing::warn!(
                consumer = config.name(),
                gone,
                "events past its position were removed from the stream: what it wanted of them is lost"
            );
        }
        let (filters, backfill) = holding.look(|position| position.filters().changed_to(&config.filters, last));
        if !backfill.is_empty() {
            self.backfill(config, info, &backfill).await?;
        }
        holding.change(|position| position.refilter(filters));
        holding.written().await?;
        let backlog_end = self.backlog_end(config, &holding).await?;
        let paused = self.is_paused(&config.component, &config.stream).await?;
        let incarnation = layout::incarnation(info);
        Ok(NatsConsumer::start(self.clone(), config, (incarnation, backlog_end), (unclean, paused), holding))
    }

    /// Puts the old events of subscriptions that were added later into the consumer's replay source, a page at a time. A
    /// repeat after a crash is known by its id.
    async fn backfill(
        &self,
        config: &ConsumerConfig,
        info: &Info,
        patterns: &[SubjectPattern],
    ) -> Result<(), BusError> {
        let (incarnation, until) = (layout::incarnation(info), info.state.last_sequence);
        let filters = on_server(patterns, &self.stream(&config.stream)?.subjects);
        let (mut after, mut events) = (0, 0);
        loop {
            let reading = Reading { stream: config.stream.clone(), incarnation, filters: filters.clone(), after };
            let mut page = Vec::new();
            range::read(&self.nats, reading, until, |read| {
                after = read.sequence;
                let event = headers::to_event(&read.subject, read.headers.as_ref(), read.payload);
                let wanted = after <= until && patterns.iter().any(|pattern| pattern.matches(&read.subject));
                page.extend(event.filter(|_| wanted).map(|event| (after, event)));
                page.len() < PAGE
            })
            .await?;
            for (sequence, event) in &page {
                let id = format!("backfill/{}#{incarnation}/{sequence}", config.name());
                let place = replays::Place { component: &config.component, stream: &config.stream, origin: *sequence };
                self.add_replay(place, (1, &id), event).await?;
            }
            events += page.len();
            if page.len() < PAGE {
                tracing::info!(consumer = config.name(), events, "old events of a new subscription come beside");
                return Ok(());
            }
        }
    }

    /// The highest sequence that is still to be settled; 0 where there is none.
    async fn backlog_end(&self, config: &ConsumerConfig, holding: &Holding) -> Result<u64, BusError> {
        let (patterns, cursor, unsettled) = holding.look(|position| {
            (position.filters().patterns().collect::<Vec<_>>(), position.cursor(), position.last_unsettled())
        });
        let stream = self.reading(&config.stream).await?;
        let mut end = unsettled;
        for (pattern, from) in patterns {
            let last = replays::found(stream.get_last_raw_message_by_subject(pattern.as_str()).await)?;
            let last = last.map_or(0, |message| message.sequence);
            if last > cursor && last >= from {
                end = end.max(last);
            }
        }
        Ok(end)
    }

    /// Whether an operator paused the consumer.
    pub(super) async fn is_paused(&self, component: &str, stream: &str) -> Result<bool, BusError> {
        let cell = self.buckets.control.read::<bool>(&pause_key(component, stream)).await?;
        Ok(cell.value.unwrap_or_default())
    }
}

/// The position that follows `found` on the stream as it is now.
fn started(found: Option<&Record>, config: &ConsumerConfig, info: &Info) -> Record {
    let (first, last) = (info.state.first_sequence, info.state.last_sequence);
    let incarnation = layout::incarnation(info);
    let new = |filters, cursor| Record {
        component: config.component.clone(),
        stream: config.stream.clone(),
        incarnation,
        filters,
        cursor,
        ..Record::default()
    };
    match found {
        None => {
            let all = config.filters.iter().any(|(_, start)| *start == Start::All);
            let cursor = if all { first.saturating_sub(1) } else { last };
            new(Filters::starting(&config.filters, last), cursor)
        }
        Some(found) if found.incarnation == incarnation => {
            if found.cursor > last {
                tracing::error!(
                    consumer = config.name(),
                    cursor = found.cursor,
                    last,
                    "the stream has lost events that were read already; what comes next is read from its end"
                );
            }
            Record { cursor: found.cursor.min(last), ..found.clone() }
        }
        Some(found) => {
            tracing::warn!(
                consumer = config.name(),
                unsettled = found.outstanding.len(),
                "the stream was created anew: it is another source, read from its first event"
            );
            let (replay_cursor, replays) = (found.replay_cursor, found.replays.clone());
            Record { replay_cursor, replays, ..new(Filters::from_the_first(&config.filters), 0) }
        }
    }
}
