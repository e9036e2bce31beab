//! The machine of one source: events arrive, are handed out in order per key, answered, settled.

use super::Policy;
use super::judge::{self, Judgement};
use super::lanes::{Holds, Lanes, Slot, State};
use super::outage::Outage;
use super::room::{self, Held};
use crate::message::{Message, Settlement};
use crate::millis::Millis;
use crate::verdict::Verdict;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// Settlements under way at once, for each event that may be handled at once: where the bus is far, handlers work while it
/// answers. Bounded, since what the process dies with is handled again.
const SETTLING: usize = 4;

/// What the machine asks its driver to do.
#[derive(Debug)]
pub enum Output {
    /// Settle the event, then call [`Machine::settled`], or [`Machine::unpublishable`] where the bus will never take its
    /// effects.
    Settle {
        /// Which.
        slot: Slot,
        /// How.
        settlement: Settlement,
    },
    /// Note the answer and the wait, then call [`Machine::noted`].
    RetryAt {
        /// Which.
        slot: Slot,
        /// Not before.
        at: Millis,
        /// Whether it spends an attempt.
        failed: bool,
        /// For the log.
        reason: String,
    },
    /// Everything that was to be settled when the consumer was opened is settled. Said once.
    CaughtUp,
    /// Something the handler needs is away: from now on, one event at a time asks whether it is back.
    OutageBegan {
        /// For the log.
        reason: String,
    },
    /// It is back.
    OutageEnded {
        /// How long it was away.
        lasted: Duration,
    },
}

/// An event to hand out now.
#[derive(Debug)]
pub struct HandOut<'a> {
    /// By which name the answer is told.
    pub slot: Slot,
    /// The event.
    pub message: &'a Message,
    /// Its key; `None` where it has none, so that it is handled beside all others.
    pub key: Option<&'a str>,
    /// Which hand-out of it this is, from 1.
    pub attempt: u32,
}

/// The right to run a suspect: an event that may be what kills the process. It runs beside no other suspect, so that each
/// is counted for its own; whoever is none goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Solo {
    None,
    Granted,
    Running(Slot),
}

/// See the module. One instance a source, in the hands of one driver.
#[derive(Debug)]
pub struct Machine {
    policy: Policy,
    lanes: Lanes,
    ready: VecDeque<Slot>,
    /// By how many ends of the process they were in hand at, then as they came.
    suspects: VecDeque<Slot>,
    waiting: BinaryHeap<Reverse<(Millis, Slot)>>,
    outputs: VecDeque<Output>,
    permits: usize,
    settling: usize,
    freed: usize,
    solo: Solo,
    outage: Option<Outage>,
    paused: bool,
    /// When its first event arrived: the process, or its hold of the source, is at least as old as that.
    began: Option<Millis>,
    arrived_to: u64,
    backlog: usize,
    caught_up: bool,
}

