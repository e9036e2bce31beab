//! What goes wrong beside the awaits: the clock jumps, bus and store are away, processes are stopped, old events come
//! again, components are ill, events come that nobody can read, inboxes are empty.

use crate::ailments::Ailment;
use crate::plan::Rates;
use crate::process::End;
use crate::world::{STORE, World};
use a4co_host::bus::EventBus as _;
use a4co_host::bus::simulated::Faults;
use a4co_host::event::Event;
use kit::json::{self, Value, json};
use std::sync::Arc;

/// Milliseconds of an hour: the furthest that the clock jumps.
const HOUR: i64 = 3_600_000;

/// Commands, each of which one component handles, by its aggregate.
const COMMANDS: [&str; 9] = [
    "inventory.adjust",
    "inventory.stock.check",
    "inventory.stock.release",
    "inventory.stock.sell",
    "order.cancel",
    "order.confirm",
    "order.deliver",
    "payment.process",
    "payment.refund",
];

/// Makes trouble, as the rates say, until it is dropped.
pub async fn reign(world: Arc<World>) {
    let rates = world.plan.rates;
    if rates.ailments && world.roll(|dice| dice.chance(1, 2)) {
        fall_ill(&world);
    }
    loop {
        let (pause, what) = world.roll(|dice| (dice.millis(100, world.plan.pause.max(1_000) * 2), dice.between(0, 9)));
        tokio::time::sleep(pause).await;
        match what {
            0 if rates.jumps => jump(&world),
            1 if rates.outages => outage(&world, rates).await,
            2 if rates.crash > 0 => stop(&world),
            3..=5 if rates.late_copies => copy(&world),
            6 | 7 if rates.ailments => fall_ill(&world),
            8 if rates.garbled => garble(&world).await,
            _ => {}
        }
    }
}

fn jump(world: &World) {
    let by = world.roll(|dice| {
        let far = i64::try_from(dice.between(0, 2 * HOUR.unsigned_abs())).unwrap_or(0) - HOUR;
        if dice.chance(1, 2) { far } else { far / 60 }
    });
    world.count("clock jump");
    world.note(&"chaos", &format_args!("the clock jumps by {by} ms"));
    world.wall.jump(by);
}

/// For a while bus and store take nothing.
async fn outage(world: &World, rates: Rates) {
    world.count("outage");
    world.note(&"chaos", &"bus and store are away");
    world.set_rates(Rates { adapters: Faults { refused: 1_000, ..rates.adapters }, ..rates });
    let lasts = world.roll(|dice| dice.millis(500, 20_000));
    tokio::time::sleep(lasts).await;
    world.note(&"chaos", &"bus and store are back");
    world.set_rates(rates);
}

fn stop(world: &World) {
    let up: Vec<_> = world.fleet.lock().iter().flatten().cloned().collect();
    if !up.is_empty() {
        let process = world.roll(|dice| dice.pick(&up).clone());
        if process.finish(End::Stopped) {
            world.count("stopped");
            world.note(&process.name, &"is to stop");
        }
    }
}

/// An event that was published some time ago comes again, as after the window in which copies are known.
fn copy(world: &World) {
    let chosen = {
        let model = world.model.lock();
        let events = model.events();
        if events.is_empty() { None } else { Some(world.roll(|dice| dice.pick(events).clone())) }
    };
    if let Some(event) = chosen {
        world.count("late copy");
        world.note(&"chaos", &format_args!("{} comes again ({})", event.subject, event.id().unwrap_or("-")));
        world.bus.copy(&event);
        world.wrote();
    }
}

/// A component is ill from now on; whichever was is well again.
fn fall_ill(world: &World) {
    let ailment = Ailment::new(world);
    world.note(&"chaos", &ailment);
    *world.ailment.lock() = Some(ailment);
}

/// Somebody publishes a command whose payload is none, under an id of its own.
async fn garble(world: &World) {
    let chosen = {
        let model = world.model.lock();
        let readable = |event: &&Arc<Event>| COMMANDS.contains(&event.subject.as_str());
        let commands: Vec<_> = model.events().iter().filter(readable).collect();
        if commands.is_empty() { None } else { Some(Arc::clone(world.roll(|dice| *dice.pick(&commands)))) }
    };
    let Some(event) = chosen else { return };
    let id = format!("garbled-{}", world.new_id());
    let mut wire: Value = json::from_slice(&event.body).unwrap_or_default();
    wire["eventId"] = json!(id);
    wire["metadata"]["causationId"] = json!(id);
    wire["eventData"] = json!({ "says": "nothing that anybody could read" });
    world.note(&"chaos", &format_args!("somebody publishes a {} that nobody can read ({id})", event.subject));
    world.model.lock().garbled(id);
    let event = Event::new(event.subject.clone(), wire.to_string().into(), event.headers.clone());
    // Where the bus refuses it, it was not published.
    if world.bus.publish(Arc::new(event)).await.is_ok() {
        world.count("payload that nobody can read");
    }
    world.wrote();
}

/// After an acknowledgement the inbox is not needed, unless another delivery of the aggregate is unsettled: maybe it
/// is lost.
pub fn may_empty_inbox(world: &World, component: &str, key: &str) {
    if !world.roll(|dice| dice.chance(world.rates().inboxes, 1_000)) {
        return;
    }
    let needed = world.unsettled.lock().iter().any(|((its, ..), busy)| its == component && busy == key);
    if needed {
        return;
    }
    for kind in ["artisan", "listing", "stock", "order", "payment", "saga"] {
        empty(world, &format!("{component}/{kind}/{key}"));
    }
}

/// Whether an inbox has an outcome that has to be kept for good and is not: no later event may make it forget that.
fn owes(world: &World, key: &str, inbox: &Value) -> bool {
    let (component, id) = (key.split('/').next().unwrap_or_default(), key.rsplit('/').next().unwrap_or_default());
    let not_kept = |entry: &Value| {
        let event = entry["event"].as_str().unwrap_or_default();
        entry["keep"] == true && world.keys.peek(STORE, &format!("{component}/outcome/{id}/{event}")).is_none()
    };
    inbox["delivered"].as_object().into_iter().flatten().any(|(_, entry)| not_kept(entry))
}

fn empty(world: &World, key: &str) {
    let Some(bytes) = world.keys.peek(STORE, key) else { return };
    let Ok(Value::Object(mut value)) = json::from_slice(&bytes) else { return };
    let local =
        value.get("inbox").is_some_and(|inbox| inbox["local"].as_array().is_some_and(|local| !local.is_empty()));
    // What HTTP applied has not been delivered, let alone acknowledged.
    let owed = value.get("inbox").is_some_and(|inbox| owes(world, key, inbox));
    if local || owed || value.remove("inbox").is_none() {
        return;
    }
    let emptied = Value::Object(value).to_string();
    if world.keys.plant(STORE, key, emptied.clone().into()).is_ok() {
        world.count("inbox emptied");
        world.note(&"chaos", &format_args!("the inbox of {key} is empty"));
        world.model.lock().emptied(key, emptied.as_bytes());
        world.wrote();
    }
}
