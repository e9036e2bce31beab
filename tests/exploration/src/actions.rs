//! What may happen next, and what it makes of the world.

use crate::local::{LINES, Line};
use crate::message::{LANES, Part};
use crate::parts::{Number, Outcome, Parts, Step, outside};
use crate::plan;
use crate::properties::{Violation, of_copy, of_failure, of_step};
use crate::world::{Stray, Waiting, World};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The first event of a lane is handled, and what follows is published.
    Deliver(u8, Line),
    /// The same; the event will come once more.
    DeliverAndCopy(u8, Line),
    /// It is handled; the process dies before it publishes.
    DeliverAndCrash(u8, Line),
    /// What a dead process had to publish goes out.
    Recover(u8),
    /// The first event of a lane is dead-lettered.
    Lose(u8),
    /// A stray comes.
    Return(u8, Line),
    /// A timer fires: its event gets on its lane.
    Fire(u8),
    /// The customer cancels; whether HTTP applies it before its delivery.
    Cancel(bool),
    /// The goods are handed over; whether HTTP applies it before its delivery.
    HandOver(bool),
    /// The rival's check of the second product comes.
    Rival,
}

/// What may happen next.
pub fn actions(parts: &mut Parts, world: &World, into: &mut Vec<Action>) {
    into.clear();
    let left = world.left;
    for waiting in world.heads() {
        let lane = waiting.lane;
        for line in lines(parts, world, lane, waiting.message) {
            into.push(Action::Deliver(lane, line));
            if left.copies > 0 {
                into.push(Action::DeliverAndCopy(lane, line));
            }
            if left.crashes > 0 && waiting.applied.is_none() {
                into.push(Action::DeliverAndCrash(lane, line));
            }
        }
        if left.losses > 0 {
            into.push(Action::Lose(lane));
        }
    }
    into.extend(world.held.iter().map(|(lane, _)| Action::Recover(*lane)));
    for (place, stray) in (0_u8..).zip(&world.strays) {
        into.extend(lines(parts, world, stray.lane, stray.message).map(|line| Action::Return(place, line)));
    }
    if left.early > 0 || world.is_quiet() {
        into.extend((0_u8..).zip(&world.timers).map(|(place, _)| Action::Fire(place)));
    }
    if left.cancels > 0 {
        into.extend([Action::Cancel(false), Action::Cancel(true)]);
    }
    if left.deliveries > 0 {
        into.extend([Action::HandOver(false), Action::HandOver(true)]);
    }
    if left.rivals > 0 {
        into.push(Action::Rival);
    }
}

/// How the gateway's call may fare where one is made.
fn lines(parts: &mut Parts, world: &World, lane: u8, message: Number) -> impl Iterator<Item = Line> + use<> {
    let step = parts.step(world.local_of(lane), message, Line::Answered);
    let ways = if step.called && world.left.silences > 0 { LINES.len() } else { 1 };
    LINES.into_iter().take(ways)
}

/// The world after an action.
///
/// # Errors
/// Where the step itself breaks a property.
pub fn apply(parts: &mut Parts, world: &World, action: Action) -> Result<World, Violation> {
    let mut next = world.clone();
    match action {
        Action::Deliver(lane, line) => deliver(parts, &mut next, lane, line, After::Publish)?,
        Action::DeliverAndCopy(lane, line) => {
            next.left.copies -= 1;
            deliver(parts, &mut next, lane, line, After::PublishAndCopy)?;
        }
        Action::DeliverAndCrash(lane, line) => {
            next.left.crashes -= 1;
            deliver(parts, &mut next, lane, line, After::Crash)?;
        }
        Action::Recover(lane) => recover(parts, &mut next, lane),
        Action::Lose(lane) => {
            next.left.losses -= 1;
            if let Some(Waiting { message, .. }) = next.take(lane) {
                next.stray(Stray { lane, message, first: None });
            }
        }
        Action::Return(place, line) => come_back(parts, &mut next, usize::from(place), line)?,
        Action::Fire(place) => {
            if !next.is_quiet() {
                next.left.early -= 1;
            }
            let (_, message) = next.timers.remove(usize::from(place));
            next.publish(parts, message, None);
        }
        Action::Cancel(local) => {
            next.left.cancels -= 1;
            let which = plan::CANCELLATIONS[usize::from(next.left.cancels)];
            request(parts, &mut next, which, local)?;
        }
        Action::HandOver(local) => {
            next.left.deliveries -= 1;
            request(parts, &mut next, "deliver", local)?;
        }
        Action::Rival => {
            next.left.rivals -= 1;
            let message = parts.message(outside("rival", plan::rival()));
            let place = Part::Second.place();
            next.locals[place] = parts.step(next.locals[place], message, Line::Answered).local;
        }
    }
    Ok(next)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Publish,
    PublishAndCopy,
    Crash,
}

