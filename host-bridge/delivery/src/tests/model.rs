//! Random runs with crashes against the promise itself: order per key, nothing lost, everything ends.

use super::world::*;
use crate::message::{Message, Settlement};
use crate::millis::Millis;
use crate::verdict::Verdict;
use crate::{Machine, Output, Policy, Slot};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const EVENTS: u64 = 40;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Fetch as much as is wanted, at most this many.
    Fetch(usize),
    /// The `n`th event in flight gets this answer.
    Answer(usize, u8),
    /// The bus takes the `n`th of what it was asked.
    Carry(usize),
    Pass(u16),
    GrantSolo,
    Pause(bool),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..8).prop_map(Step::Fetch),
        8 => (any::<usize>(), any::<u8>()).prop_map(|(n, verdict)| Step::Answer(n, verdict)),
        8 => any::<usize>().prop_map(Step::Carry),
        4 => (1u16..2_000).prop_map(Step::Pass),
        2 => Just(Step::GrantSolo),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::Crash),
    ]
}

/// What is durable of one event, as a bus would keep it.
#[derive(Debug, Clone, Copy, Default)]
struct Durable {
    failures: u32,
    unanswered: u32,
    not_before: Option<Millis>,
}

struct Model {
    machine: Machine,
    now: Millis,
    keys: Vec<u8>,
    fetched_to: u64,
    settled: BTreeSet<u64>,
    durable: BTreeMap<u64, Durable>,
    in_flight: Vec<(Slot, u64)>,
    asked: Vec<Output>,
    permits: usize,
    suspect: Option<u64>,
    caught_up: u32,
}

fn policy_of(settled: &BTreeSet<u64>) -> Policy {
    let backlog_end = (1..=EVENTS).rfind(|sequence| !settled.contains(sequence)).unwrap_or(0);
    Policy { backlog_end, ..policy() }
}

impl Model {
    fn new(keys: Vec<u8>) -> Self {
        Self {
            machine: Machine::new(policy_of(&BTreeSet::new())),
            now: Millis(1),
            keys,
            fetched_to: 0,
            settled: BTreeSet::new(),
            durable: BTreeMap::new(),
            in_flight: Vec::new(),
            asked: Vec::new(),
            permits: policy().concurrency,
            suspect: None,
            caught_up: 0,
        }
    }

