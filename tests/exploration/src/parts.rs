//! The parts with everything they ever did: states, messages and outcomes are numbered, and what a state makes of a
//! message is decided once. So a step of the exploration is a look into a table, though the shipped code decides.

use crate::faults::Fault;
use crate::local::{Line, Local, handle};
use crate::message::{Message, PARTS, Part};
use crate::plan::{NOW, ORDER, PRODUCTS, Plan, RIVAL};
use crate::view::View;
use kit::{Event, Failure, Output};
use rustc_hash::FxHashMap;

/// A number that stands for what it was given for.
pub type Number = u32;

/// What follows from a message, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// Messages to publish, in order.
    pub emits: Vec<Number>,
    /// Timers to set: name and message.
    pub timers: Vec<(Number, Number)>,
    /// Names of timers to drop.
    pub drops: Vec<Number>,
    /// Why it failed, where it did.
    pub failure: Option<String>,
}

/// What a state makes of a message.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The state after it.
    pub local: Number,
    /// The outcome.
    pub outcome: Number,
    /// Whether the gateway was called.
    pub called: bool,
}

/// See the module.
pub struct Parts {
    fault: Option<&'static Fault>,
    locals: Vec<(Part, Local)>,
    /// What is seen of each state.
    pub views: Vec<View>,
    local_numbers: FxHashMap<(Part, Local), Number>,
    /// All messages.
    pub messages: Vec<Message>,
    message_lanes: Vec<Vec<u8>>,
    message_numbers: FxHashMap<String, Number>,
    /// All outcomes.
    pub outcomes: Vec<Outcome>,
    outcome_numbers: FxHashMap<Outcome, Number>,
    names: Vec<String>,
    steps: FxHashMap<(Number, Number, Line), Step>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("locals", &self.locals.len()).field("messages", &self.messages.len()).finish()
    }
}

impl Parts {
    /// The parts before anything happened, and the numbers of their states. With a fault, one of them is not as shipped.
    #[must_use]
    pub fn new(plan: &Plan, fault: Option<&'static Fault>) -> (Self, [Number; 5]) {
        let mut parts = Self {
            fault,
            locals: Vec::new(),
            views: Vec::new(),
            local_numbers: FxHashMap::default(),
            messages: Vec::new(),
            message_lanes: Vec::new(),
            message_numbers: FxHashMap::default(),
            outcomes: Vec::new(),
            outcome_numbers: FxHashMap::default(),
            names: Vec::new(),
            steps: FxHashMap::default(),
        };
        let start = PARTS.map(|part| {
            let local = match part {
                Part::First => listed(plan, part, 0),
                Part::Second => listed(plan, part, 1),
                Part::Order | Part::Saga | Part::Payment => Local::default(),
            };
            parts.local(part, local)
        });
        (parts, start)
    }

    /// What a state makes of a message.
    pub fn step(&mut self, local: Number, message: Number, line: Line) -> Step {
        if let Some(step) = self.steps.get(&(local, message, line)) {
            return *step;
        }
        let step = self.decide(local, message, line);
        self.steps.insert((local, message, line), step);
        step
    }

    /// How many decisions were taken by the shipped code.
    #[must_use]
    pub fn decisions(&self) -> usize {
        self.steps.len()
    }

    /// The state of a number.
    #[must_use]
    pub fn state(&self, local: Number) -> &Local {
        &self.locals[local as usize].1
    }

    /// The lanes of a message.
    #[must_use]
    pub fn lanes(&self, message: Number) -> &[u8] {
        &self.message_lanes[message as usize]
    }

    /// The number of a message.
    pub fn message(&mut self, message: Message) -> Number {
        let text = message.event.data().unwrap_or_default();
        let key = format!("{}|{}|{}|{text}", message.id, message.of, message.event.subject());
        let next = number(self.messages.len());
        let found = *self.message_numbers.entry(key).or_insert(next);
        if found == next {
            self.message_lanes.push(message.lanes().collect());
            self.messages.push(message);
        }
        found
    }