fn deliver(parts: &mut Parts, world: &mut World, lane: u8, line: Line, after: After) -> Result<(), Violation> {
    let Some(waiting) = world.take(lane) else { return Ok(()) };
    let (step, handled) = run(parts, world, lane, waiting.message, line)?;
    let Some(outcome) = handled else { return Ok(()) };
    if let Some(first) = waiting.applied {
        of_copy(parts, world.local_of(lane), step, Some(first), waiting.message)?;
    }
    world.locals[LANES[usize::from(lane)].part.place()] = step.local;
    if after == After::PublishAndCopy {
        world.stray(Stray { lane, message: waiting.message, first: Some(outcome) });
    }
    if after == After::Crash {
        world.held.push((lane, outcome));
        world.held.sort_unstable();
    } else {
        publish(parts, world, outcome);
    }
    Ok(())
}

/// Decides. Without an outcome the event was rejected, which is right only where it misses one that was lost; then it
/// is a dead letter too.
fn run(
    parts: &mut Parts,
    world: &mut World,
    lane: u8,
    message: Number,
    line: Line,
) -> Result<(Step, Option<Number>), Violation> {
    let before = world.local_of(lane);
    let step = parts.step(before, message, line);
    world.left.silences -= u8::from(line != Line::Answered);
    if parts.outcomes[step.outcome as usize].failure.is_some() {
        of_failure(parts, world, step, message)?;
        world.stray(Stray { lane, message, first: None });
        return Ok((step, None));
    }
    if step.local != before {
        of_step(parts, before, step, message)?;
    }
    Ok((step, Some(step.outcome)))
}

fn publish(parts: &Parts, world: &mut World, outcome: Number) {
    let outcome = &parts.outcomes[outcome as usize];
    for message in &outcome.emits {
        world.publish(parts, *message, None);
    }
    set_timers(world, outcome);
}

fn set_timers(world: &mut World, outcome: &Outcome) {
    for name in &outcome.drops {
        world.drop(*name);
    }
    for (name, message) in &outcome.timers {
        world.set(*name, *message);
    }
}

fn recover(parts: &Parts, world: &mut World, lane: u8) {
    if let Some(place) = world.held.iter().position(|(held, _)| *held == lane) {
        let (_, outcome) = world.held.remove(place);
        publish(parts, world, outcome);
    }
}

fn come_back(parts: &mut Parts, world: &mut World, place: usize, line: Line) -> Result<(), Violation> {
    let stray = world.strays.remove(place);
    let before = world.local_of(stray.lane);
    let Some(first) = stray.first else {
        let (step, outcome) = run(parts, world, stray.lane, stray.message, line)?;
        world.locals[LANES[usize::from(stray.lane)].part.place()] = step.local;
        if let Some(outcome) = outcome {
            publish(parts, world, outcome);
        }
        return Ok(());
    };
    let step = parts.step(before, stray.message, line);
    world.left.silences -= u8::from(line != Line::Answered);
    of_copy(parts, before, step, Some(first), stray.message)?;
    // The host has forgotten which timers the event set: it sets them again, and they fire once more, stale.
    set_timers(world, &parts.outcomes[step.outcome as usize]);
    // What follows is published once more: copies, of which those that were handled must change nothing either.
    let mut copies = parts.outcomes[step.outcome as usize].emits.clone();
    while let Some(message) = copies.pop() {
        for lane in parts.lanes(message).to_vec() {
            if is_to_come(parts, world, lane, message) {
                continue;
            }
            let before = world.local_of(lane);
            let step = parts.step(before, message, Line::Answered);
            of_copy(parts, before, step, None, message)?;
            copies.extend(&parts.outcomes[step.outcome as usize].emits);
        }
    }
    Ok(())
}

/// Whether an event was not handled yet: it waits, is a dead letter, or was not published by a process that died.
fn is_to_come(parts: &Parts, world: &World, lane: u8, message: Number) -> bool {
    world.waiting.iter().any(|there| there.lane == lane && there.message == message)
        || world.lost().any(|there| there.lane == lane && there.message == message)
        || world.held.iter().any(|(_, outcome)| parts.outcomes[*outcome as usize].emits.contains(&message))
}

/// A write over HTTP: the event is published, and may be applied before it is delivered.
fn request(parts: &mut Parts, world: &mut World, what: &str, local: bool) -> Result<(), Violation> {
    let event = if plan::CANCELLATIONS.contains(&what) { plan::cancel() } else { plan::deliver() };
    let message = parts.message(outside(what, event));
    let mut applied = None;
    if local {
        let place = Part::Order.place();
        let step = parts.step(world.locals[place], message, Line::Answered);
        of_step(parts, world.locals[place], step, message)?;
        world.locals[place] = step.local;
        applied = Some(step.outcome);
    }
    world.publish(parts, message, applied);
    Ok(())
}
