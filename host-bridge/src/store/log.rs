//! The streams in memory: who takes a subject, what was published last, what may go.

use super::batch::{EventRow, Trim};
use super::dedup::Window;
use super::hash::{self, EventId};
use super::state::State;
use crate::bus::{BusError, Receipt, StreamConfig};
use crate::clock::Millis;
use crate::durability::Watermark;
use crate::event::Event;
use crate::subject::Subject;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// Subjects whose stream is remembered: keeps a publisher that invents subjects from filling memory.
const REMEMBERED_ROUTES: usize = 4096;
/// What an event takes in memory beside its body, in bytes, roughly.
const EVENT_OVERHEAD: usize = 700;

/// All streams.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub streams: Vec<Stream>,
    routes: FxHashMap<Subject, usize>,
    /// Bytes of newest events that each stream keeps in memory.
    pub tail_limit: usize,
}

/// One stream. Its index in [`Log::streams`] is stable within the process, its `id` for ever.
#[derive(Debug)]
pub(crate) struct Stream {
    pub id: u32,
    pub config: StreamConfig,
    pub incarnation: u64,
    /// The oldest sequence that counts; older ones are deleted or about to be.
    pub first: u64,
    /// The newest sequence; 0 in a new stream.
    pub last: u64,
    /// Positions in [`State::consumers`] that read it.
    pub readers: Vec<usize>,
    tail: VecDeque<Kept>,
    tail_bytes: usize,
    window: Window,
    warned_full: bool,
}

/// A published event in memory.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub event: Arc<Event>,
    pub published_at: Millis,
    tick: u64,
}

/// An event made ready outside the lock.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub event: Arc<Event>,
    id: Option<EventId>,
    correlation: i64,
}

impl Prepared {
    pub(crate) fn new(event: &Arc<Event>) -> Self {
        let envelope = event.envelope().ok();
        Self {
            id: envelope.map(|envelope| hash::event_id(&envelope.event_id)),
            correlation: envelope.map_or(0, |envelope| hash::correlation(&envelope.correlation_id)),
            event: event.clone(),
        }
    }
}

/// Where an event went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Appended {
    stream: usize,
    sequence: u64,
    duplicate: bool,
    tick: u64,
}

/// Who is to be woken once the lock is released.
pub(crate) type Wakes = Vec<Arc<Notify>>;

impl Stream {
    pub(crate) fn new(id: u32, config: StreamConfig, incarnation: u64) -> Self {
        Self {
            id,
            config,
            incarnation,
            first: 1,
            last: 0,
            readers: Vec::new(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            window: Window::default(),
            warned_full: false,
        }
    }

    /// Up to here there is more than the limit on the number of events allows.
    pub(crate) fn surplus(&self) -> u64 {
        self.config.max_messages.map_or(0, |limit| self.last.saturating_sub(limit))
    }

    /// The oldest sequence in memory; one past the newest where there is none.
    pub(crate) fn tail_first(&self) -> u64 {
        self.last + 1 - self.tail.len() as u64
    }

    /// The event at `sequence`, if it is in memory.
    pub(crate) fn kept(&self, sequence: u64) -> Option<&Kept> {
        self.tail.get(usize::try_from(sequence.checked_sub(self.tail_first())?).ok()?)
    }

    /// Bytes of events in memory.
    pub(crate) fn tail_bytes(&self) -> usize {
        self.tail_bytes
    }

    /// Remembers an id that was published before this start.
    pub(crate) fn remember(&mut self, id: EventId, sequence: u64, at: Millis) {
        self.window.note(id, sequence, at);
    }

    fn keep(&mut self, kept: Kept, limit: usize, durable: u64) {
        self.tail_bytes += EVENT_OVERHEAD + kept.event.body.len();
        self.tail.push_back(kept);
        while self.tail_bytes > limit && self.tail.front().is_some_and(|oldest| oldest.tick <= durable) {
            if let Some(gone) = self.tail.pop_front() {
                self.tail_bytes -= EVENT_OVERHEAD + gone.event.body.len();
            }
        }
    }
}

impl Log {
    /// The index of the stream that takes `subject`.
    pub(crate) fn route(&mut self, subject: &Subject) -> Result<usize, BusError> {
        if let Some(stream) = self.routes.get(subject) {
            return Ok(*stream);
        }
        let takes = |stream: &Stream| stream.config.subjects.iter().any(|pattern| pattern.matches(subject.as_str()));
        let found = self.streams.iter().position(takes).ok_or_else(|| BusError::NoStream(subject.to_string()))?;
        if self.routes.len() >= REMEMBERED_ROUTES {
            self.routes.clear();
        }
        self.routes.insert(subject.clone(), found);
        Ok(found)
    }

