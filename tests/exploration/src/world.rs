//! Everything at one moment: the parts' states, what is under way, and what may still go wrong.

use crate::message::LANES;
use crate::parts::{Number, Parts, outside};
use crate::plan::{Plan, Troubles};
use std::hash::{DefaultHasher, Hash, Hasher};

/// An event on its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The lane.
    pub lane: u8,
    /// The event.
    pub message: Number,
    /// What came of it, where HTTP applied it before its delivery.
    pub applied: Option<Number>,
}

/// An event that has left its lane and may still come, at any time or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stray {
    /// To whom.
    pub lane: u8,
    /// The event.
    pub message: Number,
    /// What came of it when it came first; `None` where it never did: it is a dead letter.
    pub first: Option<Number>,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The parts' states.
    pub locals: [Number; 5],
    /// Events on their lanes, by lane, oldest first.
    pub waiting: Vec<Waiting>,
    /// Events that were handled by a process that died before it published what follows: the lane and the outcome.
    pub held: Vec<(u8, Number)>,
    /// Events off their lanes, in order.
    pub strays: Vec<Stray>,
    /// Timers that run: name and event, by name.
    pub timers: Vec<(Number, Number)>,
    /// What may still go wrong.
    pub left: Troubles,
}

impl World {
    /// The order was just placed.
    pub fn start(parts: &mut Parts, locals: [Number; 5], plan: &Plan) -> Self {
        let created = parts.message(outside("created", plan.created()));
        let mut world = Self {
            locals,
            waiting: Vec::new(),
            held: Vec::new(),
            strays: Vec::new(),
            timers: Vec::new(),
            left: plan.troubles,
        };
        world.publish(parts, created, None);
        world
    }

    /// A fingerprint: two worlds of one are taken for the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Puts an event on its lanes. One that waits there already is the same event once more.
    pub fn publish(&mut self, parts: &Parts, message: Number, applied: Option<Number>) {
        for lane in parts.lanes(message) {
            if self.waiting.iter().any(|there| there.lane == *lane && there.message == message) {
                continue;
            }
            let end = self.waiting.partition_point(|there| there.lane <= *lane);
            self.waiting.insert(end, Waiting { lane: *lane, message, applied });
        }
    }

    /// The events that may be handed out: the first of each lane that does not wait for a crashed process.
    pub fn heads(&self) -> impl Iterator<Item = Waiting> + '_ {
        let first = |place: &usize| *place == 0 || self.waiting[place - 1].lane != self.waiting[*place].lane;
        let free = |waiting: &Waiting| self.held.iter().all(|(lane, _)| *lane != waiting.lane);
        (0..self.waiting.len()).filter(first).map(|place| self.waiting[place]).filter(free)
    }

    /// Takes the first event of a lane.
    pub fn take(&mut self, lane: u8) -> Option<Waiting> {
        let place = self.waiting.iter().position(|there| there.lane == lane)?;
        Some(self.waiting.remove(place))
    }

    /// Adds a stray.
    pub fn stray(&mut self, stray: Stray) {
        let place = self.strays.partition_point(|there| *there < stray);
        if self.strays.get(place) != Some(&stray) {
            self.strays.insert(place, stray);
        }
    }

    /// Sets a timer, in the place of one of the same name.
    pub fn set(&mut self, name: Number, message: Number) {
        self.drop(name);
        let place = self.timers.partition_point(|(there, _)| *there < name);
        self.timers.insert(place, (name, message));
    }

    /// Drops a timer.
    pub fn drop(&mut self, name: Number) {
        self.timers.retain(|(there, _)| *there != name);
    }

    /// Whether nothing is under way: only time can go on.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.held.is_empty()
    }

    /// Whether nothing will happen any more by itself.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_quiet() && self.timers.is_empty()
    }

    /// The dead letters.
    pub fn lost(&self) -> impl Iterator<Item = &Stray> + '_ {
        self.strays.iter().filter(|stray| stray.first.is_none())
    }

    /// The state of a lane's part.
    #[must_use]
    pub fn local_of(&self, lane: u8) -> Number {
        self.locals[LANES[usize::from(lane)].part.place()]
    }
}