    /// The name of a timer.
    #[must_use]
    pub fn name(&self, name: Number) -> &str {
        &self.names[name as usize]
    }

    fn decide(&mut self, local: Number, message: Number, line: Line) -> Step {
        let (part, before) = self.locals[local as usize].clone();
        let said = self.messages[message as usize].clone();
        let handled = match self.fault.filter(|fault| fault.part(part)) {
            Some(fault) => fault.handle(part, &before, &said, line),
            None => handle(part, &before, &said, line),
        };
        let outcome = match handled.outputs {
            Ok(outputs) => self.outcome(part, &said, outputs),
            Err(Failure::Reject(why)) => Outcome { failure: Some(why), ..Outcome::default() },
            Err(Failure::Retry(retry)) => Outcome { failure: Some(retry.reason), ..Outcome::default() },
        };
        let next = number(self.outcomes.len());
        let found = *self.outcome_numbers.entry(outcome.clone()).or_insert(next);
        if found == next {
            self.outcomes.push(outcome);
        }
        Step { local: self.local(part, handled.local), outcome: found, called: handled.called }
    }

    fn outcome(&mut self, part: Part, cause: &Message, outputs: Vec<Output>) -> Outcome {
        let mut outcome = Outcome::default();
        // Nobody here waits for the rival's events.
        let ours = |event: &Event| !event.data().unwrap_or_default().contains(RIVAL);
        for (place, output) in outputs.into_iter().enumerate() {
            let follow = |emission: kit::events::Emission| Message {
                id: kit::ids::derived("emission", &[part.component(), &cause.id, &place.to_string()]),
                of: emission.aggregate_id,
                saga_id: emission.saga_id,
                event: emission.event,
            };
            match output {
                Output::Emit(emission) if ours(&emission.event) => {
                    let emitted = self.message(follow(emission));
                    if !self.lanes(emitted).is_empty() {
                        outcome.emits.push(emitted);
                    }
                }
                Output::Timer(timer) if ours(&timer.emission.event) => {
                    let name = self.timer_name(part, &timer.name);
                    let fired = self.message(follow(timer.emission));
                    outcome.timers.push((name, fired));
                }
                Output::CancelTimer(name) if !name.contains(RIVAL) => {
                    let name = self.timer_name(part, &name);
                    outcome.drops.push(name);
                }
                Output::Emit(_) | Output::Timer(_) | Output::CancelTimer(_) => {}
            }
        }
        outcome
    }

    fn timer_name(&mut self, part: Part, name: &str) -> Number {
        let whole = format!("{part:?}/{name}");
        match self.names.iter().position(|known| *known == whole) {
            Some(place) => number(place),
            None => {
                self.names.push(whole);
                number(self.names.len() - 1)
            }
        }
    }

    fn local(&mut self, part: Part, local: Local) -> Number {
        let next = number(self.locals.len());
        let key = (part, local);
        let found = *self.local_numbers.entry(key.clone()).or_insert(next);
        if found == next {
            self.views.push(View::of(part, &key.1));
            self.locals.push(key);
        }
        found
    }
}

fn listed(plan: &Plan, part: Part, place: usize) -> Local {
    let event = plan.listed(place);
    let id = format!("listed-{place}");
    let message = Message { id, of: PRODUCTS[place].to_owned(), saga_id: None, event };
    handle(part, &Local::default(), &message, Line::Answered).local
}

/// What comes from outside: an event of the order, or for the second product.
#[must_use]
pub fn outside(name: &str, event: Event) -> Message {
    let of = if matches!(event, Event::InventoryStockCheck(_)) { PRODUCTS[1] } else { ORDER };
    Message { id: outside_id(name), of: of.to_owned(), saga_id: Some(kit::ids::saga(ORDER)), event }
}

/// The id of what comes from outside.
#[must_use]
pub fn outside_id(name: &str) -> String {
    format!("{name}-{}", NOW.0)
}

fn number(place: usize) -> Number {
    Number::try_from(place).unwrap_or(Number::MAX)
}