impl Machine {
    /// A machine that holds nothing yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let mut machine = Self {
            policy,
            lanes: Lanes::default(),
            ready: VecDeque::new(),
            suspects: VecDeque::new(),
            waiting: BinaryHeap::new(),
            outputs: VecDeque::new(),
            permits: 0,
            settling: 0,
            freed: 0,
            solo: Solo::None,
            outage: None,
            paused: false,
            began: None,
            arrived_to: 0,
            backlog: 0,
            caught_up: false,
        };
        machine.tell_caught_up();
        machine
    }

    /// An event arrived, in the order of its source. Without a key it is handled beside all others.
    pub fn arrived(&mut self, message: Message, key: Option<&str>, now: Millis) {
        self.began.get_or_insert(now);
        if message.replay == 0 {
            self.arrived_to = self.arrived_to.max(message.sequence);
            self.backlog += usize::from(message.sequence <= self.policy.backlog_end);
        }
        let (slot, first) = self.lanes.push(message, key);
        if first {
            self.comes_first(slot, now);
        }
    }

    /// Time passed: events that waited until now are ready.
    pub fn tick(&mut self, now: Millis) {
        while let Some(Reverse((at, slot))) = self.waiting.peek().copied()
            && at <= now
        {
            self.waiting.pop();
            self.becomes_ready(slot);
        }
    }

    /// What to do next; `None` where there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether an event could be handed out if the driver had a permit.
    #[must_use]
    pub fn wants_permit(&self, now: Millis) -> bool {
        let open = !self.paused && self.outage.is_none_or(|outage| outage.may_probe(now));
        open && match self.solo {
            Solo::Granted => true,
            Solo::None | Solo::Running(_) => {
                !self.ready.is_empty() && self.settling < self.policy.concurrency.saturating_mul(SETTLING)
            }
        }
    }

    /// The next event to hand out. Takes one permit, which [`Machine::take_freed`] gives back once the event is answered,
    /// or waits.
    pub fn hand_out(&mut self, now: Millis) -> Option<HandOut<'_>> {
        if !self.wants_permit(now) {
            return None;
        }
        let slot = match self.solo {
            Solo::Granted => {
                let slot = self.suspects.pop_front()?;
                self.solo = Solo::Running(slot);
                slot
            }
            Solo::None | Solo::Running(_) => self.ready.pop_front()?,
        };
        self.permits += 1;
        if let Some(outage) = &mut self.outage {
            outage.probe();
        }
        let entry = self.lanes.get_mut(slot)?;
        entry.state = State::InFlight { probe: self.outage.is_some() };
        entry.holds = Holds::Permit;
        let message = &self.lanes.get(slot)?.message;
        Some(HandOut { slot, message, key: self.lanes.key(slot), attempt: judge::attempt(message) })
    }

    /// Whether a suspect waits for the right to be the only one in the whole process; then [`Machine::grant_solo`].
    #[must_use]
    pub fn wants_solo(&self) -> bool {
        self.solo == Solo::None && !self.suspects.is_empty() && !self.paused
    }

    /// Whether that right is still needed; where not, the driver passes it on.
    #[must_use]
    pub fn holds_solo(&self) -> bool {
        self.solo != Solo::None
    }

    /// Grants it.
    pub fn grant_solo(&mut self) {
        if self.wants_solo() {
            self.solo = Solo::Granted;
        }
    }

    /// The handler answered. An answer nobody waits for is ignored.
    pub fn verdict(&mut self, slot: Slot, verdict: Verdict, now: Millis) {
        let Some(entry) = self.lanes.get_mut(slot) else { return };
        let State::InFlight { probe } = entry.state else { return };
        let judgement = judge::judge(verdict, &entry.message, &self.policy);
        entry.message.not_before = None;
        entry.state = State::Settling;
        if !matches!(judgement, Judgement::Outage { .. }) && probe {
            let lasted = self.outage.take().map(|outage| outage.lasted(now)).unwrap_or_default();
            self.outputs.push_back(Output::OutageEnded { lasted });
        }
        match judgement {
            Judgement::Settle(settlement) => {
                self.settles(slot);
                self.outputs.push_back(Output::Settle { slot, settlement });
            }
            Judgement::Again { wait, reason } => self.note(slot, (now.after(wait), true), reason),
            Judgement::Outage { reason } => self.away(slot, probe, reason, now),
        }
    }

    /// The event is settled: the next of its key may go.
    pub fn settled(&mut self, slot: Slot, now: Millis) {
        let Some(entry) = self.lanes.get(slot) else { return };
        if entry.state != State::Settling {
            return;
        }
        let in_backlog = entry.message.replay == 0 && entry.message.sequence <= self.policy.backlog_end;
        self.backlog -= usize::from(in_backlog);
        self.free(slot);
        if let Some(next) = self.lanes.pop(slot) {
            self.comes_first(next, now);
        }
        self.tell_caught_up();
    }

    /// The bus will never take the event's effects: it becomes a dead letter.
    pub fn unpublishable(&mut self, slot: Slot, reason: String) {
        let Some(entry) = self.lanes.get(slot) else { return };
        if entry.state == State::Settling {
            let cause = judge::unpublishable(reason, &entry.message, &self.policy);
            self.outputs.push_back(Output::Settle { slot, settlement: Settlement::DeadLetter(cause) });
        }
    }

    /// The answer is noted: the event waits.
    pub fn noted(&mut self, slot: Slot, now: Millis) {
        let Some(entry) = self.lanes.get_mut(slot) else { return };
        let State::Noting { at, failed } = entry.state else { return };
        entry.message.failures = entry.message.failures.saturating_add(u32::from(failed));
        entry.message.unanswered = 0;
        entry.message.not_before = Some(at);
        self.free(slot);
        self.comes_first(slot, now);
    }

    /// How many events to fetch; 0 for none now.
    #[must_use]
    pub fn fetch(&self) -> usize {
        // In an outage whoever told of it is held, and asks again.
        if self.paused || self.outage.is_some() {
            return 0;
        }
        // Suspects wait for each other: whoever is none must get past.
        let runnable = self.permits + self.ready.len();
        let held = Held { runnable, events: self.lanes.len(), bytes: self.lanes.bytes() };
        room::fetch(held, self.policy.concurrency)
    }

    /// When, after `now`, [`Machine::tick`] or a hand-out has something to do if nothing else happens.
    #[must_use]
    pub fn wake_at(&self, now: Millis) -> Option<Millis> {
        let retry = self.waiting.peek().map(|Reverse((at, _))| *at);
        let probe = self.outage.filter(|_| !self.paused).and_then(|outage| outage.next_probe());
        retry.into_iter().chain(probe).filter(|at| *at > now).min()
    }

    /// Stops or resumes hand-outs and fetching; what is in flight goes on.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
        if paused && self.solo == Solo::Granted {
            self.solo = Solo::None;
        }
    }

    /// Permits that came back since the last call.
    pub fn take_freed(&mut self) -> usize {
        std::mem::take(&mut self.freed)
    }

    /// Events that are handed out, or answered and not yet settled or noted.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.permits + self.settling
    }

    /// Permits it holds.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Those of them that have no answer yet, to be released at shutdown.
    #[must_use]
    pub fn unanswered(&self) -> Vec<Message> {
        let open = self.lanes.iter().filter(|entry| matches!(entry.state, State::InFlight { .. }));
        open.map(|entry| entry.message.clone()).collect()
    }

    /// The message at `slot`, where one is held.
    #[must_use]
    pub fn message(&self, slot: Slot) -> Option<&Message> {
        self.lanes.get(slot).map(|entry| &entry.message)
    }

    /// The first of its lane: settled unseen, waiting, suspect or ready.
    fn comes_first(&mut self, slot: Slot, now: Millis) {
        let Some(entry) = self.lanes.get_mut(slot) else { return };
        if let Some(cause) = judge::doomed(&entry.message, &self.policy) {
            entry.state = State::Settling;
            self.outputs.push_back(Output::Settle { slot, settlement: Settlement::DeadLetter(cause) });
            return;
        }
        let calm = self.began.unwrap_or(now).after(judge::calm(&entry.message, &self.policy));
        match entry.message.not_before.into_iter().chain([calm]).max().filter(|at| *at > now) {
            Some(at) => {
                entry.state = State::Waiting;
                self.waiting.push(Reverse((at, slot)));
            }
            None => self.becomes_ready(slot),
        }
    }

    fn becomes_ready(&mut self, slot: Slot) {
        let Some(entry) = self.lanes.get_mut(slot) else { return };
        entry.state = State::Ready;
        let unanswered = entry.message.unanswered;
        if !judge::is_suspect(&entry.message, &self.policy) {
            self.ready.push_back(slot);
            return;
        }
        // Those that were in hand at fewer ends come first: an innocent that somebody kills again and again is not always
        // the one in hand, while what kills the process has in the end no other before it.
        let lanes = &self.lanes;
        let before = |other: &Slot| lanes.get(*other).is_some_and(|entry| entry.message.unanswered <= unanswered);
        let place = self.suspects.partition_point(before);
        self.suspects.insert(place, slot);
    }

    fn note(&mut self, slot: Slot, (at, failed): (Millis, bool), reason: String) {
        if let Some(entry) = self.lanes.get_mut(slot) {
            entry.state = State::Noting { at, failed };
            self.outputs.push_back(Output::RetryAt { slot, at, failed, reason });
        }
    }

    /// The handler could not work. The event goes to the end of those that are ready, so that another one probes.
    fn away(&mut self, slot: Slot, probe: bool, reason: String, now: Millis) {
        match &mut self.outage {
            Some(outage) if probe => outage.goes_on(now),
            Some(_) => {}
            None => {
                self.outage = Some(Outage::begin(now));
                self.outputs.push_back(Output::OutageBegan { reason: reason.clone() });
            }
        }
        self.note(slot, (now, false), reason);
    }

    /// The handler is done: another may work while the bus takes this one's outcome.
    fn settles(&mut self, slot: Slot) {
        if let Some(entry) = self.lanes.get_mut(slot)
            && entry.holds == Holds::Permit
        {
            entry.holds = Holds::Settling;
            self.permits -= 1;
            self.freed += 1;
            self.settling += 1;
        }
    }

    /// Gives back what the event held while it was handed out.
    fn free(&mut self, slot: Slot) {
        match self.lanes.get_mut(slot).map(|entry| std::mem::take(&mut entry.holds)) {
            Some(Holds::Permit) => {
                self.permits -= 1;
                self.freed += 1;
            }
            Some(Holds::Settling) => self.settling -= 1,
            Some(Holds::Nothing) | None => {}
        }
        if self.solo == Solo::Running(slot) {
            self.solo = Solo::None;
        }
    }

    fn tell_caught_up(&mut self) {
        if !self.caught_up && self.backlog == 0 && self.arrived_to >= self.policy.backlog_end {
            self.caught_up = true;
            self.outputs.push_back(Output::CaughtUp);
        }
    }
}
