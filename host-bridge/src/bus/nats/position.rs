//! One consumer's position in memory: pure, and the same model as the embedded one (cursor, and what is unsettled below).

use super::filters::Filters;
use super::record::{Record, Unsettled};
use crate::bus::Message;
use crate::clock::Millis;
use crate::event::Event;
use crate::store::pending::{Pending, Replay};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Position {
    filters: Filters,
    cursor: u64,
    replay_cursor: u64,
    outstanding: BTreeMap<u64, Pending>,
    replays: BTreeMap<u64, Replay>,
    again: VecDeque<u64>,
    replays_again: VecDeque<u64>,
}

impl Position {
    /// The position that was written; everything unsettled is handed out again, before anything new.
    pub(super) fn restored(record: &Record) -> Self {
        let outstanding: BTreeMap<_, _> = by_sequence(&record.outstanding).collect();
        let replay = |(sequence, pending)| (sequence, Replay { origin: 0, number: 0, pending });
        let replays: BTreeMap<_, _> = by_sequence(&record.replays).map(replay).collect();
        Self {
            filters: record.filters.clone(),
            cursor: record.cursor,
            replay_cursor: record.replay_cursor,
            again: outstanding.keys().copied().collect(),
            replays_again: replays.keys().copied().collect(),
            outstanding,
            replays,
        }
    }

    /// Writes itself into `record`.
    pub(super) fn store(&self, record: &mut Record) {
        record.filters = self.filters.clone();
        record.cursor = self.cursor;
        record.replay_cursor = self.replay_cursor;
        let unsettled =
            |(sequence, pending): (&u64, &Pending)| Unsettled { sequence: *sequence, pending: pending.clone() };
        record.outstanding = self.outstanding.iter().map(unsettled).collect();
        let replays = self.replays.iter().map(|(sequence, replay)| (sequence, &replay.pending));
        record.replays = replays.map(unsettled).collect();
    }

    /// Subscribes to `filters` from now on.
    pub(super) fn refilter(&mut self, filters: Filters) {
        self.filters = filters;
    }

    /// What it subscribes to.
    pub(super) fn filters(&self) -> &Filters {
        &self.filters
    }

    /// How far it has read.
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// How far it has read its replays.
    pub(super) fn replay_cursor(&self) -> u64 {
        self.replay_cursor
    }

    /// Messages that are not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.outstanding.len()
    }

    /// The highest of them; 0 where there is none.
    pub(super) fn last_unsettled(&self) -> u64 {
        self.outstanding.last_key_value().map_or(0, |(last, _)| *last)
    }

    /// Whether everything up to `sequence` was read and settled.
    pub(super) fn is_settled_to(&self, sequence: u64) -> bool {
        self.cursor >= sequence && self.outstanding.keys().next().is_none_or(|first| *first > sequence)
    }

    /// An event was read: the message to hand out, where it is wanted.
    pub(super) fn pass(&mut self, sequence: u64, event: &Arc<Event>) -> Option<Message> {
        if sequence <= self.cursor {
            return None;
        }
        self.cursor = sequence;
        if !self.filters.want(event.subject.as_str(), sequence) {
            return None;
        }
        let pending = self.outstanding.entry(sequence).or_default();
        Some(message(sequence, event, pending, 0))
    }

    /// A replay was read: number `number` of what lay at `origin`.
    pub(super) fn pass_replay(&mut self, sequence: u64, (origin, number): (u64, u32), event: &Arc<Event>) -> Message {
        self.replay_cursor = self.replay_cursor.max(sequence);
        let replay = self.replays.entry(sequence).or_default();
        (replay.origin, replay.number) = (origin, number);
        message(sequence, event, &replay.pending, number)
    }

    /// Unsettled messages of an earlier holder that are to be read again, at most `max`, and whether they are replays.
    pub(super) fn again(&self, max: usize) -> (Vec<u64>, bool) {
        let replays = self.again.is_empty();
        let queue = if replays { &self.replays_again } else { &self.again };
        (queue.iter().take(max).copied().collect(), replays)
    }

    /// One of those was read: the message to hand out, or, where its event is gone, none ever.
    pub(super) fn deliver_again(&mut self, sequence: u64, event: Option<&Arc<Event>>) -> Option<Message> {
        self.again.retain(|waiting| *waiting != sequence);
        let Some(event) = event else {
            self.outstanding.remove(&sequence);
            return None;
        };
        self.outstanding.get(&sequence).map(|pending| message(sequence, event, pending, 0))
    }

    /// The same for a replay.
    pub(super) fn deliver_replay_again(
        &mut self,
        sequence: u64,
        found: Option<((u64, u32), &Arc<Event>)>,
    ) -> Option<Message> {
        self.replays_again.retain(|waiting| *waiting != sequence);
        let Some((place, event)) = found else {
            self.replays.remove(&sequence);
            return None;
        };
        self.replays.contains_key(&sequence).then(|| self.pass_replay(sequence, place, event))
    }

    /// Counts a hand-out.
    pub(super) fn count(&mut self, message: &Message) {
        if let Some(pending) = self.pending_mut(message) {
            pending.unanswered = pending.unanswered.saturating_add(1);
            pending.live = true;
        }
    }

    /// Takes a hand-out of this life back: it was answered, or never will be.
    pub(super) fn take_back(&mut self, message: &Message) {
        if let Some(pending) = self.pending_mut(message) {
            answered(pending);
        }
    }

    /// The message waits until `at`; `failed` counts a failure.
    pub(super) fn wait(&mut self, message: &Message, at: Millis, failed: bool) {
        if let Some(pending) = self.pending_mut(message) {
            answered(pending);
            pending.failures = pending.failures.saturating_add(u32::from(failed));
            pending.not_before = at.0;
        }
    }

    /// Whether the message is settled already.
    pub(super) fn is_settled(&self, message: &Message) -> bool {
        match message.replay {
            0 => !self.outstanding.contains_key(&message.sequence),
            _ => !self.replays.contains_key(&message.sequence),
        }
    }

    /// Settles the message.
    pub(super) fn settle(&mut self, message: &Message) {
        match message.replay {
            0 => drop(self.outstanding.remove(&message.sequence)),
            _ => drop(self.replays.remove(&message.sequence)),
        }
    }

    /// Where the message lay in the stream before it was replayed, if it was.
    pub(super) fn origin(&self, message: &Message) -> u64 {
        let replay = self.replays.get(&message.sequence).filter(|_| message.replay > 0);
        replay.map_or(message.sequence, |replay| replay.origin)
    }

    fn pending_mut(&mut self, message: &Message) -> Option<&mut Pending> {
        match message.replay {
            0 => self.outstanding.get_mut(&message.sequence),
            _ => self.replays.get_mut(&message.sequence).map(|replay| &mut replay.pending),
        }
    }
}

