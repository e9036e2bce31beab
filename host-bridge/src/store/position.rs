//! One durable consumer: how far it has read, what of that is unsettled.
//!
//! Its row holds the cursor and the *unsettled* messages below it. The settled ones above a stuck one could be
//! millions; the unsettled ones are as many as are in hand.

use super::batch::ConsumerRow;
use super::log::{Stream, Wakes};
use super::pending::{self, Pending, Replay};
use crate::bus::{ConsumerConfig, Message, Start};
use crate::clock::Millis;
use crate::event::Event;
use crate::subject::{Subject, SubjectPattern};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

/// Unsettled messages of one consumer: past it nothing more is handed out until some are settled.
pub(crate) const MAX_OUTSTANDING: usize = 16_384;
/// Subjects whose match is remembered.
const REMEMBERED_MATCHES: usize = 1024;

/// One durable consumer.
#[derive(Debug)]
pub(crate) struct Position {
    pub id: u64,
    pub component: Arc<str>,
    /// Index of its stream.
    pub stream: usize,
    pub filters: Vec<Filter>,
    pub paused: bool,
    /// Every matching event up to here was handed out or skipped.
    pub cursor: u64,
    pub outstanding: BTreeMap<u64, Pending>,
    pub replays: BTreeMap<u64, Replay>,
    /// Messages of an earlier life, to be handed out again.
    pub again: VecDeque<u64>,
    /// Replays to be handed out.
    pub replay_queue: VecDeque<u64>,
    /// Someone holds it.
    pub open: bool,
    /// Its holder sleeps until something is there.
    pub waiting: bool,
    /// Its row is to be written at the next flush.
    pub dirty: bool,
    /// The cursor moved, over events it does not want: to be written some time.
    pub moved: bool,
    pub wake: Arc<Notify>,
    /// The stream's end when the process started: until it is settled, the backlog is not drained.
    pub backlog_end: u64,
    /// Matching events after the cursor; of those up to `counted_from`, all count as matching.
    pub unread: u64,
    pub counted_from: u64,
    matches: FxHashMap<Subject, Option<u64>>,
}

/// A subscription: what it covers, from which sequence on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    pub pattern: String,
    pub from: u64,
}

/// An event of the log with its place, as it is read back.
#[derive(Debug, Clone)]
pub(crate) struct LogRow {
    pub sequence: u64,
    pub published_at: Millis,
    pub event: Arc<Event>,
}

/// Events read ahead from disk: all that lie in (…, `end`].
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub rows: VecDeque<LogRow>,
    pub end: u64,
}

/// What a consumer's holder does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Here they are.
    Messages(Vec<Message>),
    /// Sleep until woken.
    Wait,
    /// Read events in (`after`, `until`] from disk.
    ReadLog { after: u64, until: u64 },
    /// Read these events of the stream from disk.
    ReadAgain(Vec<u64>),
    /// Read these replays from disk.
    ReadReplays(Vec<u64>),
}

impl Position {
    pub(crate) fn new(id: u64, component: &str, stream: usize) -> Self {
        Self {
            id,
            component: component.into(),
            stream,
            filters: Vec::new(),
            paused: false,
            cursor: 0,
            outstanding: BTreeMap::new(),
            replays: BTreeMap::new(),
            again: VecDeque::new(),
            replay_queue: VecDeque::new(),
            open: false,
            waiting: false,
            dirty: true,
            moved: false,
            wake: Arc::new(Notify::new()),
            backlog_end: 0,
            unread: 0,
            counted_from: 0,
            matches: FxHashMap::default(),
        }
    }

    /// A new consumer on a stream whose events are `first..=last`.
    pub(crate) fn start(&mut self, config: &ConsumerConfig, first: u64, last: u64) {
        let all = config.filters.iter().any(|(_, start)| *start == Start::All);
        self.cursor = if all { first.saturating_sub(1) } else { last };
        self.filters = config.filters.iter().map(|filter| Filter::starting(filter, last)).collect();
        self.matches.clear();
    }

    /// Takes the configuration's filters; returns the patterns that are new to it and want old events too.
    pub(crate) fn refilter(&mut self, config: &ConsumerConfig, last: u64) -> Vec<SubjectPattern> {
        let known = |pattern: &SubjectPattern| self.filters.iter().find(|filter| filter.pattern == pattern.as_str());
        let mut backfill = Vec::new();
        let mut filters = Vec::new();
        for wanted in &config.filters {
            filters.push(known(&wanted.0).cloned().unwrap_or_else(|| {
                if wanted.1 == Start::All {
                    backfill.push(wanted.0.clone());
                }
                Filter { pattern: wanted.0.as_str().to_owned(), from: last + 1 }
            }));
        }
        self.dirty |= filters != self.filters;
        self.filters = filters;
        self.matches.clear();
        backfill
    }

