//! What the simulated bus keeps: a value that can be copied, so that a flush is a copy and a crash is one back.

use crate::bus::{
    BusError, ConsumerConfig, ConsumerStatus, DeadLetter, DeadLetterCause, Message, Receipt, Settlement, Start,
    StreamConfig, TimerRule,
};
use crate::clock::Millis;
use crate::dispatch::{Effect, Timer};
use crate::durability::Watermark;
use crate::event::Event;
use crate::subject::SubjectPattern;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The incarnation of every stream: the simulation recreates none.
const INCARNATION: u64 = 1;

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub version: u64,
    pub letters: Vec<DeadLetter>,
    streams: Vec<Stream>,
    durables: BTreeMap<String, Durable>,
    timers: BTreeMap<(String, String, String), Timer>,
    spent_timers: BTreeSet<(String, String, String, String)>,
    fresh: Vec<Arc<Event>>,
    last_stream: Option<usize>,
}

#[derive(Debug, Clone)]
struct Stream {
    config: StreamConfig,
    log: Vec<(Arc<Event>, Millis)>,
    ids: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Durable {
    pub paused: bool,
    component: String,
    stream: String,
    /// Pattern, and the sequence after which it holds.
    filters: Vec<(SubjectPattern, u64)>,
    /// Settled, of the stream (`false`) and of the replays (`true`).
    settled: BTreeSet<(bool, u64)>,
    counts: BTreeMap<(bool, u64), Counts>,
    replays: Vec<(Arc<Event>, u32)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    failures: u32,
    unanswered: u32,
    not_before: Option<Millis>,
}

/// Which of a consumer's messages.
pub(super) fn place(message: &Message) -> (bool, u64) {
    (message.replay > 0, message.sequence)
}

impl State {
    pub(super) fn new(streams: Vec<StreamConfig>) -> Self {
        let stream = |config| Stream { config, log: Vec::new(), ids: BTreeMap::new() };
        Self { streams: streams.into_iter().map(stream).collect(), ..Self::default() }
    }

    pub(super) fn events(&self) -> usize {
        self.streams.iter().map(|stream| stream.log.len()).sum()
    }

    /// When the first timer is due, if nothing holds it up.
    pub(super) fn first_timer(&self) -> Option<Millis> {
        self.timers.values().map(|timer| timer.fire_at).min()
    }

    pub(super) fn log(&self, name: &str) -> Vec<Arc<Event>> {
        let streams = self.streams.iter().filter(|stream| stream.config.name == name);
        streams.flat_map(|stream| stream.log.iter().map(|(event, _)| event.clone())).collect()
    }

    pub(super) fn take_fresh(&mut self) -> Vec<Arc<Event>> {
        std::mem::take(&mut self.fresh)
    }

    pub(super) fn publish(&mut self, event: &Arc<Event>, now: Millis) -> Result<Receipt, BusError> {
        let subject = event.subject.as_str();
        let takes = |stream: &Stream| stream.config.subjects.iter().any(|pattern| pattern.matches(subject));
        let index = self.streams.iter().position(takes);
        let found = index.and_then(|index| self.streams.get_mut(index));
        let stream = found.ok_or_else(|| BusError::NoStream(subject.to_owned()))?;
        let known = event.id().and_then(|id| stream.ids.get(id)).copied();
        let sequence = known.unwrap_or_else(|| {
            stream.log.push((event.clone(), now));
            stream.end()
        });
        if known.is_none() {
            if let Some(id) = event.id() {
                stream.ids.insert(id.to_owned(), sequence);
            }
            self.fresh.push(event.clone());
            self.last_stream = index;
        }
        Ok(Receipt {
            stream: stream.config.name.clone(),
            incarnation: INCARNATION,
            sequence,
            duplicate: known.is_some(),
            watermark: Watermark(self.version + 1),
        })
    }

    /// How many timers are set.
    pub(super) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Stores an event once more.
    pub(super) fn copy(&mut self, event: &Arc<Event>, now: Millis) {
        let subject = event.subject.as_str();
        let takes = |stream: &&mut Stream| stream.config.subjects.iter().any(|pattern| pattern.matches(subject));
        if let Some(stream) = self.streams.iter_mut().find(takes) {
            stream.log.push((event.clone(), now));
        }
    }

    /// Stores the event published last once more.
    pub(super) fn copy_last(&mut self) {
        let stream = self.last_stream.and_then(|index| self.streams.get_mut(index));
        if let Some(stream) = stream
            && let Some(copy) = stream.log.last().cloned()
        {
            stream.log.push(copy);
        }
    }

