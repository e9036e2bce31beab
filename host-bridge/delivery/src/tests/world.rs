//! A machine, a clock and short words for what happens to it.

use crate::event::{Event, Headers};
use crate::message::{Message, Settlement};
use crate::millis::Millis;
use crate::subject::Subject;
use crate::verdict::{Rejection, Verdict};
use crate::{Machine, Output, Policy, Slot};
use std::sync::Arc;
use std::time::Duration;

/// The machine under test; what it does is told as text, in order.
pub struct World {
    pub machine: Machine,
    pub now: Millis,
    permits: usize,
    running: Vec<(u64, Slot)>,
    told: Vec<String>,
}

pub fn policy() -> Policy {
    Policy { concurrency: 4, max_attempts: 3, backlog_end: 0, component_digest: None }
}

/// Event number `sequence`, as it first arrives.
pub fn message(sequence: u64) -> Message {
    let body = format!(
        r#"{{"eventId":"e{sequence}","eventType":"T","aggregateId":"a","eventVersion":1,"occurredOn":"now",
        "eventData":{{}},"metadata":{{"publishedAt":"now","correlationId":"c","causationId":"x"}}}}"#
    );
    let event = Event::new(Subject::new("order.created").unwrap(), body.into(), Headers::default());
    Message { sequence, event: Arc::new(event), failures: 0, unanswered: 0, not_before: None, replay: 0 }
}

pub fn retry() -> Verdict {
    Verdict::Retry { after: None, reason: "later".into() }
}

pub fn away() -> Verdict {
    Verdict::Unavailable { reason: "away".into() }
}

pub fn reject() -> Verdict {
    Verdict::Reject(Rejection { reason: "never".into(), path: None })
}

pub fn done() -> Verdict {
    Verdict::Done(Vec::new())
}

impl World {
    pub fn new(policy: Policy) -> Self {
        let permits = policy.concurrency;
        Self { machine: Machine::new(policy), now: Millis(1_000), permits, running: Vec::new(), told: Vec::new() }
    }

    /// Events arrive, each with its key (`-`: none), and what can be handed out is.
    pub fn arrive(mut self, events: &[(u64, &str)]) -> Self {
        for (sequence, key) in events {
            self = self.arrive_as(message(*sequence), key);
        }
        self.run()
    }

    /// One event arrives with the counts it has.
    pub fn arrive_as(mut self, message: Message, key: &str) -> Self {
        self.machine.arrived(message, (key != "-").then_some(key), self.now);
        self
    }

    /// The handler of event `sequence` answers; the bus settles or notes at once.
    pub fn answer(mut self, sequence: u64, verdict: Verdict) -> Self {
        let at = self.running.iter().position(|(running, _)| *running == sequence);
        let (_, slot) = self.running.remove(at.unwrap_or_else(|| panic!("event {sequence} is not in flight")));
        self.machine.verdict(slot, verdict, self.now);
        self.run()
    }

    /// Time passes.
    pub fn pass(mut self, millis: u64) -> Self {
        self.now = self.now.after(Duration::from_millis(millis));
        self.machine.tick(self.now);
        self.run()
    }

    /// The right to run a suspect is given.
    pub fn grant_solo(mut self) -> Self {
        assert!(self.machine.wants_solo(), "nobody wants to run alone");
        self.machine.grant_solo();
        self.run()
    }

    pub fn pause(mut self, paused: bool) -> Self {
        self.machine.pause(paused);
        self.run()
    }

    /// Does all that can be done now.
    pub fn run(mut self) -> Self {
        loop {
            while let Some(output) = self.machine.poll_output() {
                self.carry_out(output);
            }
            self.permits += self.machine.take_freed();
            if self.permits == 0 || !self.machine.wants_permit(self.now) {
                return self;
            }
            self.permits -= 1;
            let handed = self.machine.hand_out(self.now).expect("wanted a permit");
            self.told.push(format!("hand out {} ({})", handed.message.sequence, handed.attempt));
            self.running.push((handed.message.sequence, handed.slot));
        }
    }

    fn carry_out(&mut self, output: Output) {
        let sequence = |slot| self.machine.message(slot).map(|message| message.sequence).unwrap_or_default();
        let told = match &output {
            Output::Settle { slot, settlement: Settlement::Done(_) } => format!("settle {}", sequence(*slot)),
            Output::Settle { slot, settlement: Settlement::DeadLetter(cause) } => {
                format!("bury {}: {} after {}", sequence(*slot), cause.kind, cause.deliveries)
            }
            Output::RetryAt { slot, failed, .. } => {
                format!("{} {}", if *failed { "retry" } else { "put back" }, sequence(*slot))
            }
            Output::CaughtUp => "caught up".into(),
            Output::OutageBegan { .. } => "outage".into(),
            Output::OutageEnded { lasted } => format!("outage over after {} ms", lasted.as_millis()),
        };
        self.told.push(told);
        match output {
            Output::Settle { slot, .. } => self.machine.settled(slot, self.now),
            Output::RetryAt { slot, .. } => self.machine.noted(slot, self.now),
            _ => {}
        }
    }

    /// What was told since the last check is exactly this.
    #[track_caller]
    pub fn told(mut self, expected: &[&str]) -> Self {
        assert_eq!(std::mem::take(&mut self.told), expected);
        self
    }
}
