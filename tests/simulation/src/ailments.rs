//! Components that are ill for a while, as after a bad release: of whatever an ill one is handed, it makes nothing good.
//! What fails beyond its attempts is a dead letter, and so is what is refused.

use crate::world::World;
use a4co_host::dispatch::{Rejection, Verdict};
use tokio::time::Instant;

/// How long an illness lasts, in milliseconds, where people act without long pauses: a handler's eight attempts take
/// between six and thirteen seconds.
const LASTS: (u64, u64) = (4_000, 60_000);

/// Who may be ill; those twice that an order depends on.
const PATIENTS: [&str; 11] = [
    "artisan",
    "inventory",
    "inventory",
    "notification",
    "order",
    "order",
    "payment",
    "payment",
    "product",
    "saga",
    "saga",
];

/// What an ill component does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symptom {
    /// It traps before it has done anything.
    Traps,
    /// It does everything and traps before it answers: what it wrote stays, what follows is not known.
    TrapsAfterwards,
    /// It rejects what it should take.
    Rejects,
}

/// An ill component.
#[derive(Debug)]
pub struct Ailment {
    component: &'static str,
    symptom: Symptom,
    until: Instant,
    /// Where only one aggregate is concerned: the first that meets it, once one has.
    only: Option<Option<String>>,
}

impl Ailment {
    /// Another one, of a random component.
    #[must_use]
    pub fn new(world: &World) -> Self {
        let most = LASTS.1.max(world.plan.pause);
        world.roll(|dice| Self {
            component: *dice.pick(&PATIENTS),
            symptom: *dice.pick(&[Symptom::Traps, Symptom::TrapsAfterwards, Symptom::Rejects]),
            until: Instant::now() + dice.millis(LASTS.0, most),
            only: dice.chance(1, 2).then_some(None),
        })
    }

    /// What a delivery of this key to this component meets.
    pub fn met(&mut self, component: &str, key: &str) -> Option<Symptom> {
        if self.component != component || Instant::now() >= self.until {
            return None;
        }
        let concerned = match &mut self.only {
            Some(only) => only.get_or_insert_with(|| key.to_owned()) == key,
            None => true,
        };
        concerned.then_some(self.symptom)
    }
}

impl std::fmt::Display for Ailment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whom = if self.only.is_some() { "one aggregate of " } else { "" };
        write!(f, "{whom}{} is ill: {:?}", self.component, self.symptom)
    }
}

impl Symptom {
    /// The name under which it is counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traps => "trap before anything",
            Self::TrapsAfterwards => "trap after all was done",
            Self::Rejects => "rejected for nothing",
        }
    }

    /// What the host makes of it.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Traps | Self::TrapsAfterwards => Verdict::Broken { reason: "wasm trap: unreachable".to_owned() },
            Self::Rejects => Verdict::Reject(Rejection { reason: "a defect of its own".to_owned(), path: None }),
        }
    }
}
