//! What must hold: of every step, of every moment, and where nothing happens any more.

use crate::message::{LANES, Part};
use crate::parts::{Number, Parts, Step, outside_id};
use crate::plan::{CANCELLATIONS, Plan, QUANTITIES, TOTAL};
use crate::view::{Shelf, View};
use crate::world::World;
use inventory::domain::Status as Claim;
use kit::Event;
use kit::events::saga::SagaStep;
use order::domain::Status;
use saga::domain::Phase;

/// A property that does not hold, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(why())) }
}

/// Of a step that changes something: a final status stays, and a saga that has turned back does not go forward.
///
/// # Errors
/// Where it does not hold.
pub fn of_step(parts: &Parts, before: Number, step: Step, message: Number) -> Result<(), Violation> {
    let (was, is) = (&parts.views[before as usize], &parts.views[step.local as usize]);
    match (was, is) {
        (View::Order(was), View::Order(is)) => {
            let right = match was {
                Status::Absent => matches!(is, Status::Absent | Status::Pending | Status::Cancelled),
                Status::Pending => matches!(is, Status::Pending | Status::Confirmed | Status::Cancelled),
                Status::Confirmed => !matches!(is, Status::Absent | Status::Pending),
                Status::Cancelled | Status::Delivered => was == is,
            };
            must(right, || format!("the order was {was:?} and becomes {is:?}"))
        }
        (View::Saga(was, _), View::Saga(is, _)) => {
            let forward = *was == Phase::Absent || was.is_forward();
            let outcome = &parts.outcomes[step.outcome as usize];
            let subjects = outcome.emits.iter().map(|emitted| parts.messages[*emitted as usize].event.subject());
            let forth = |subject: &str| {
                matches!(
                    subject,
                    "inventory.stock.check" | "payment.process" | "order.confirm" | "inventory.stock.sell"
                )
            };
            let on = subjects.into_iter().find(|subject| forth(subject));
            must(forward || on.is_none(), || format!("the saga was {was:?} and sends {}", on.unwrap_or_default()))?;
            must(*was != Phase::Failed || matches!(is, Phase::Failed), || format!("the saga had failed and is {is:?}"))
        }
        (View::Shelf(_), View::Shelf(shelf)) => {
            let subject = parts.messages[message as usize].event.subject();
            must(shelf.counts.balanced(), || format!("pieces were made or lost by {subject}: {is}"))
        }
        _ => Ok(()),
    }
}

/// Of an event that was handled before: to an empty inbox, it changes nothing and says the same.
///
/// # Errors
/// Where it does not hold.
pub fn of_copy(
    parts: &Parts,
    before: Number,
    step: Step,
    first: Option<Number>,
    message: Number,
) -> Result<(), Violation> {
    let subject = parts.messages[message as usize].event.subject();
    let (was, is) = (&parts.views[before as usize], &parts.views[step.local as usize]);
    // A settled claim leaves the product's aggregate with the next write, whatever that is: it says the same there.
    let same = step.local == before || (matches!(was, View::Shelf(_)) && was == is);
    must(same, || format!("a copy of {subject} makes {is} of {was}"))?;
    let Some(first) = first else { return Ok(()) };
    let said = |outcome: Number| {
        let outcome = &parts.outcomes[outcome as usize];
        let events = outcome.emits.iter().map(|emitted| &parts.messages[*emitted as usize]);
        events.map(|event| (event.event.subject(), &event.id)).collect::<Vec<_>>()
    };
    let same = parts.outcomes[first as usize].emits == parts.outcomes[step.outcome as usize].emits;
    must(same, || format!("{subject} led to {:?}, its copy to {:?}", said(first), said(step.outcome)))
}

/// Of a failure: only an event that misses one which was lost may be rejected.
///
/// # Errors
/// Where it does not hold.
pub fn of_failure(parts: &Parts, world: &World, step: Step, message: Number) -> Result<(), Violation> {
    let subject = parts.messages[message as usize].event.subject();
    let why = parts.outcomes[step.outcome as usize].failure.clone().unwrap_or_default();
    must(world.lost().next().is_some(), || format!("{subject} is rejected: {why}"))
}

/// The parts of a world, as they are seen.
struct Seen<'a> {
    order: Status,
    phase: Phase,
    deadlines: &'a [(SagaStep, u32)],
    shelves: [&'a Shelf; 2],
    taken: u64,
    returned: u64,
}

impl<'a> Seen<'a> {
    fn of(parts: &'a Parts, world: &World) -> Result<Self, Violation> {
        let views = world.locals.map(|local| &parts.views[local as usize]);
        match views {
            [
                View::Order(order),
                View::Saga(phase, deadlines),
                View::Shelf(first),
                View::Shelf(second),
                View::Till(taken, returned),
            ] => Ok(Self {
                order: *order,
                phase: *phase,
                deadlines,
                shelves: [first, second],
                taken: *taken,
                returned: *returned,
            }),
            _ => Err(Violation(format!("these are not the parts in their order: {views:?}"))),
        }
    }

