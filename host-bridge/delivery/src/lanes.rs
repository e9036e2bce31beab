//! What is held: one lane a key, events in it in order. Every operation is O(1); a lane lives while it holds something.

use crate::message::Message;
use crate::millis::Millis;
use rustc_hash::FxHashMap;

/// Names an event that a machine holds, from its arrival until it is settled; then the name is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// Its number: small and dense, fit for an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Behind an earlier event of its key.
    Behind,
    /// May be handed out.
    Ready,
    /// Handed out, without an answer yet.
    InFlight { probe: bool },
    /// Answered; the settlement is under way.
    Settling,
    /// Answered; the failure is being noted, then it waits until `at`.
    Noting { at: Millis, failed: bool },
    /// Waits, and its key with it.
    Waiting,
}

/// What an event holds of what is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Holds {
    /// Nothing: it was not handed out, or it waits.
    #[default]
    Nothing,
    /// A permit of the component's concurrency, until it is answered, or its failure is noted.
    Permit,
    /// A place among those whose settlement is under way.
    Settling,
}

/// One event that is held.
#[derive(Debug)]
pub struct Entry {
    /// The event and its counts.
    pub message: Message,
    /// How it stands.
    pub state: State,
    /// What it holds of what is limited.
    pub holds: Holds,
    lane: u32,
    next: Option<Slot>,
}

#[derive(Debug, Default)]
struct Lane {
    key: Option<Box<str>>,
    replay: bool,
    first: Option<Slot>,
    last: Option<Slot>,
}

/// All lanes of one source.
#[derive(Debug, Default)]
pub struct Lanes {
    entries: Vec<Option<Entry>>,
    free_entries: Vec<u32>,
    lanes: Vec<Lane>,
    free_lanes: Vec<u32>,
    by_key: FxHashMap<Box<str>, u32>,
    /// Replayed dead letters are a source of their own, so their order is apart too.
    by_replay_key: FxHashMap<Box<str>, u32>,
    bytes: usize,
}

impl Lanes {
    /// Events held.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free_entries.len()
    }

    /// Bytes of the bodies held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds `message` at the end of its key's lane; tells whether it is the first there. Without a key it gets a lane
    /// of its own.
    pub fn push(&mut self, message: Message, key: Option<&str>) -> (Slot, bool) {
        let lane = self.lane_of(message.replay > 0, key);
        self.bytes += message.event.body.len();
        let slot = self.store(Entry { message, state: State::Behind, holds: Holds::Nothing, lane, next: None });
        let Some(lane) = self.lanes.get_mut(lane as usize) else { return (slot, true) };
        let before = lane.last.replace(slot);
        if before.is_none() {
            lane.first = Some(slot);
        }
        if let Some(entry) = before.and_then(|before| self.get_mut(before)) {
            entry.next = Some(slot);
        }
        (slot, before.is_none())
    }

    /// Removes the first event of its lane; tells which is first now.
    pub fn pop(&mut self, slot: Slot) -> Option<Slot> {
        let entry = self.entries.get_mut(slot.index())?.take()?;
        self.free_entries.push(slot.0);
        self.bytes -= entry.message.event.body.len();
        let lane = self.lanes.get_mut(entry.lane as usize)?;
        lane.first = entry.next;
        if entry.next.is_none() {
            let Lane { key, replay, .. } = std::mem::take(lane);
            self.free_lanes.push(entry.lane);
            if let Some(key) = key {
                if replay { &mut self.by_replay_key } else { &mut self.by_key }.remove(&key);
            }
        }
        entry.next
    }

    /// The event at `slot`.
    pub fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot.index())?.as_ref()
    }

    /// The event at `slot`, to change.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(slot.index())?.as_mut()
    }

    /// The key of the event at `slot`; `None` where it has none.
    pub fn key(&self, slot: Slot) -> Option<&str> {
        self.lanes.get(self.get(slot)?.lane as usize)?.key.as_deref()
    }

    /// All that is held, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }

    fn store(&mut self, entry: Entry) -> Slot {
        if let Some(index) = self.free_entries.pop()
            && let Some(place) = self.entries.get_mut(index as usize)
        {
            *place = Some(entry);
            return Slot(index);
        }
        self.entries.push(Some(entry));
        Slot(u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX))
    }

    fn lane_of(&mut self, replay: bool, key: Option<&str>) -> u32 {
        let by_key = if replay { &mut self.by_replay_key } else { &mut self.by_key };
        if let Some(lane) = key.and_then(|key| by_key.get(key)) {
            return *lane;
        }
        let key: Option<Box<str>> = key.map(Into::into);
        let index = self.free_lanes.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::default());
            u32::try_from(self.lanes.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(key) = &key {
            by_key.insert(key.clone(), index);
        }
        if let Some(lane) = self.lanes.get_mut(index as usize) {
            *lane = Lane { key, replay, first: None, last: None };
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::message;

    fn replayed(sequence: u64) -> Message {
        Message { replay: 1, ..message(sequence) }
    }

    #[test]
    fn what_is_held_is_counted_and_weighed() {
        let mut lanes = Lanes::default();
        let (first, second) = (message(1), message(22));
        let bytes = [first.event.body.len(), second.event.body.len()];
        let (one, _) = lanes.push(first, Some("a"));
        let (two, _) = lanes.push(second, None);
        assert_eq!((lanes.len(), lanes.bytes()), (2, bytes[0] + bytes[1]));
        lanes.pop(one);
        assert_eq!((lanes.len(), lanes.bytes()), (1, bytes[1]));
        lanes.pop(two);
        assert_eq!((lanes.len(), lanes.bytes(), lanes.iter().count()), (0, 0, 0));
    }

    #[test]
    fn a_lane_is_its_key_and_lives_while_it_holds_something() {
        let mut lanes = Lanes::default();
        let (first, is_first) = lanes.push(message(1), Some("a"));
        let (second, behind) = lanes.push(message(2), Some("a"));
        let (other, beside) = lanes.push(message(3), Some("b"));
        assert!(is_first && !behind && beside);
        assert_eq!(lanes.key(second), Some("a"));
        assert_eq!(lanes.pop(first), Some(second));
        assert_eq!(lanes.pop(second), None);
        assert_eq!((lanes.get(second).is_none(), lanes.key(second)), (true, None));
        let (_, anew) = lanes.push(message(4), Some("a"));
        assert!(anew, "nothing of the key is held");
        assert_eq!(lanes.key(other), Some("b"));
    }

    #[test]
    fn replays_and_events_without_a_key_are_in_nobodys_way() {
        let mut lanes = Lanes::default();
        let (event, _) = lanes.push(message(1), Some("a"));
        let (replay, first) = lanes.push(replayed(2), Some("a"));
        assert!(first && lanes.push(message(3), None).1 && lanes.push(message(4), None).1);
        assert!(!lanes.push(replayed(5), Some("a")).1 && !lanes.push(message(6), Some("a")).1);
        assert_eq!(lanes.pop(event).and_then(|next| Some(lanes.get(next)?.message.sequence)), Some(6));
        assert_eq!(lanes.pop(replay).and_then(|next| Some(lanes.get(next)?.message.sequence)), Some(5));
    }

    #[test]
    fn names_and_lanes_of_what_is_gone_are_used_again() {
        let mut lanes = Lanes::default();
        for round in 0..100 {
            let (slot, _) = lanes.push(message(round), Some(&format!("key-{round}")));
            assert_eq!(slot.index(), 0, "one is held at a time");
            lanes.pop(slot);
        }
        assert_eq!((lanes.entries.len(), lanes.lanes.len(), lanes.by_key.len()), (1, 1, 0));
    }
}
