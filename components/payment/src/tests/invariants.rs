//! Whatever the gateway answers or does not, whatever is repeated, late or cut off: the ledger agrees with the payment,
//! nothing is taken twice, and what was asked back is back.

use super::{Line, Shop, facts, process, refund, timer};
use kit::{Event, Output};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
enum Op {
    /// The next attempt, where the one before failed.
    Process,
    Refund,
    /// The timer fires.
    Fire,
    /// One of the timers that were ever set fires, late.
    FireLate(usize),
    Repeat(usize),
    /// The next command is cut off after its call, and comes again.
    Crash(bool),
    EmptyInboxes,
    Line(Vec<Line>),
}

fn op() -> impl Strategy<Value = Op> {
    let line = prop_oneof![Just(Line::RequestLost), Just(Line::AnswerLost), Just(Line::Away)];
    prop_oneof![
        4 => Just(Op::Process),
        1 => Just(Op::Refund),
        6 => Just(Op::Fire),
        2 => any::<usize>().prop_map(Op::FireLate),
        6 => any::<usize>().prop_map(Op::Repeat),
        1 => any::<bool>().prop_map(Op::Crash),
        2 => Just(Op::EmptyInboxes),
        3 => prop::collection::vec(line, 1..4).prop_map(Op::Line),
    ]
}

struct World {
    shop: Shop,
    method: &'static str,
    attempt: u32,
    refund_asked: bool,
    events: u64,
    said: Vec<(String, Event, Vec<Output>)>,
    /// All that were ever set.
    timers: Vec<Event>,
    /// The one that is set now, with what caused it: setting it again replaces it.
    live: Option<(String, Event)>,
    /// Causes whose timer fired or was cancelled: they set none again.
    gone: BTreeSet<String>,
}

impl World {
    fn run(&mut self, op: &Op) {
        match op {
            Op::Process if self.may_try() => {
                self.attempt += 1;
                self.command(process(self.method, self.attempt), false);
            }
            Op::Refund if !self.refund_asked => self.ask_back(false),
            Op::Fire => {
                self.fire();
            }
            Op::FireLate(which) if !self.timers.is_empty() => {
                self.command(self.timers[which % self.timers.len()].clone(), false);
            }
            Op::Repeat(which) if !self.said.is_empty() => self.repeat(which % self.said.len()),
            Op::Crash(true) if self.may_try() => {
                self.attempt += 1;
                self.command(process(self.method, self.attempt), true);
            }
            Op::Crash(false) if !self.refund_asked => self.ask_back(true),
            Op::EmptyInboxes => self.shop.ports.empty_inboxes(),
            Op::Line(line) => self.shop.fails(line),
            Op::Process | Op::Refund | Op::FireLate(_) | Op::Repeat(_) | Op::Crash(_) => {}
        }
        let (charged, back, count) = self.shop.ledger();
        assert!(count <= 1 && back <= charged);
    }

    fn may_try(&self) -> bool {
        self.attempt < 3 && matches!(self.shop.state().status(), "new" | "failed")
    }

    fn ask_back(&mut self, crash: bool) {
        self.refund_asked = true;
        self.command(refund(), crash);
    }

    fn command(&mut self, event: Event, crash: bool) {
        self.events += 1;
        let id = format!("e{}", self.events);
        if crash {
            let _cut_off = self.shop.crash_after_the_call(&id, &event);
        }
        let outputs = self.shop.deliver(&id, &event);
        self.timers.extend(timer(&outputs).map(|timer| timer.emission.event));
        self.set_and_cancel(&id, &outputs);
        self.said.push((id, event, outputs));
    }

    fn repeat(&mut self, which: usize) {
        let (id, event, said) = &self.said[which].clone();
        let (state, calls) = (self.shop.state(), self.shop.calls.borrow().len());
        self.shop.ports.empty_inboxes();
        let again = self.shop.deliver(id, event);
        self.set_and_cancel(id, &again);
        assert_eq!(facts(&again), facts(said), "a repeat of {event:?}");
        assert_eq!((self.shop.state(), self.shop.calls.borrow().len()), (state, calls));
    }

    /// As the host does.
    fn set_and_cancel(&mut self, cause: &str, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Timer(timer) if !self.gone.contains(cause) => {
                    self.live = Some((cause.to_owned(), timer.emission.event.clone()));
                }
                Output::CancelTimer(_) => self.gone.extend(self.live.take().map(|(cause, _)| cause)),
                Output::Timer(_) | Output::Emit(_) => {}
            }
        }
    }

    fn fire(&mut self) -> bool {
        let Some((cause, event)) = self.live.take() else { return false };
        self.gone.insert(cause);
        self.command(event, false);
        true
    }

    /// The gateway works again, and the timer fires, if there is one.
    fn settle(&mut self) {
        self.shop.line.borrow_mut().clear();
        while self.fire() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_ledger_agrees_with_the_payment(
        method in prop::sample::select(vec!["tok_ok", "tok_declined", "tok_busy"]),
        ops in prop::collection::vec(op(), 1..50),
    ) {
        let shop = Shop::new();
        let mut world = World {
            shop,
            method,
            attempt: 0,
            refund_asked: false,
            events: 0,
            said: Vec::new(),
            timers: Vec::new(),
            live: None,
            gone: BTreeSet::new(),
        };
        for op in &ops {
            world.run(op);
        }
        world.settle();
        let (charged, back, count) = world.shop.ledger();
        match world.shop.state().status() {
            "succeeded" => prop_assert_eq!((charged, back, count), (5_900, 0, 1)),
            "refunded" => prop_assert_eq!((charged, back, count), (5_900, 5_900, 1)),
            "new" | "failed" | "cancelled" => prop_assert_eq!((charged, back, count), (0, 0, 0)),
            other => prop_assert!(false, "it is still {}", other),
        }
        prop_assert!(!world.refund_asked || matches!(world.shop.state().status(), "refunded" | "cancelled"));
    }
}
