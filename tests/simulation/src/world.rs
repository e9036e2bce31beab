//! What everybody shares: the disk and the log on it, the gateway outside, time, dice, the trace and the model that
//! watches.

use crate::ailments::Ailment;
use crate::counts::Counts;
use crate::dice::Dice;
use crate::gateway::Gateway;
use crate::model::Model;
use crate::mutation::Mutation;
use crate::plan::{Plan, Rates};
use crate::process::{End, Process};
use crate::time::Wall;
use crate::trace::Trace;
use a4co_host::bus::EventBus as _;
use a4co_host::bus::simulated::SimulatedBus;
use a4co_host::event::Event as Logged;
use a4co_host::keyvalue::simulated::SimulatedKeyValue;
use a4co_host::manifest::Application;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// The one store label; keys of components are kept apart by prefix, as in a guest.
pub const STORE: &str = "default";
/// An await in tens of milliseconds.
const DELAY: (u64, u64) = (1, 25);
/// An await of a slow consumer, in milliseconds.
const SLOW: (u64, u64) = (200, 8_000);

/// See the module.
pub struct World {
    /// What the seed decided.
    pub plan: Plan,
    /// What is not as shipped.
    pub mutation: Option<Mutation>,
    /// The manifest as shipped.
    pub application: Arc<Application>,
    /// The log, consumers, timers and dead letters.
    pub bus: SimulatedBus,
    /// The key-value store.
    pub keys: SimulatedKeyValue,
    /// The payment gateway, which no crash touches.
    pub gateway: Gateway,
    /// The time.
    pub wall: Wall,
    /// Who watches.
    pub model: Mutex<Model>,
    /// The processes that live, by their place.
    pub fleet: Mutex<Vec<Option<Arc<Process>>>>,
    /// The component that is ill.
    pub ailment: Mutex<Option<Ailment>>,
    /// Deliveries that were handed out and are not settled: (component, source, sequence) and the key.
    pub unsettled: Mutex<Unsettled>,
    unsettled_on_disk: Mutex<Unsettled>,
    /// What each process has handed out and not settled: process, source and key as the design names it, and the sequence.
    held: Mutex<BTreeMap<(String, String, String), u64>>,
    rates: Mutex<Rates>,
    dice: Mutex<Dice>,
    trace: Mutex<Trace>,
    counts: Counts,
    ids: Mutex<u64>,
    published: Mutex<broadcast::Receiver<Arc<Logged>>>,
    dirty: Notify,
    /// Whether something is not on disk, and how often all was brought there.
    disk: Mutex<(bool, u64)>,
    flushed: Notify,
}

/// Deliveries by component, source and sequence, and the key of each.
pub type Unsettled = BTreeMap<(String, String, u64), String>;

/// What happens to a process at an await.
enum Hitch {
    Nothing,
    Yield,
    Wait(Duration),
    End(End),
}

impl World {
    /// The world of a plan, before anything happened.
    #[must_use]
    pub fn new(plan: Plan, application: Arc<Application>, mutation: Option<Mutation>) -> Arc<Self> {
        let wall = Wall::new();
        let faults = plan.rates.calm().adapters;
        let bus = SimulatedBus::new(application.streams.clone(), Arc::new(wall.clone()), faults);
        bus.count_with_next_flush(plan.embedded);
        let published = Mutex::new(bus.tail());
        Arc::new(Self {
            mutation,
            keys: SimulatedKeyValue::new(faults),
            gateway: Gateway::new(wall.clone()),
            model: Mutex::new(Model::default()),
            fleet: Mutex::new(vec![None; plan.processes]),
            ailment: Mutex::default(),
            unsettled: Mutex::default(),
            unsettled_on_disk: Mutex::default(),
            held: Mutex::default(),
            rates: Mutex::new(plan.rates.calm()),
            dice: Mutex::new(Dice::new(plan.seed, 2)),
            trace: Mutex::default(),
            counts: Counts::default(),
            ids: Mutex::new(0),
            dirty: Notify::new(),
            disk: Mutex::default(),
            flushed: Notify::new(),
            application,
            bus,
            wall,
            published,
            plan,
        })
    }

    /// From now on so much goes wrong.
    pub fn set_rates(&self, rates: Rates) {
        *self.rates.lock() = rates;
        self.bus.set_faults(rates.adapters);
        self.keys.set_faults(rates.adapters);
    }

    /// How much goes wrong.
    #[must_use]
    pub fn rates(&self) -> Rates {
        *self.rates.lock()
    }

