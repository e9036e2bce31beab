//! Whatever is commanded, repeated, late, lost or fired: pieces are neither made nor lost, and a repeat says the same.

use super::{adjust, check, deliver, listed, release, sell, stock};
use kit::events::inventory::ReleaseReason;
use kit::memory::Memory;
use kit::{Event, Output};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    List(u32),
    Check(u8, u32),
    Sell(u8),
    Release(u8),
    Adjust(i64),
    /// Fires one of the timers that were ever set, cancelled or not.
    Fire(usize),
    /// Delivers one of the events before once more.
    Repeat(usize),
    EmptyInboxes,
    LoseSwaps(u32),
    UnknownSwaps(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (0..12_u32).prop_map(Op::List),
        8 => (0..6_u8, 1..5_u32).prop_map(|(order, quantity)| Op::Check(order, quantity)),
        5 => (0..6_u8).prop_map(Op::Sell),
        5 => (0..6_u8).prop_map(Op::Release),
        3 => (-6..8_i64).prop_map(Op::Adjust),
        4 => any::<usize>().prop_map(Op::Fire),
        8 => any::<usize>().prop_map(Op::Repeat),
        2 => Just(Op::EmptyInboxes),
        1 => (1..4_u32).prop_map(Op::LoseSwaps),
        1 => (1..3_u32).prop_map(Op::UnknownSwaps),
    ]
}

#[derive(Default)]
struct World {
    ports: Memory,
    sequence: u64,
    said: Vec<(String, Event, Vec<Output>)>,
    timers: Vec<Event>,
    received: i64,
}

impl World {
    fn run(&mut self, op: &Op) {
        match op {
            Op::List(initial) => self.command(listed(*initial)),
            Op::Check(order, quantity) => self.command(check(&format!("o{order}"), *quantity)),
            Op::Sell(order) => self.command(sell(&format!("o{order}"), 1)),
            Op::Release(order) => self.command(release(&format!("o{order}"), ReleaseReason::OrderCancelled)),
            Op::Adjust(difference) => self.command(adjust(*difference)),
            Op::Fire(which) if !self.timers.is_empty() => {
                self.command(self.timers[which % self.timers.len()].clone());
            }
            Op::Repeat(which) if !self.said.is_empty() => self.repeat(which % self.said.len()),
            Op::Fire(_) | Op::Repeat(_) => {}
            Op::EmptyInboxes => self.ports.empty_inboxes(),
            Op::LoseSwaps(count) => self.ports.lost_swaps.set(*count),
            Op::UnknownSwaps(count) => self.ports.unknown_swaps.set(*count),
        }
        self.holds();
    }

    fn command(&mut self, event: Event) {
        self.sequence += 1;
        let id = format!("e{}", self.sequence);
        let before = stock(&self.ports).listing;
        let outputs = deliver(&self.ports, &id, self.sequence, &event);
        match &event {
            Event::ArtisanProductListed(listed) if before.is_none() => self.received += i64::from(listed.initial_stock),
            Event::InventoryAdjust(adjust) if !outputs.is_empty() => self.received += adjust.adjustment_quantity,
            _ => {}
        }
        for output in &outputs {
            if let Output::Timer(timer) = output {
                self.timers.push(timer.emission.event.clone());
            }
        }
        self.said.push((id, event, outputs));
    }

    fn repeat(&mut self, which: usize) {
        let (before, (id, event, said)) = (stock(&self.ports).counts, &self.said[which]);
        self.sequence += 1;
        self.ports.empty_inboxes();
        assert_eq!(&deliver(&self.ports, id, self.sequence, event), said, "a repeat of {event:?}");
        assert_eq!(stock(&self.ports).counts, before);
    }

    fn holds(&self) {
        let stock = stock(&self.ports);
        assert!(stock.counts.balanced());
        assert_eq!(i64::from(stock.counts.received), self.received);
        let held: u32 = stock.orders.values().filter(|e| !e.is_settled()).map(|e| e.quantity).sum();
        assert_eq!(held, stock.counts.reserved, "what is set aside is set aside for somebody");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_piece_is_made_or_lost(ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World::default();
        world.command(listed(9));
        for op in &ops {
            world.run(op);
        }
    }
}