    /// What the customer has paid, in minor units.
    fn paid(&self) -> u64 {
        self.taken.saturating_sub(self.returned)
    }

    fn stands(&self) -> bool {
        matches!(self.order, Status::Confirmed | Status::Delivered)
    }

    fn says(&self) -> String {
        let claims = self.shelves.map(Shelf::claim);
        let (taken, returned) = (self.taken, self.returned);
        format!("order {:?}, saga {:?}, claims {claims:?}, {taken} taken, {returned} returned", self.order, self.phase)
    }
}

/// Of every moment.
///
/// # Errors
/// Where it does not hold.
pub fn of_moment(parts: &Parts, world: &World, plan: &Plan) -> Result<(), Violation> {
    let seen = Seen::of(parts, world)?;
    for (shelf, stock) in seen.shelves.iter().zip(plan.stock) {
        let counts = shelf.counts;
        let right = counts.balanced() && counts.received == stock;
        let right = right && counts.reserved == shelf.claimed(Claim::Held) && counts.sold == shelf.claimed(Claim::Sold);
        must(right, || format!("pieces were made or lost: {counts:?}, {stock} at first"))?;
    }
    let says = |what: &str| format!("{what}: {}", seen.says());
    let paid = seen.paid();
    must(seen.taken >= seen.returned && (paid == 0 || paid == TOTAL), || says("too much was taken or returned"))?;
    must(!seen.stands() || paid == TOTAL, || says("it stands and is not paid"))?;
    must(seen.phase != Phase::Failed || paid == 0, || says("it failed and is paid"))?;
    let holds = seen.shelves.iter().any(|shelf| matches!(shelf.claim(), Some(Claim::Held | Claim::Sold)));
    must(seen.phase != Phase::Failed || !holds, || says("it failed and holds stock"))?;
    let sold = seen.shelves.iter().all(|shelf| shelf.claim() == Some(Claim::Sold));
    must(seen.order != Status::Delivered || sold, || says("it is delivered and not sold"))?;
    let unguarded = seen.deadlines.iter().find(|deadline| !is_guarded(parts, world, **deadline));
    must(unguarded.is_none(), || format!("the timer of {unguarded:?} is gone: {}", seen.says()))
}

/// Whether a deadline that runs will run out: its timer is set, or is being set, or its event is under way or dead.
fn is_guarded(parts: &Parts, world: &World, (step, generation): (SagaStep, u32)) -> bool {
    let tells = |message: Number| match &parts.messages[message as usize].event {
        Event::SagaTimeout(timeout) => (timeout.step, timeout.generation) == (step, generation),
        _ => false,
    };
    let held = |outcome: Number| parts.outcomes[outcome as usize].timers.iter().any(|(_, message)| tells(*message));
    world.timers.iter().any(|(_, message)| tells(*message))
        || world.waiting.iter().any(|there| tells(there.message))
        || world.held.iter().any(|(_, outcome)| held(*outcome))
        || world.lost().any(|stray| tells(stray.message))
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Confirmed, paid and sold.
    Confirmed,
    /// Delivered, paid and sold.
    Delivered,
    /// Cancelled; nothing was ever charged.
    Cancelled,
    /// Cancelled; what was charged is refunded.
    Refunded,
    /// `order.created` or `order.cancelled` to the saga, or the customer's own `order.cancel`, is a dead letter: nothing
    /// else tells it, so a person has to bring it back.
    Waiting,
}

/// Where nothing happens any more by itself.
///
/// # Errors
/// Where it is no end.
pub fn of_end(parts: &Parts, world: &World) -> Result<End, Violation> {
    let seen = Seen::of(parts, world)?;
    let lost = world.lost().any(|stray| {
        let message = &parts.messages[stray.message as usize];
        match LANES[usize::from(stray.lane)].part {
            Part::Saga => matches!(message.event, Event::OrderCreated(_) | Event::OrderCancelled(_)),
            Part::Order => CANCELLATIONS.iter().any(|name| message.id == outside_id(name)),
            Part::First | Part::Second | Part::Payment => false,
        }
    });
    let end = match (seen.order, seen.phase) {
        (Status::Confirmed, Phase::Completed) => End::Confirmed,
        (Status::Delivered, Phase::Completed) => End::Delivered,
        (Status::Cancelled, Phase::Failed) if seen.taken == 0 => End::Cancelled,
        (Status::Cancelled, Phase::Failed) => End::Refunded,
        _ if lost => return Ok(End::Waiting),
        _ => return Err(Violation(format!("nothing happens any more, and it is no end: {}", seen.says()))),
    };
    must(seen.deadlines.is_empty(), || format!("it ended with deadlines: {}", seen.says()))?;
    if matches!(end, End::Confirmed | End::Delivered) {
        let sold = seen.shelves.iter().zip(QUANTITIES).all(|(shelf, quantity)| {
            shelf.claim() == Some(Claim::Sold) && shelf.counts.sold == quantity && shelf.claimed(Claim::Held) == 0
        });
        must(sold && seen.paid() == TOTAL, || format!("it stands without sale or money: {}", seen.says()))?;
    }
    Ok(end)
}