    /// Every matching event up to here is settled.
    pub(crate) fn settled_to(&self) -> u64 {
        self.outstanding.keys().next().map_or(self.cursor, |first| first - 1)
    }

    /// Every matching event up to `end` is settled.
    pub(crate) fn has_settled(&self, end: u64) -> bool {
        self.outstanding.keys().next().is_none_or(|first| *first > end) && (self.unread == 0 || self.cursor >= end)
    }

    /// What was there when the process started is settled.
    pub(crate) fn drained(&self) -> bool {
        self.settled_to() >= self.backlog_end
    }

    /// Whether it wants an event.
    pub(crate) fn wants(&mut self, subject: &Subject, sequence: u64) -> bool {
        let from = match self.matches.get(subject) {
            Some(from) => *from,
            None => {
                let covers = |filter: &&Filter| {
                    SubjectPattern::new(&filter.pattern).is_ok_and(|pattern| pattern.matches(subject.as_str()))
                };
                let from = self.filters.iter().filter(covers).map(|filter| filter.from).min();
                if self.matches.len() >= REMEMBERED_MATCHES {
                    self.matches.clear();
                }
                self.matches.insert(subject.clone(), from);
                from
            }
        };
        from.is_some_and(|from| from <= sequence)
    }

    /// An event was published.
    pub(crate) fn appeared(&mut self, subject: &Subject, sequence: u64, wakes: &mut Wakes) {
        if !self.wants(subject, sequence) {
            return;
        }
        self.unread += 1;
        self.wake_into(wakes);
    }

    /// There is something that could be handed out now.
    pub(crate) fn has_more(&self) -> bool {
        self.unread > 0 || !self.again.is_empty() || !self.replay_queue.is_empty()
    }

    /// Wakes its holder, if it sleeps.
    pub(crate) fn wake_into(&mut self, wakes: &mut Wakes) {
        if std::mem::take(&mut self.waiting) {
            wakes.push(self.wake.clone());
        }
    }

    /// What its holder does next: takes at most `max` messages, from memory or the page that was read ahead.
    pub(crate) fn step(&mut self, max: usize, stream: &Stream, page: &mut Page) -> Step {
        let room = MAX_OUTSTANDING.saturating_sub(self.outstanding.len());
        if self.paused || (room == 0 && self.again.is_empty()) {
            self.waiting = true;
            return Step::Wait;
        }
        if !self.again.is_empty() {
            return Step::ReadAgain(self.again.iter().take(max).copied().collect());
        }
        if !self.replay_queue.is_empty() {
            return Step::ReadReplays(self.replay_queue.iter().take(max).copied().collect());
        }
        self.step_log(max.min(room), stream, page)
    }

    fn step_log(&mut self, max: usize, stream: &Stream, page: &mut Page) -> Step {
        let mut taken = Vec::new();
        while taken.len() < max && self.cursor < stream.last {
            if let Some(kept) = stream.kept(self.cursor + 1) {
                self.pass(self.cursor + 1, &kept.event, kept.published_at, &mut taken);
                continue;
            }
            while page.rows.front().is_some_and(|row| row.sequence <= self.cursor) {
                page.rows.pop_front();
            }
            if let Some(row) = page.rows.pop_front() {
                self.pass(row.sequence, &row.event, row.published_at, &mut taken);
            } else if page.end > self.cursor {
                self.cursor = page.end;
            } else if taken.is_empty() {
                return Step::ReadLog { after: self.cursor, until: stream.tail_first() - 1 };
            } else {
                break;
            }
        }
        if self.cursor == stream.last {
            // Deleted events were counted too, and never passed.
            self.unread = 0;
        }
        if taken.is_empty() {
            self.waiting = true;
            return Step::Wait;
        }
        Step::Messages(taken)
    }

    /// Moves the cursor over an event, handing it out if it is wanted.
    fn pass(&mut self, sequence: u64, event: &Arc<Event>, published_at: Millis, taken: &mut Vec<Message>) {
        self.cursor = sequence;
        self.moved = true;
        let wanted = self.wants(&event.subject, sequence);
        if wanted || sequence <= self.counted_from {
            self.unread = self.unread.saturating_sub(1);
        }
        if !wanted {
            return;
        }
        self.outstanding.insert(sequence, Pending { published_at: published_at.0, ..Pending::default() });
        taken.push(message(sequence, event, &Pending::default(), 0));
    }