    /// Rolls the dice.
    pub fn roll<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock())
    }

    /// Whether this is what is not as shipped.
    #[must_use]
    pub fn mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// An id that was never given before, later ones sorting after earlier ones.
    pub fn new_id(&self) -> String {
        let mut ids = self.ids.lock();
        *ids += 1;
        format!("id-{:05}", *ids)
    }

    /// A line of the trace.
    pub fn note(&self, who: &dyn Display, what: &dyn Display) {
        let at = self.wall.elapsed().as_millis();
        self.trace.lock().add(format!("{:>4}.{:03} {who:<6} {what}", at / 1_000, at % 1_000));
    }

    /// This went wrong once more.
    pub fn count(&self, fault: &'static str) {
        self.counts.add(fault);
    }

    /// How often what went wrong: what was counted here, and what bus and store tell of themselves.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.all(&self.bus, &self.keys)
    }

    /// An event is handed out: no earlier one of its source and key may be unsettled.
    pub fn hands_out(&self, process: &Process, (source, sequence): (&str, u64), key: &str) {
        let place = (process.name.clone(), source.to_owned(), key.to_owned());
        let other = self.held.lock().insert(place, sequence).filter(|other| *other != sequence);
        if let Some(other) = other {
            let what = format!("{source}: {sequence} of {key} is handed out, and {other} is not settled");
            self.model.lock().wrong(what);
        }
    }

    /// It is settled.
    pub fn settles(&self, process: &Process, source: &str, sequence: u64) {
        let its = |place: &(String, String, String)| place.0 == process.name && place.1 == source;
        self.held.lock().retain(|place, held| !(its(place) && *held == sequence));
    }

    /// The trace so far.
    pub fn trace<T>(&self, read: impl FnOnce(&Trace) -> T) -> T {
        read(&self.trace.lock())
    }

    /// One await of a process: time may pass, it may be suspended or killed here.
    pub async fn step(&self, process: &Process) {
        match self.hitch() {
            Hitch::Nothing => {}
            Hitch::Yield => tokio::task::yield_now().await,
            Hitch::Wait(wait) => tokio::time::sleep(wait).await,
            Hitch::End(end) => {
                if process.finish(end) {
                    self.count(if end == End::Killed { "killed" } else { "suspended" });
                    self.note(&process.name, &format_args!("{end:?}"));
                }
            }
        }
        process.runs().await;
    }

    fn hitch(&self) -> Hitch {
        let rates = self.rates();
        let dice = &mut self.dice.lock();
        if dice.chance(rates.crash, 100_000) {
            Hitch::End(End::Killed)
        } else if dice.chance(rates.suspend, 100_000) {
            Hitch::End(End::Suspended)
        } else if dice.chance(rates.slow, 10_000) {
            self.count("slow");
            Hitch::Wait(dice.millis(SLOW.0, SLOW.1))
        } else if dice.chance(rates.delay, 1_000) {
            self.count("delay");
            Hitch::Wait(dice.millis(DELAY.0, DELAY.1))
        } else if dice.chance(1, 3) {
            Hitch::Yield
        } else {
            Hitch::Nothing
        }
    }

    /// Something was written: the model sees what was published, and the disk has something to flush.
    pub fn wrote(&self) {
        loop {
            let published = self.published.lock().try_recv();
            match published {
                Ok(event) => {
                    let id = event.id().unwrap_or("-");
                    let about = event.envelope().map_or("-", |envelope| envelope.aggregate_id.as_str());
                    self.note(&"log", &format_args!("{} of {about} ({id})", event.subject));
                    self.model.lock().logged(&event);
                }
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    self.model.lock().wrong(format!("the simulation missed {missed} events: look more often"));
                }
                Err(_) => break,
            }
        }
        if self.plan.embedded {
            self.disk.lock().0 = true;
            self.dirty.notify_one();
        }
    }

    /// A key may have another value now: the model looks.
    pub fn looks_at(&self, key: &str) {
        let value = self.keys.peek(STORE, key);
        self.model.lock().wrote(key, value.as_deref());
        self.wrote();
    }

    /// Returns when everything so far is on disk.
    pub async fn durable(&self) {
        let (dirty, flushes) = *self.disk.lock();
        while dirty && self.disk.lock().1 == flushes {
            // Woken in the order in which they wait: a run is the same each time.
            self.flushed.notified().await;
        }
    }

    /// Brings everything to disk, a moment after it was written; the embedded process's writer.
    pub async fn keep_flushing(&self) {
        loop {
            self.dirty.notified().await;
            let wait = self.roll(|dice| if dice.chance(1, 10) { dice.millis(50, 400) } else { dice.millis(0, 12) });
            tokio::time::sleep(wait).await;
            let alive = self.fleet.lock().iter().flatten().all(|process| !process.is_dead());
            if alive {
                self.flush();
            }
        }
    }

    /// Everything is on disk now.
    pub fn flush(&self) {
        self.bus.flush();
        self.keys.flush();
        self.model.lock().mark();
        self.unsettled.lock().clone_into(&mut self.unsettled_on_disk.lock());
        let flushes = self.disk.lock().1;
        *self.disk.lock() = (false, flushes + 1);
        self.flushed.notify_waiters();
    }

    /// The embedded process died: what was not on disk is gone.
    pub fn lose_unflushed(&self) {
        if std::mem::take(&mut self.disk.lock().0) {
            self.count("lost what was not flushed");
        }
        self.bus.crash();
        self.keys.crash();
        self.model.lock().roll_back(&self.keys.contents(STORE));
        self.unsettled_on_disk.lock().clone_into(&mut self.unsettled.lock());
    }
}