    /// Opens a consumer; tells the end of its backlog.
    pub(super) fn open(&mut self, config: &ConsumerConfig) -> Result<u64, BusError> {
        let stream = self.stream(&config.stream)?;
        let end = stream.end();
        let durable = self.durables.entry(config.name()).or_default();
        durable.component.clone_from(&config.component);
        durable.stream.clone_from(&config.stream);
        let known = std::mem::take(&mut durable.filters);
        for (pattern, start) in &config.filters {
            let fresh = if *start == Start::All { 0 } else { end };
            let after = known.iter().find(|(known, _)| known == pattern).map_or(fresh, |(_, after)| *after);
            durable.filters.push((pattern.clone(), after));
        }
        let last = self.open_messages(&config.name(), (0, 0), usize::MAX)?.into_iter().rfind(|one| one.replay == 0);
        Ok(last.map_or(0, |message| message.sequence))
    }

    /// What the consumer still has to settle, past `after` in the stream and in the replays, at most `max`.
    pub(super) fn open_messages(&self, name: &str, after: (u64, u64), max: usize) -> Result<Vec<Message>, BusError> {
        let durable = self.durables.get(name).ok_or_else(|| BusError::NotFound(format!("consumer {name}")))?;
        let stream = self.stream(&durable.stream)?;
        let of_stream = past(&stream.log, after.0).filter(|(sequence, (event, _))| durable.wants(event, *sequence));
        let of_stream = of_stream.map(|(sequence, (event, _))| (sequence, event, 0));
        let of_replays = past(&durable.replays, after.1).map(|(sequence, (event, replay))| (sequence, event, *replay));
        let open = of_stream.chain(of_replays);
        let messages = open.filter(|(sequence, _, replay)| !durable.settled.contains(&(*replay > 0, *sequence)));
        Ok(messages.map(|(sequence, event, replay)| durable.message(sequence, event, replay)).take(max).collect())
    }

    pub(super) fn durable(&mut self, name: &str) -> Result<&mut Durable, BusError> {
        self.durables.get_mut(name).ok_or_else(|| BusError::NotFound(format!("consumer {name}")))
    }

    /// Carries effects or the dead letter out; acknowledges unless the acknowledgement is `forgotten`.
    pub(super) fn settle(
        &mut self,
        name: &str,
        message: &Message,
        (settlement, forgotten): (&Settlement, bool),
        now: Millis,
    ) -> Result<(), BusError> {
        let durable = self.durable(name)?;
        if durable.settled.contains(&place(message)) {
            return Ok(());
        }
        let (component, stream) = (durable.component.clone(), durable.stream.clone());
        match settlement {
            Settlement::Done(effects) => self.carry_out(&component, effects, now)?,
            Settlement::DeadLetter(cause) => self.bury(message, cause, (component, stream), now),
        }
        if !forgotten {
            let durable = self.durable(name)?;
            durable.settled.insert(place(message));
            durable.counts.remove(&place(message));
        }
        Ok(())
    }

    fn carry_out(&mut self, component: &str, effects: &[Effect], now: Millis) -> Result<(), BusError> {
        for effect in effects {
            match effect {
                Effect::Publish(event) => {
                    self.publish(event, now)?;
                }
                Effect::SetTimer(timer) => self.set_timer(component, timer),
                Effect::CancelTimer { aggregate, name } => self.spend_timer(component, aggregate, name),
            }
        }
        Ok(())
    }

    fn bury(&mut self, message: &Message, cause: &DeadLetterCause, (component, stream): (String, String), now: Millis) {
        let id = format!("{component}/{stream}/{}/{}", message.sequence, message.replay);
        if self.letters.iter().any(|letter| letter.id == id) {
            return;
        }
        self.letters.push(DeadLetter {
            id,
            component,
            stream,
            sequence: message.sequence,
            replay: message.replay,
            event: message.event.clone(),
            cause: cause.clone(),
            died_at: now,
        });
    }

    fn set_timer(&mut self, component: &str, timer: &Timer) {
        let key = (component.to_owned(), timer.aggregate.clone(), timer.name.clone());
        let spent = (key.0.clone(), key.1.clone(), key.2.clone(), timer.cause.clone());
        if !self.spent_timers.contains(&spent) {
            self.timers.insert(key, timer.clone());
        }
    }

    fn spend_timer(&mut self, component: &str, aggregate: &str, name: &str) {
        let key = (component.to_owned(), aggregate.to_owned(), name.to_owned());
        if let Some(timer) = self.timers.remove(&key) {
            self.spent_timers.insert((key.0, key.1, key.2, timer.cause));
        }
    }

