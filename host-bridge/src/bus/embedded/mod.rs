//! The bus in the one SQLite file. What it does is decided in memory; see [`crate::store`].

mod consumer;
mod letters;
mod timers;

use super::{BusError, Consumer, ConsumerConfig, ConsumerStatus, DeadLetter, EventBus, Receipt, TimerRule};
use crate::clock::Millis;
use crate::durability::{Stalled, Watermark};
use crate::event::Event;
use crate::store::log::{Prepared, Wakes};
use crate::store::pending::Replay;
use crate::store::position::{LogRow, Position};
use crate::store::state::State;
use crate::store::{ReplayChange, Store, correlation_fingerprint, readers};
use consumer::EmbeddedConsumer;
use futures::future::{BoxFuture, ready};
use std::sync::Arc;
use tokio::sync::broadcast;

/// Events read at once where a consumer lags behind memory.
const PAGE: usize = 256;

/// The embedded adapter.
#[derive(Debug, Clone)]
pub struct EmbeddedBus {
    store: Arc<Store>,
}

impl EmbeddedBus {
    /// Over an open store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    fn publish_now(&self, event: &Arc<Event>) -> Result<Receipt, BusError> {
        self.store.writable()?;
        let prepared = [Prepared::new(event)];
        let now = self.store.clock().now();
        let mut wakes = Wakes::new();
        let receipt = self.store.change(|state| {
            let appended = state.publish_all(&prepared, now, &mut wakes)?;
            let one = appended.into_iter().next();
            one.map(|one| state.receipt(one)).ok_or_else(|| BusError::Unknown("nothing was published".to_owned()))
        });
        wake(wakes);
        receipt
    }

    async fn open(&self, config: ConsumerConfig) -> Result<Arc<dyn Consumer>, BusError> {
        let (index, source, backlog_end, backfill) = self.store.change(|state| {
            let index = enter(state, &config)?;
            let (stream, position) = both(state, index)?;
            if position.open {
                return Err(BusError::Held(config.name()));
            }
            let last = stream.last;
            let backfill = position.refilter(&config, last);
            position.opened();
            let source = format!("{}#{}", config.name(), stream.incarnation);
            state.advance();
            Ok((index, source, last, backfill))
        })?;
        let consumer = EmbeddedConsumer::new(self.store.clone(), index, source.into(), &config, backlog_end);
        if !backfill.is_empty() {
            self.backfill(index, &backfill, backlog_end).await?;
        }
        Ok(Arc::new(consumer))
    }

    /// Hands the old events of subscriptions that were added later to the consumer's replay source: in its own source
    /// they would come after later events, and count as settled.
    async fn backfill(
        &self,
        index: usize,
        patterns: &[crate::subject::SubjectPattern],
        until: u64,
    ) -> Result<(), BusError> {
        let stream = self.store.look(|state| both(state, index).map(|(stream, _)| stream.id))?;
        self.store.all_flushed().await?;
        let mut after = 0;
        loop {
            let rows = self.store.read(|connection| readers::events(connection, stream, (after, until), PAGE));
            let rows = rows.map_err(away)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.sequence;
            let wanted = |row: &LogRow| patterns.iter().any(|pattern| pattern.matches(row.event.subject.as_str()));
            self.store.change(|state| {
                for row in rows.iter().filter(|row| wanted(row)) {
                    add_replay(state, index, row.sequence, 1, &row.event);
                }
            });
        }
    }

    async fn correlated_now(&self, id: &str, limit: usize) -> Result<Vec<Arc<Event>>, BusError> {
        self.store.all_flushed().await?;
        let streams: Vec<u32> = self.store.look(|state| state.log.streams.iter().map(|stream| stream.id).collect());
        let read = self.store.read(|connection| {
            let mut found = Vec::new();
            for stream in streams {
                found.extend(readers::correlated(connection, stream, correlation_fingerprint(id))?);
            }
            Ok(found)
        });
        let mut found = read.map_err(away)?;
        // Fingerprints may collide.
        found.retain(|(_, event)| event.envelope().is_ok_and(|envelope| envelope.correlation_id == id));
        found.sort_by_key(|(position, _)| *position);
        Ok(found.into_iter().map(|(_, event)| event).take(limit).collect())
    }

    fn pause_now(&self, component: &str, stream: &str, paused: bool) -> Result<Watermark, BusError> {
        let mut wakes = Wakes::new();
        let watermark = self.store.change(|state| {
            let index = state.consumer(component, stream)?;
            let (_, position) = both(state, index)?;
            position.paused = paused;
            position.dirty = true;
            position.wake_into(&mut wakes);
            Ok(Watermark(state.advance()))
        });
        wake(wakes);
        watermark
    }

    fn statuses(&self) -> Result<Vec<ConsumerStatus>, BusError> {
        let now = self.store.clock().now();
        let known = self
            .store
            .look(|state| (0..state.consumers.len()).map(|index| status(state, index, now)).collect::<Vec<_>>());
        let mut all = Vec::with_capacity(known.len());
        for one in known {
            let (mut status, unread) = one?;
            if let Some((stream, after)) = unread {
                let range = (after, i64::MAX.cast_unsigned());
                let rows = self.store.read(|connection| readers::events(connection, stream, range, 1)).map_err(away)?;
                let age = rows.first().map_or(0, |row| now.0.saturating_sub(row.published_at.0));
                status.oldest_pending_ms = status.oldest_pending_ms.max(age);
            }
            all.push(status);
        }
        Ok(all)
    }
}

