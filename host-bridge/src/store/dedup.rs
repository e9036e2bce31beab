//! The deduplication window of one stream: ids published lately. An optimisation, so it is bounded in number too.

use super::hash::EventId;
use crate::clock::Millis;
use std::collections::{HashMap, VecDeque};

/// An id is remembered for two to three of these, in milliseconds.
const GENERATION_MS: u64 = 60_000;
/// Generations kept.
const GENERATIONS: usize = 3;
/// Ids of one generation: bounds memory under load, where the window shrinks.
const GENERATION_IDS: usize = 100_000;

/// Ids and where their events lie, oldest generation first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    generations: VecDeque<HashMap<EventId, u64>>,
    begun: u64,
}

impl Window {
    /// Where the event of this id lies, if it was published lately.
    pub(crate) fn find(&mut self, id: &EventId, now: Millis) -> Option<u64> {
        self.turn(now);
        self.generations.iter().rev().find_map(|generation| generation.get(id).copied())
    }

    /// Remembers an id.
    pub(crate) fn note(&mut self, id: EventId, sequence: u64, now: Millis) {
        self.turn(now);
        if let Some(newest) = self.generations.back_mut() {
            newest.insert(id, sequence);
        }
    }

    fn turn(&mut self, now: Millis) {
        let full = self.generations.back().is_none_or(|newest| newest.len() >= GENERATION_IDS);
        let passed = now.0.saturating_sub(self.begun) / GENERATION_MS;
        // Every generation that went by counts, those in which nothing was published too.
        let turns = usize::try_from(passed).unwrap_or(GENERATIONS).clamp(usize::from(full), GENERATIONS);
        for _ in 0..turns {
            self.generations.push_back(HashMap::new());
            self.begun = now.0;
        }
        while self.generations.len() > GENERATIONS {
            self.generations.pop_front();
        }
    }
}

/// How far back ids are read at a start, in milliseconds.
pub(crate) const REMEMBERED_MS: u64 = GENERATION_MS * 2;
/// How many ids of a stream are read at a start, at most: what a crash repeats is among the newest.
pub(crate) const REMEMBERED_IDS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_two_minutes_and_forgotten_after_four() {
        let mut window = Window::default();
        window.note([1; 16], 7, Millis(1_000));
        assert_eq!(window.find(&[1; 16], Millis(121_000)), Some(7));
        assert_eq!(window.find(&[1; 16], Millis(241_000)), None);
    }

    #[test]
    fn the_number_of_ids_is_bounded() {
        let mut window = Window::default();
        for n in 0..500_000u128 {
            window.note(n.to_be_bytes(), 1, Millis(1));
        }
        assert!(window.generations.iter().map(HashMap::len).sum::<usize>() <= GENERATION_IDS * GENERATIONS);
        assert_eq!(window.find(&499_999u128.to_be_bytes(), Millis(1)), Some(1));
    }
}
