//! The way to a violation, step by step, in words.

use crate::actions::{Action, apply};
use crate::local::Line;
use crate::message::LANES;
use crate::parts::{Number, Parts};
use crate::properties::Violation;
use crate::world::World;
use std::fmt;

/// The way to a violation.
#[derive(Debug)]
pub struct Trace {
    /// What does not hold.
    pub violation: Violation,
    /// What happened, in order.
    pub steps: Vec<String>,
}

impl Trace {
    /// Walks the way once more and tells it.
    pub fn of(parts: &mut Parts, start: &World, way: &[Action], violation: Violation) -> Self {
        let mut world = start.clone();
        let mut steps = Vec::new();
        for action in way {
            let what = describe(parts, &world, *action);
            match apply(parts, &world, *action) {
                Ok(next) => {
                    steps.push(format!("{what}{}", changes(parts, &world, &next)));
                    world = next;
                }
                Err(_) => steps.push(what),
            }
        }
        Self { violation, steps }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation.0)?;
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:>4}. {step}")?;
        }
        Ok(())
    }
}

fn describe(parts: &Parts, world: &World, action: Action) -> String {
    let head = |lane: u8| {
        let waiting = world.waiting.iter().find(|there| there.lane == lane);
        waiting.map_or_else(String::new, |waiting| named(parts, waiting.message, lane))
    };
    match action {
        Action::Deliver(lane, line) => format!("{}{}", head(lane), heard(line)),
        Action::DeliverAndCopy(lane, line) => format!("{}{}; it will come again", head(lane), heard(line)),
        Action::DeliverAndCrash(lane, line) => format!("{}{}; crash before publishing", head(lane), heard(line)),
        Action::Recover(lane) => {
            let LaneName(part, stream) = lane_name(lane);
            format!("{part} publishes what it held of the stream {stream}")
        }
        Action::Lose(lane) => format!("{} is dead-lettered", head(lane)),
        Action::Return(place, line) => {
            let stray = world.strays[usize::from(place)];
            let what = if stray.first.is_some() { "a copy of" } else { "the dead letter" };
            format!("{what} {}{}", named(parts, stray.message, stray.lane), heard(line))
        }
        Action::Fire(place) => {
            let (name, _) = world.timers[usize::from(place)];
            format!("the timer {} fires", parts.name(name))
        }
        Action::Cancel(local) => format!("the customer cancels{}", if local { ", applied at once" } else { "" }),
        Action::HandOver(local) => format!("the goods are handed over{}", if local { ", applied at once" } else { "" }),
        Action::Rival => "someone else asks for the last piece".to_owned(),
    }
}

struct LaneName(&'static str, &'static str);

fn lane_name(lane: u8) -> LaneName {
    let lane = LANES[usize::from(lane)];
    LaneName(lane.part.component(), lane.stream)
}

fn named(parts: &Parts, message: Number, lane: u8) -> String {
    let said = &parts.messages[message as usize];
    format!("{} {} → {}", said.event.subject(), &said.of[..said.of.len().min(8)], lane_name(lane).0)
}

fn heard(line: Line) -> &'static str {
    match line {
        Line::Answered => "",
        Line::Silent => "; the gateway does it and does not answer",
        Line::Dead => "; the gateway is not reached",
    }
}

fn changes(parts: &Parts, before: &World, after: &World) -> String {
    let views = before.locals.iter().zip(&after.locals).filter(|(was, is)| was != is);
    views.map(|(_, is)| format!("; {}", parts.views[*is as usize])).collect()
}
