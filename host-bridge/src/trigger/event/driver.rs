//! Drives the machine of one source: tells it what happened, does what it asks, sleeps until something happens.

use super::behind::Behind;
use super::budget::Budget;
use super::invocation::{Answer, Invocation};
use super::observer::Happening;
use super::settling::{self, Carried};
use super::source::Source;
use crate::bus::{BusError, Leave, Message, Settlement};
use crate::clock::Millis;
use crate::delivery::{Machine, Output, Policy};
use crate::dispatch::{Delivery, Verdict};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Answers taken in one wake-up.
const ANSWERS_AT_ONCE: usize = 256;

/// What the driver is told to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Control {
    /// Hand nothing out.
    pub paused: bool,
    /// Stop, with this much time for what is in flight.
    pub stop_within: Option<Duration>,
}

/// How a driver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// The consumer is another process's now, or is to be.
    Left,
}

/// How long what is in flight may take where another process is to have the consumer.
const HANDING_OVER: Duration = Duration::from_secs(5);

type Fetched = Result<Vec<Message>, BusError>;

/// See the module.
pub struct Driver {
    source: Arc<Source>,
    machine: Machine,
    budget: Budget,
    control: watch::Receiver<Control>,
    behind: Behind,
    leave: Option<BoxFuture<'static, Leave>>,
    /// Where the bus tells whether the consumer is paused, that counts and not what this process was told.
    paused: Option<watch::Receiver<bool>>,
    lost: bool,
    answers: (mpsc::UnboundedSender<Answer>, mpsc::UnboundedReceiver<Answer>),
    answered: Vec<Answer>,
    running: Vec<Option<JoinHandle<()>>>,
    carrying: FuturesUnordered<BoxFuture<'static, Carried>>,
    fetching: Option<BoxFuture<'static, Fetched>>,
    fetch_wait: Duration,
    permit: Option<BoxFuture<'static, ()>>,
    spare_permits: usize,
    solo_asked: Option<BoxFuture<'static, Option<OwnedSemaphorePermit>>>,
    solo: Option<OwnedSemaphorePermit>,
    stop_at: Option<Instant>,
}

impl Driver {
    /// A driver of `source`, which tells in the second part of `told` when it has caught up.
    pub fn new(source: Arc<Source>, policy: Policy, budget: Budget, told: (watch::Receiver<Control>, Behind)) -> Self {
        Self {
            leave: Some(source.consumer.leave()),
            paused: source.consumer.paused(),
            lost: false,
            source,
            machine: Machine::new(policy),
            budget,
            control: told.0,
            behind: told.1,
            answers: mpsc::unbounded_channel(),
            answered: Vec::new(),
            running: Vec::new(),
            carrying: FuturesUnordered::new(),
            fetching: None,
            fetch_wait: Duration::ZERO,
            permit: None,
            spare_permits: 0,
            solo_asked: None,
            solo: None,
            stop_at: None,
        }
    }

    /// Runs until it is told to stop, or until the consumer is to be given up.
    pub async fn run(mut self) -> Ended {
        // What it was told before it began holds too.
        self.controlled(false);
        loop {
            let now = self.source.parts.clock.now();
            self.machine.tick(now);
            self.carry_out(now);
            self.hand_out(now);
            self.fetch();
            let idle = self.machine.in_flight() == 0 && self.carrying.is_empty();
            let late = self.stop_at.is_some_and(|at| Instant::now() >= at);
            if self.lost || late || (self.stop_at.is_some() && idle) {
                break;
            }
            self.wait(now).await;
        }
        let stopped = self.control.borrow().stop_within.is_some() || self.control.has_changed().is_err();
        if self.lost {
            self.abort()
        } else {
            self.release().await
        };
        // The component's other consumers go on: what this one took of the concurrency is theirs again.
        let held = self.machine.permits() + self.machine.take_freed() + std::mem::take(&mut self.spare_permits);
        self.budget.give_back(held);
        if stopped {
            return Ended::Stopped;
        }
        self.source.tell(&Happening::Left { source: self.source.name(), lost: self.lost });
        self.behind.left();
        Ended::Left
    }

    /// Does what the machine asks for. What the bus takes at once, as the embedded one does, takes no detour.
    fn carry_out(&mut self, now: Millis) {
        while let Some(output) = self.machine.poll_output() {
            let Some(mut work) = self.begin(output, now) else { continue };
            match (&mut work).now_or_never() {
                Some(carried) => self.carried(carried, now),
                None => self.carrying.push(work),
            }
        }
        let freed = self.machine.take_freed();
        self.budget.give_back(freed);
        if !self.machine.holds_solo() {
            self.solo = None;
        }
    }