    fn key(&self, sequence: u64) -> u8 {
        self.keys[usize::try_from(sequence).unwrap() % self.keys.len()] % 6
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Fetch(at_most) => self.fetch(at_most),
            Step::Answer(n, verdict) if !self.in_flight.is_empty() => {
                let (slot, _) = self.in_flight.remove(n % self.in_flight.len());
                self.machine.verdict(slot, verdict_of(verdict), self.now);
            }
            Step::Carry(n) if !self.asked.is_empty() => {
                let output = self.asked.remove(n % self.asked.len());
                self.carry(output);
            }
            Step::Pass(millis) => self.now = self.now.after(Duration::from_millis(millis.into())),
            Step::GrantSolo => self.machine.grant_solo(),
            Step::Pause(paused) => self.machine.pause(paused),
            Step::Crash => self.crash(),
            Step::Answer(..) | Step::Carry(_) => {}
        }
        self.drive();
    }

    fn fetch(&mut self, at_most: usize) {
        for _ in 0..self.machine.fetch().min(at_most) {
            let from = self.fetched_to + 1;
            let Some(sequence) = (from..=EVENTS).find(|sequence| !self.settled.contains(sequence)) else { return };
            self.fetched_to = sequence;
            let Durable { failures, unanswered, not_before } = self.durable.get(&sequence).copied().unwrap_or_default();
            let key = format!("key-{}", self.key(sequence));
            let arrived = Message { failures, unanswered, not_before, ..message(sequence) };
            self.machine.arrived(arrived, Some(&key), self.now);
        }
    }

    fn drive(&mut self) {
        self.machine.tick(self.now);
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::CaughtUp => self.caught_up += 1,
                Output::Settle { .. } | Output::RetryAt { .. } => self.asked.push(output),
                _ => {}
            }
        }
        self.permits += self.machine.take_freed();
        while self.permits > 0 && self.machine.wants_permit(self.now) {
            let handed = self.machine.hand_out(self.now).expect("wanted a permit");
            let (slot, message) = (handed.slot, handed.message.clone());
            self.permits -= 1;
            self.check_hand_out(&message);
            self.durable.entry(message.sequence).or_default().unanswered += 1;
            self.in_flight.push((slot, message.sequence));
        }
    }

    /// The promise.
    fn check_hand_out(&mut self, message: &Message) {
        let sequence = message.sequence;
        let earlier = (1..sequence).filter(|other| self.key(*other) == self.key(sequence));
        let open: Vec<_> = earlier.filter(|other| !self.settled.contains(other)).collect();
        assert!(open.is_empty(), "{sequence} handed out before {open:?} of its key are settled");
        let is_suspect = message.unanswered > 0;
        let suspect_runs = self.suspect.is_some_and(|suspect| self.in_flight.iter().any(|(_, one)| *one == suspect));
        assert!(!(is_suspect && suspect_runs), "{sequence} handed out beside another suspect");
        assert!(message.failures < policy().max_attempts && message.unanswered < policy().max_attempts);
        assert!(message.not_before.is_none_or(|at| at <= self.now), "{sequence} handed out too early");
        if is_suspect || self.suspect == Some(sequence) {
            // One that has answered and comes again is none any more.
            self.suspect = is_suspect.then_some(sequence);
        }
    }

    fn carry(&mut self, output: Output) {
        match output {
            Output::Settle { slot, settlement } => {
                let sequence = self.machine.message(slot).expect("held").sequence;
                assert!(self.settled.insert(sequence), "{sequence} settled twice");
                if let Settlement::DeadLetter(cause) = settlement {
                    assert_ne!(cause.deliveries, 0, "{cause:?}");
                }
                self.machine.settled(slot, self.now);
            }
            Output::RetryAt { slot, at, failed, .. } => {
                let sequence = self.machine.message(slot).expect("held").sequence;
                let durable = self.durable.entry(sequence).or_default();
                durable.failures += u32::from(failed);
                durable.unanswered = 0;
                durable.not_before = Some(at);
                self.machine.noted(slot, self.now);
            }
            _ => {}
        }
    }

    fn crash(&mut self) {
        self.machine = Machine::new(policy_of(&self.settled));
        (self.fetched_to, self.permits, self.caught_up) = (0, policy().concurrency, 0);
        self.in_flight.clear();
        self.asked.clear();
        self.suspect = None;
    }

    /// From here on nothing goes wrong: everything must end, within a bounded number of rounds.
    fn finish(&mut self) {
        for _ in 0..2_000 {
            if self.settled.len() as u64 == EVENTS {
                return;
            }
            for step in [Step::Pause(false), Step::GrantSolo, Step::Fetch(100), Step::Answer(0, 0), Step::Carry(0)] {
                self.step(step);
            }
            if let Some(at) = self.machine.wake_at(self.now) {
                self.now = at;
                self.drive();
            }
        }
        panic!("only {:?} of {EVENTS} settled; {:?}", self.settled, self.machine);
    }
}

fn verdict_of(number: u8) -> Verdict {
    match number % 8 {
        0..4 => done(),
        4 => retry(),
        5 => Verdict::Broken { reason: "trap".into() },
        6 => away(),
        _ => reject(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_promise_holds_and_everything_ends(
        keys in prop::collection::vec(any::<u8>(), 1..12),
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut model = Model::new(keys);
        model.drive();
        for step in steps {
            model.step(step);
        }
        model.finish();
        model.drive();
        prop_assert_eq!(model.caught_up, 1);
        prop_assert_eq!(model.machine.in_flight(), 0);
        prop_assert_eq!(model.permits, policy().concurrency);
    }
}