impl Record {
    /// Every matching event up to here is settled.
    pub(super) fn settled_to(&self) -> u64 {
        let first = self.outstanding.iter().map(|unsettled| unsettled.sequence).min();
        first.map_or(self.cursor, |first| first.saturating_sub(1))
    }
}

fn by_sequence(unsettled: &[Unsettled]) -> impl Iterator<Item = (u64, Pending)> {
    unsettled.iter().map(|one| (one.sequence, one.pending.clone()))
}

fn answered(pending: &mut Pending) {
    let live = std::mem::take(&mut pending.live);
    pending.unanswered = pending.unanswered.saturating_sub(u32::from(live));
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
    use crate::bus::Start;
    use crate::bus::contract::event;
    use crate::subject::SubjectPattern;

    fn position() -> Position {
        let mut position = Position::default();
        position.refilter(Filters::starting(&[(SubjectPattern::new("order.*").unwrap(), Start::All)], 0));
        position
    }

    fn again(position: &Position) -> Position {
        let mut record = Record::default();
        position.store(&mut record);
        let text = serde_json::to_string(&record).unwrap();
        Position::restored(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn what_is_unsettled_comes_again_with_its_counts_before_anything_new() {
        let mut position = position();
        let one = event("order.created", "a");
        let messages: Vec<_> = (1..=4).filter_map(|sequence| position.pass(sequence, &one)).collect();
        assert_eq!(messages.len(), 4);
        position.settle(&messages[0]);
        position.settle(&messages[2]);
        position.count(&messages[1]);
        position.wait(&messages[1], Millis(99), true);
        position.count(&messages[3]);
        let mut next = again(&position);
        assert_eq!(next.again(10), (vec![2, 4], false));
        let second = next.deliver_again(2, Some(&one)).unwrap();
        assert_eq!((second.failures, second.unanswered, second.not_before), (1, 0, Some(Millis(99))));
        let fourth = next.deliver_again(4, Some(&one)).unwrap();
        assert_eq!((fourth.failures, fourth.unanswered, fourth.not_before), (0, 1, None));
        assert!(next.pass(4, &one).is_none(), "it was read before");
        assert!(next.pass(5, &one).is_some());
        assert!(!next.is_settled_to(4));
    }

    #[test]
    fn an_unsettled_event_that_is_gone_is_given_up() {
        let mut position = position();
        position.pass(1, &event("order.created", "a"));
        let mut next = again(&position);
        assert!(next.deliver_again(1, None).is_none());
        assert!(next.is_settled_to(1));
    }

    #[test]
    fn a_replay_keeps_its_origin_and_comes_again() {
        let mut position = position();
        let one = event("order.created", "a");
        let message = position.pass_replay(9, (3, 2), &one);
        assert_eq!((position.origin(&message), message.replay), (3, 2));
        position.count(&message);
        let mut next = again(&position);
        assert_eq!(next.again(10), (vec![9], true));
        let message = next.deliver_replay_again(9, Some(((3, 2), &one))).unwrap();
        assert_eq!((message.unanswered, message.replay, next.origin(&message)), (1, 2, 3));
        next.settle(&message);
        assert!(next.is_settled(&message));
        assert_eq!(again(&next).replay_cursor(), 9);
    }
}