    fn begin(&mut self, output: Output, now: Millis) -> Option<BoxFuture<'static, Carried>> {
        let source = &self.source;
        match output {
            Output::Settle { slot, settlement } => {
                let message = self.machine.message(slot)?;
                if let Settlement::DeadLetter(cause) = &settlement {
                    source.tell(&Happening::Dead { about: source.about(message), cause });
                }
                return Some(settling::settle(source.clone(), slot, message.clone(), settlement).boxed());
            }
            Output::RetryAt { slot, at, failed, reason } => {
                let message = self.machine.message(slot)?;
                let (about, wait) = (source.about(message), at.since(now));
                source.tell(&Happening::Retry { about, wait, failed, reason: &reason });
                return Some(settling::note(source.clone(), slot, message.clone(), (at, failed)).boxed());
            }
            Output::OutageBegan { reason } => {
                source.tell(&Happening::OutageBegan { source: source.name(), reason: &reason });
            }
            Output::OutageEnded { lasted } => {
                source.tell(&Happening::OutageEnded { source: source.name(), lasted });
            }
            Output::CaughtUp => {
                source.tell(&Happening::CaughtUp { source: source.name() });
                self.behind.caught_up();
            }
        }
        None
    }

    fn carried(&mut self, carried: Carried, now: Millis) {
        match carried {
            Carried::Settled(slot) => self.machine.settled(slot, now),
            Carried::Noted(slot) => self.machine.noted(slot, now),
            Carried::Unpublishable(slot, reason) => self.machine.unpublishable(slot, reason),
            Carried::Lost => self.lost = true,
        }
    }

    fn hand_out(&mut self, now: Millis) {
        while self.machine.wants_permit(now) && self.take_permit() {
            let Some(handed) = self.machine.hand_out(now) else {
                self.spare_permits += 1;
                break;
            };
            let (slot, message) = (handed.slot, handed.message.clone());
            let delivery = Delivery {
                event: message.event.clone(),
                source: self.source.name_of(&message).clone(),
                sequence: message.sequence,
                key: handed.key.map_or_else(|| format!("#{}", message.sequence), str::to_owned),
                attempt: handed.attempt,
                delivered_at: now,
            };
            self.source.tell(&Happening::HandedOut(self.source.about(&message)));
            let invocation = Invocation { slot, message, delivery, answers: self.answers.0.clone() };
            let task = tokio::spawn(invocation.run(self.source.clone()));
            if self.running.len() <= slot.index() {
                self.running.resize_with(slot.index() + 1, || None);
            }
            if let Some(place) = self.running.get_mut(slot.index()) {
                *place = Some(task);
            }
        }
        let spare = std::mem::take(&mut self.spare_permits);
        self.budget.give_back(spare);
        if self.machine.wants_solo() && self.solo_asked.is_none() {
            self.solo_asked = Some(self.budget.solo());
        }
    }

    /// Takes a permit, or gets in line for one behind the component's other sources.
    fn take_permit(&mut self) -> bool {
        if let Some(permit) = &mut self.permit {
            if permit.now_or_never().is_none() {
                return false;
            }
            self.permit = None;
            return true;
        }
        if self.spare_permits > 0 {
            self.spare_permits -= 1;
            return true;
        }
        if self.budget.take(self.machine.permits()) {
            return true;
        }
        self.permit = Some(self.budget.line_up());
        false
    }

    fn fetch(&mut self) {
        let wanted = self.machine.fetch();
        if self.fetching.is_some() || wanted == 0 || self.stop_at.is_some() {
            return;
        }
        let (consumer, wait) = (self.source.consumer.clone(), self.fetch_wait);
        let fetching = async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            consumer.next(wanted).await
        };
        self.fetching = Some(fetching.boxed());
    }

    fn fetched(&mut self, fetched: Fetched, now: Millis) {
        match fetched {
            Ok(messages) => {
                self.fetch_wait = Duration::ZERO;
                for message in messages {
                    let event = message.event.clone();
                    self.machine.arrived(message, self.source.keys.of(&event).as_deref(), now);
                }
            }
            Err(BusError::Lost(_)) => self.lost = true,
            Err(error) => {
                self.fetch_wait = settling::next_wait(self.fetch_wait);
                let (source, wait) = (self.source.name(), self.fetch_wait);
                self.source.tell(&Happening::FetchFailed { source, error: &error, wait });
            }
        }
    }

    fn take_answers(&mut self, now: Millis) {
        for Answer { slot, verdict, took } in self.answered.drain(..) {
            if let Some(message) = self.machine.message(slot) {
                let (about, verdict) = (self.source.about(message), kind(&verdict));
                self.source.tell(&Happening::Answered { about, verdict, took });
            }
            self.machine.verdict(slot, verdict, now);
            if let Some(place) = self.running.get_mut(slot.index()) {
                *place = None;
            }
        }
    }

    /// Sleeps until something happened, and takes it in.
    async fn wait(&mut self, now: Millis) {
        let wake = self.machine.wake_at(now).map(|at| at.since(now));
        let stop_at = self.stop_at;
        tokio::select! {
            biased;
            fetched = taken(&mut self.fetching) => self.fetched(fetched, now),
            Some(carried) = self.carrying.next(), if !self.carrying.is_empty() => self.carried(carried, now),
            _ = self.answers.1.recv_many(&mut self.answered, ANSWERS_AT_ONCE) => self.take_answers(now),
            leave = taken(&mut self.leave) => self.leaves(leave),
            () = taken(&mut self.permit) => self.spare_permits += 1,
            solo = taken(&mut self.solo_asked) => {
                self.machine.grant_solo();
                self.solo = solo.filter(|_| self.machine.holds_solo());
            }
            () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {}
            () = tokio::time::sleep_until(stop_at.unwrap_or_else(Instant::now)), if stop_at.is_some() => {}
            changed = self.control.changed() => self.controlled(changed.is_err()),
            () = told_otherwise(&mut self.paused) => self.controlled(false),
        }
    }

    fn controlled(&mut self, abandoned: bool) {
        let control = *self.control.borrow_and_update();
        let stop_within = if abandoned { Some(Duration::ZERO) } else { control.stop_within };
        let paused = self.paused.as_ref().map_or(control.paused, |told| *told.borrow());
        self.machine.pause(paused || stop_within.is_some() || self.stop_at.is_some());
        if let Some(within) = stop_within {
            let at = Instant::now() + within;
            self.stop_at = Some(self.stop_at.map_or(at, |earlier| earlier.min(at)));
            self.fetching = None;
        }
    }

    /// The consumer is to be given up: hand nothing more out, and let what is in flight end where it can.
    fn leaves(&mut self, leave: Leave) {
        match leave {
            Leave::AtOnce => self.lost = true,
            Leave::Orderly => {
                self.machine.pause(true);
                self.stop_at.get_or_insert_with(|| Instant::now() + HANDING_OVER);
                self.fetching = None;
            }
        }
    }

    fn abort(&mut self) {
        for task in self.running.drain(..).flatten() {
            task.abort();
        }
    }

    /// Gives up on what has no answer yet; it comes again after the next start, as if it had not been handed out.
    async fn release(&mut self) {
        self.abort();
        let unanswered = self.machine.unanswered();
        if unanswered.is_empty() {
            return;
        }
        if let Err(error) = self.source.consumer.release(&unanswered).await {
            let source = self.source.name();
            tracing::warn!(source, %error, events = unanswered.len(), "unanswered events count as handed out");
        }
    }
}

impl Drop for Driver {
    /// A driver that is dropped takes its handlings with it: nobody would settle them.
    fn drop(&mut self) {
        self.abort();
    }
}

fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done(_) => "done",
        Verdict::Retry { .. } => "retry",
        Verdict::Reject(_) => "reject",
        Verdict::Broken { .. } => "broken",
        Verdict::Unavailable { .. } => "unavailable",
    }
}

/// Returns when the bus tells that the consumer is paused or resumed.
async fn told_otherwise(paused: &mut Option<watch::Receiver<bool>>) {
    if let Some(told) = paused
        && told.changed().await.is_ok()
    {
        return;
    }
    // Nobody tells any more, or nobody ever did.
    std::future::pending().await
}

/// The outcome of what is under way, once; waits for ever where nothing is.
async fn taken<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    match under_way {
        Some(future) => {
            let outcome = future.await;
            *under_way = None;
            outcome
        }
        None => std::future::pending().await,
    }
}