/// The consumer's index, entering it where it is new.
fn enter(state: &mut State, config: &ConsumerConfig) -> Result<usize, BusError> {
    if let Ok(index) = state.consumer(&config.component, &config.stream) {
        return Ok(index);
    }
    let stream_index = state.log.named(&config.stream)?;
    let index = state.consumers.len();
    let id = state.consumers.iter().map(|position| position.id).max().unwrap_or(0) + 1;
    let mut position = Position::new(id, &config.component, stream_index);
    if let Some(stream) = state.log.streams.get_mut(stream_index) {
        stream.readers.push(index);
        position.start(config, stream.first, stream.last);
        position.unread = stream.last - position.cursor;
        position.counted_from = stream.last;
    }
    state.consumers.push(position);
    Ok(index)
}

/// A consumer and its stream.
fn both(state: &mut State, index: usize) -> Result<(&crate::store::log::Stream, &mut Position), BusError> {
    let gone = || BusError::NotFound("such consumer".to_owned());
    let position = state.consumers.get_mut(index).ok_or_else(gone)?;
    let stream = state.log.streams.get(position.stream).ok_or_else(gone)?;
    Ok((stream, position))
}

/// How one consumer stands, and where on disk its oldest unread event would lie if memory does not have it.
fn status(state: &mut State, index: usize, now: Millis) -> Result<(ConsumerStatus, Option<(u32, u64)>), BusError> {
    let (stream, position) = both(state, index)?;
    let in_hand = position.outstanding.values().map(|pending| pending.published_at).find(|at| *at > 0);
    let unread = (position.unread > 0 && position.cursor < stream.last).then_some(position.cursor + 1);
    let kept = unread.and_then(|sequence| stream.kept(sequence)).map(|kept| kept.published_at.0);
    let oldest = in_hand.into_iter().chain(kept).min();
    let status = ConsumerStatus {
        component: position.component.to_string(),
        stream: stream.config.name.clone(),
        settled_to: position.settled_to(),
        pending: position.outstanding.len() as u64 + position.replays.len() as u64 + position.unread,
        oldest_pending_ms: oldest.map_or(0, |at| now.0.saturating_sub(at)),
        paused: position.paused,
    };
    let on_disk = unread.filter(|_| kept.is_none() && in_hand.is_none()).map(|next| (stream.id, next - 1));
    Ok((status, on_disk))
}

/// Puts a message into a consumer's replay source; returns who is to be woken.
fn add_replay(state: &mut State, index: usize, origin: u64, number: u32, event: &Arc<Event>) -> Wakes {
    let sequence = state.advance();
    let mut wakes = Wakes::new();
    let Some(position) = state.consumers.get_mut(index) else { return wakes };
    position.replays.insert(sequence, Replay { origin, number, ..Replay::default() });
    position.replay_queue.push_back(sequence);
    position.wake_into(&mut wakes);
    let (consumer, event) = (position.id, event.clone());
    state.batch.replays.push(ReplayChange::Add { sequence, consumer, origin, replay: number, event });
    wakes
}

fn wake(wakes: Wakes) {
    for one in wakes {
        one.notify_one();
    }
}

fn away(error: rusqlite::Error) -> BusError {
    BusError::Unavailable(error.to_string())
}

impl From<Stalled> for BusError {
    fn from(stalled: Stalled) -> Self {
        Self::Unavailable(stalled.to_string())
    }
}

impl EventBus for EmbeddedBus {
    fn publish(&self, event: Arc<Event>) -> BoxFuture<'_, Result<Receipt, BusError>> {
        Box::pin(ready(self.publish_now(&event)))
    }

    fn consume(&self, config: ConsumerConfig) -> BoxFuture<'_, Result<Arc<dyn Consumer>, BusError>> {
        Box::pin(self.open(config))
    }

    fn fire_due_timers(&self, now: Millis, rule: TimerRule) -> BoxFuture<'_, Result<Option<Millis>, BusError>> {
        Box::pin(self.fire(now, rule))
    }

    fn timers_changed(&self) -> BoxFuture<'_, ()> {
        let changed = self.store.look(|state| state.timers.changed.clone());
        Box::pin(async move { changed.notified().await })
    }

    fn dead_letters(&self, limit: usize, before: Option<String>) -> BoxFuture<'_, Result<Vec<DeadLetter>, BusError>> {
        Box::pin(self.letters(limit, before))
    }

    fn dead_letter(&self, id: &str) -> BoxFuture<'_, Result<DeadLetter, BusError>> {
        let id = id.to_owned();
        Box::pin(async move { self.letter(&id).await })
    }

    fn replay(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let id = id.to_owned();
        Box::pin(async move { self.replay_letter(&id).await })
    }

    fn discard(&self, id: &str) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let id = id.to_owned();
        Box::pin(async move { self.discard_letter(&id).await })
    }

    fn consumers(&self) -> BoxFuture<'_, Result<Vec<ConsumerStatus>, BusError>> {
        Box::pin(ready(self.statuses()))
    }

    fn pause(&self, component: &str, stream: &str, paused: bool) -> BoxFuture<'_, Result<Watermark, BusError>> {
        Box::pin(ready(self.pause_now(component, stream, paused)))
    }

    fn correlated(&self, correlation_id: &str, limit: usize) -> BoxFuture<'_, Result<Vec<Arc<Event>>, BusError>> {
        let id = correlation_id.to_owned();
        Box::pin(async move { self.correlated_now(&id, limit).await })
    }

    fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        self.store.tail()
    }
}