    /// Publishes what is due; tells when the next is.
    pub(super) fn fire_due(&mut self, now: Millis, rule: TimerRule) -> Result<Option<Millis>, BusError> {
        loop {
            let due = |timer: &Timer| rule.due(timer.set_at, timer.fire_at);
            let next = self.timers.iter().min_by_key(|(key, timer)| (due(timer), (*key).clone()));
            let Some(((component, aggregate, name), timer)) = next else { return Ok(None) };
            if due(timer) > now {
                return Ok(Some(due(timer)));
            }
            let (component, aggregate, name) = (component.clone(), aggregate.clone(), name.clone());
            let event = timer.event.clone();
            self.publish(&event, now)?;
            self.spend_timer(&component, &aggregate, &name);
        }
    }

    pub(super) fn take_letter(&mut self, id: &str) -> Result<DeadLetter, BusError> {
        let at = self.letters.iter().position(|letter| letter.id == id);
        at.map(|at| self.letters.remove(at)).ok_or_else(|| BusError::NotFound(format!("dead letter {id}")))
    }

    pub(super) fn replay(&mut self, id: &str) -> Result<(), BusError> {
        let letter = self.take_letter(id)?;
        let durable = self.durable(&format!("{}/{}", letter.component, letter.stream))?;
        durable.replays.push((letter.event, letter.replay + 1));
        Ok(())
    }

    pub(super) fn statuses(&self, now: Millis) -> Vec<ConsumerStatus> {
        self.durables.iter().filter_map(|(name, durable)| self.status(name, durable, now).ok()).collect()
    }

    fn status(&self, name: &str, durable: &Durable, now: Millis) -> Result<ConsumerStatus, BusError> {
        let stream = self.stream(&durable.stream)?;
        let open = self.open_messages(name, (0, 0), usize::MAX)?;
        let first = open.iter().find(|message| message.replay == 0).map(|message| message.sequence);
        let index = first.and_then(|sequence| usize::try_from(sequence - 1).ok());
        let published = index.and_then(|index| stream.log.get(index)).map(|(_, at)| *at);
        Ok(ConsumerStatus {
            component: durable.component.clone(),
            stream: durable.stream.clone(),
            settled_to: first.map_or(stream.end(), |sequence| sequence - 1),
            pending: open.len() as u64,
            oldest_pending_ms: published.map_or(0, |at| now.0.saturating_sub(at.0)),
            paused: durable.paused,
        })
    }

    pub(super) fn correlated(&self, correlation_id: &str, limit: usize) -> Vec<Arc<Event>> {
        let all = self.streams.iter().flat_map(|stream| &stream.log);
        let of = |event: &Event| event.envelope().is_ok_and(|envelope| envelope.correlation_id == correlation_id);
        let mut found: Vec<_> = all.filter(|(event, _)| of(event)).collect();
        found.sort_by_key(|(_, at)| *at);
        found.into_iter().take(limit).map(|(event, _)| event.clone()).collect()
    }

    fn stream(&self, name: &str) -> Result<&Stream, BusError> {
        let stream = self.streams.iter().find(|stream| stream.config.name == name);
        stream.ok_or_else(|| BusError::NotFound(format!("stream {name}")))
    }
}

impl Stream {
    fn end(&self) -> u64 {
        self.log.len() as u64
    }
}

impl Durable {
    pub(super) fn count_hand_out(&mut self, place: (bool, u64)) {
        self.counts.entry(place).or_default().unanswered += 1;
    }

    pub(super) fn take_back(&mut self, place: (bool, u64)) {
        self.counts.entry(place).or_default().unanswered = 0;
    }

    pub(super) fn retry_at(&mut self, place: (bool, u64), at: Millis, failed: bool) {
        let counts = self.counts.entry(place).or_default();
        *counts = Counts { failures: counts.failures + u32::from(failed), unanswered: 0, not_before: Some(at) };
    }

    fn wants(&self, event: &Event, sequence: u64) -> bool {
        self.filters.iter().any(|(pattern, after)| sequence > *after && pattern.matches(event.subject.as_str()))
    }

    fn message(&self, sequence: u64, event: &Arc<Event>, replay: u32) -> Message {
        let counts = self.counts.get(&(replay > 0, sequence)).copied().unwrap_or_default();
        Message {
            sequence,
            event: event.clone(),
            failures: counts.failures,
            unanswered: counts.unanswered,
            not_before: counts.not_before,
            replay,
        }
    }
}

/// What comes after the first `after`, by number from 1.
fn past<T>(list: &[T], after: u64) -> impl Iterator<Item = (u64, &T)> {
    let rest = usize::try_from(after).ok().and_then(|after| list.get(after..)).unwrap_or_default();
    (after + 1..).zip(rest)
}