    /// Hands out what [`Step::ReadAgain`] asked for.
    pub(crate) fn deliver_again(&mut self, asked: &[u64], rows: Vec<LogRow>) -> Vec<Message> {
        self.again.drain(..asked.len().min(self.again.len()));
        let mut taken = Vec::new();
        for row in rows {
            if let Some(pending) = self.outstanding.get_mut(&row.sequence) {
                pending.published_at = row.published_at.0;
                taken.push(message(row.sequence, &row.event, pending, 0));
            }
        }
        for sequence in asked {
            if self.outstanding.contains_key(sequence) && !taken.iter().any(|found| found.sequence == *sequence) {
                tracing::error!(component = &*self.component, sequence, "an unsettled event is missing in the log");
                self.outstanding.remove(sequence);
            }
        }
        taken
    }

    /// Hands out what [`Step::ReadReplays`] asked for.
    pub(crate) fn deliver_replays(&mut self, asked: &[u64], rows: Vec<(u64, Arc<Event>)>) -> Vec<Message> {
        self.replay_queue.drain(..asked.len().min(self.replay_queue.len()));
        let of = |(sequence, event): (u64, Arc<Event>)| {
            let replay = self.replays.get(&sequence)?;
            Some(message(sequence, &event, &replay.pending, replay.number))
        };
        rows.into_iter().filter_map(of).collect()
    }

    /// What is known of a message, while it is unsettled.
    pub(crate) fn pending_mut(&mut self, message: &Message) -> Option<&mut Pending> {
        self.dirty = true;
        match message.replay {
            0 => self.outstanding.get_mut(&message.sequence),
            _ => self.replays.get_mut(&message.sequence).map(|replay| &mut replay.pending),
        }
    }

    /// A new holder sees everything unsettled again.
    pub(crate) fn opened(&mut self) {
        self.open = true;
        self.waiting = false;
        self.again = self.outstanding.keys().copied().collect();
        self.replay_queue = self.replays.keys().copied().collect();
    }

    /// Its row, as of now.
    pub(crate) fn row(&mut self, stream: u32) -> ConsumerRow {
        self.dirty = false;
        self.moved = false;
        ConsumerRow {
            id: self.id,
            component: self.component.clone(),
            stream,
            filters: serde_json::to_string(&self.filters).unwrap_or_default(),
            paused: self.paused,
            cursor: self.cursor,
            pending: pending::encode(&self.outstanding, &self.replays),
        }
    }
}

impl Filter {
    fn starting((pattern, start): &(SubjectPattern, Start), last: u64) -> Self {
        let from = if *start == Start::All { 0 } else { last + 1 };
        Self { pattern: pattern.as_str().to_owned(), from }
    }
}

fn message(sequence: u64, event: &Arc<Event>, pending: &Pending, replay: u32) -> Message {
    Message {
        sequence,
        event: event.clone(),
        failures: pending.failures,
        unanswered: pending.unanswered,
        not_before: (pending.not_before > 0).then_some(Millis(pending.not_before)),
        replay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::StreamConfig;
    use crate::event::Headers;

    fn row(sequence: u64, subject: &str) -> LogRow {
        let event = Event::new(Subject::new(subject).unwrap(), bytes::Bytes::new(), Headers::default());
        LogRow { sequence, published_at: Millis(1), event: Arc::new(event) }
    }

    #[test]
    fn a_backlog_counts_down_to_nothing_over_events_it_does_not_want() {
        let subjects = vec![SubjectPattern::new("order.>").unwrap()];
        let config = StreamConfig { name: "ORDERS".into(), subjects, max_age: None, max_messages: None };
        let mut stream = Stream::new(1, config, 1);
        stream.last = 4;
        let filters = vec![(SubjectPattern::new("order.paid").unwrap(), Start::All)];
        let mut position = Position::new(1, "one", 0);
        position.start(&ConsumerConfig { component: "one".into(), stream: "ORDERS".into(), filters }, 1, 4);
        (position.unread, position.counted_from) = (4, 4);
        // The third was deleted meanwhile.
        let rows = [row(1, "order.created"), row(2, "order.paid"), row(4, "order.created")];
        let mut page = Page { rows: rows.into(), end: 4 };
        assert!(matches!(position.step(1, &stream, &mut page), Step::Messages(taken) if taken.len() == 1));
        assert_eq!(position.unread, 2);
        assert!(matches!(position.step(1, &stream, &mut page), Step::Wait));
        assert_eq!((position.unread, position.cursor), (0, 4));
    }
}