    pub(crate) fn named(&self, name: &str) -> Result<usize, BusError> {
        let found = self.streams.iter().position(|stream| stream.config.name == name);
        found.ok_or_else(|| BusError::NotFound(format!("stream {name}")))
    }
}

impl State {
    /// Publishes several events in one step: all or, where one has no stream or no room, none.
    pub(crate) fn publish_all(
        &mut self,
        events: &[Prepared],
        now: Millis,
        wakes: &mut Wakes,
    ) -> Result<Vec<Appended>, BusError> {
        let mut routes = Vec::with_capacity(events.len());
        for prepared in events {
            let stream = self.log.route(&prepared.event.subject)?;
            routes.push(stream);
            let more = routes.iter().filter(|other| **other == stream).count() as u64;
            self.room(stream, more)?;
        }
        Ok(events.iter().zip(routes).map(|(prepared, stream)| self.append(stream, prepared, now, wakes)).collect())
    }

    /// Fails where `more` events exceed the stream's limit and nothing may go.
    fn room(&mut self, index: usize, more: u64) -> Result<(), BusError> {
        let Some(stream) = self.log.streams.get(index) else { return Ok(()) };
        let Some(limit) = stream.config.max_messages else { return Ok(()) };
        if stream.last + more < stream.first + limit {
            return Ok(());
        }
        let settled = self.settled_by_all(index);
        let Some(stream) = self.log.streams.get_mut(index) else { return Ok(()) };
        let wanted = (stream.last + more + 1).saturating_sub(limit);
        stream.first = stream.first.max(wanted.min(settled + 1));
        if stream.first >= wanted {
            stream.warned_full = false;
            return Ok(());
        }
        if !std::mem::replace(&mut stream.warned_full, true) {
            tracing::warn!(
                stream = stream.config.name,
                limit,
                settled_by_all = settled,
                "the stream is full and its oldest events are not consumed yet: publishing fails until they are"
            );
        }
        Err(BusError::StreamFull(stream.config.name.clone()))
    }

    /// Appends one event, whose stream and room are checked.
    fn append(&mut self, index: usize, prepared: &Prepared, now: Millis, wakes: &mut Wakes) -> Appended {
        let tick = self.advance();
        let (limit, durable) = (self.log.tail_limit, self.durable);
        let Some(stream) = self.log.streams.get_mut(index) else { return Appended::default() };
        let known = prepared.id.as_ref().and_then(|id| stream.window.find(id, now));
        let sequence = known.unwrap_or(stream.last + 1);
        let appended = Appended { stream: index, sequence, duplicate: known.is_some(), tick };
        if appended.duplicate {
            return appended;
        }
        stream.last = sequence;
        if let Some(id) = prepared.id {
            stream.window.note(id, sequence, now);
        }
        let event = prepared.event.clone();
        stream.keep(Kept { event: event.clone(), published_at: now, tick }, limit, durable);
        for reader in &stream.readers {
            if let Some(position) = self.consumers.get_mut(*reader) {
                position.appeared(&event.subject, sequence, wakes);
            }
        }
        self.batch.events.push(EventRow {
            stream: stream.id,
            sequence,
            position: tick,
            published_at: now.0,
            id: prepared.id,
            correlation: prepared.correlation,
            event,
        });
        appended
    }

    /// What a publisher is told.
    pub(crate) fn receipt(&self, appended: Appended) -> Receipt {
        let stream = self.log.streams.get(appended.stream);
        Receipt {
            stream: stream.map_or_else(String::new, |stream| stream.config.name.clone()),
            incarnation: stream.map_or(0, |stream| stream.incarnation),
            sequence: appended.sequence,
            duplicate: appended.duplicate,
            watermark: Watermark(appended.tick),
        }
    }

    /// Every consumer of the stream has settled what it wanted up to here.
    pub(crate) fn settled_by_all(&self, index: usize) -> u64 {
        let Some(stream) = self.log.streams.get(index) else { return 0 };
        let readers = stream.readers.iter().filter_map(|reader| self.consumers.get(*reader));
        readers.map(super::position::Position::settled_to).min().unwrap_or(stream.last)
    }

    /// Up to where each stream may be deleted at `now`.
    pub(crate) fn trims(&self, now: Millis) -> Vec<Trim> {
        let trim = |(index, stream): (usize, &Stream)| {
            let age = stream.config.max_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            Trim {
                stream: stream.id,
                last: stream.last,
                settled: self.settled_by_all(index),
                published_before: age.map_or(0, |age| now.0.saturating_sub(age)),
                surplus: stream.surplus(),
            }
        };
        self.log.streams.iter().enumerate().map(trim).collect()
    }
}
