//! The processes: started with the host's own trigger and timers' driver, replaced when they end, however they end.

use crate::bus::ProcessBus;
use crate::dispatch::NativeDispatch;
use crate::mutation::Mutation;
use crate::process::{End, Process};
use crate::world::World;
use a4co_host::bus::BusError;
use a4co_host::trigger::event::{DeliveryObserver, EventTrigger, Happening, Parts, Subscriber};
use a4co_host::trigger::timers::fire_timers;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long another process waits until it takes a suspended one's place: its lease has to run out.
const LEASE: Duration = Duration::from_secs(6);
/// How long a process that is to stop has for what is in flight.
const DRAIN: Duration = Duration::from_secs(5);
/// Wait after the bus refused a consumer.
const REFUSED: Duration = Duration::from_millis(250);

/// A process that runs. Dropped, it dies in the middle of whatever it does.
struct Running {
    trigger: EventTrigger,
    _timers: JoinSet<()>,
}

/// Deals the components to the processes of the plan.
#[must_use]
pub fn deal(world: &World) -> Vec<Vec<String>> {
    let mut hands = vec![Vec::new(); world.plan.processes];
    for component in world.application.components.iter().filter(|component| component.events.is_some()) {
        let place = world.roll(|dice| dice.index(hands.len()));
        hands[place].push(component.id.clone());
    }
    hands
}

/// Keeps the process at a place running, life after life.
pub async fn keep(world: Arc<World>, place: usize, components: Vec<String>) {
    let mut unclean = false;
    for life in 1_u64.. {
        let name = format!("p{}/{life}", place + 1);
        let process = Process::new(name, components.clone(), world.wall.clone(), unclean && world.plan.embedded);
        let running = tokio::select! {
            biased;
            running = start(&world, &process, place == 0) => Some(running),
            _ = process.finished() => None,
        };
        if running.is_some() {
            world.note(&process.name, &"runs");
            world.fleet.lock()[place] = Some(process.clone());
        }
        let end = process.finished().await;
        world.fleet.lock()[place] = None;
        unclean = end == End::Killed;
        finish(&world, &process, running, end).await;
        let calm = world.rates().crash == 0;
        let down = world.roll(|dice| match calm || dice.chance(9, 10) {
            true => dice.millis(10, 1_500),
            false => dice.millis(10_000, 90_000),
        });
        tokio::time::sleep(down).await;
    }
}

async fn finish(world: &Arc<World>, process: &Arc<Process>, running: Option<Running>, end: End) {
    match end {
        End::Killed => {
            drop(running);
            process.requests.lock().abort_all();
            if world.plan.embedded {
                world.lose_unflushed();
            }
        }
        End::Stopped => {
            if let Some(running) = running {
                running.trigger.shutdown(DRAIN).await;
            }
            process.requests.lock().abort_all();
            process.kill();
            if world.plan.embedded {
                world.flush();
            }
        }
        End::Suspended => {
            process.fence();
            let (world, process) = (world.clone(), process.clone());
            let (still, awake) = world.roll(|dice| (dice.millis(1_000, 60_000), dice.millis(10, 20_000)));
            tokio::spawn(async move {
                tokio::time::sleep(still).await;
                world.note(&process.name, &"moves again, too late");
                process.wake();
                tokio::time::sleep(awake).await;
                process.kill();
                process.requests.lock().abort_all();
                drop(running);
            });
            tokio::time::sleep(LEASE).await;
        }
    }
}

async fn start(world: &Arc<World>, process: &Arc<Process>, drives_timers: bool) -> Running {
    loop {
        match try_start(world, process, drives_timers).await {
            Ok(running) => return running,
            Err(error) => {
                world.note(&process.name, &format_args!("cannot start: {error}"));
                tokio::time::sleep(REFUSED).await;
            }
        }
    }
}

async fn try_start(world: &Arc<World>, process: &Arc<Process>, drives_timers: bool) -> Result<Running, BusError> {
    let bus = Arc::new(ProcessBus::new(world.clone(), process.clone()));
    let parts = Parts {
        bus: bus.clone(),
        dispatch: Arc::new(NativeDispatch::new(world.clone(), process.clone())),
        clock: process.clock.clone(),
        observer: Arc::new(Observer(world.clone(), process.name.clone())),
    };
    let trigger = EventTrigger::start(parts, subscribers(world, &process.components)?).await?;
    let mut timers = JoinSet::new();
    if drives_timers {
        timers.spawn(fire_timers(bus, process.clock.clone(), trigger.behind()));
    }
    Ok(Running { trigger, _timers: timers })
}

fn subscribers(world: &World, components: &[String]) -> Result<Vec<Subscriber>, BusError> {
    let mut subscribers = Vec::new();
    for component in world.application.components.iter().filter(|known| components.contains(&known.id)) {
        let mut component = component.clone();
        if let Some(events) = component.events.as_mut().filter(|_| world.mutated(Mutation::HandOutBeforeSettled)) {
            for subscription in &mut events.subscribe {
                "eventId".clone_into(&mut subscription.key);
            }
        }
        let subscriber = Subscriber::new(&component, None, &world.application.streams);
        subscribers.extend(subscriber.map_err(|error| BusError::NotFound(error.to_string()))?);
    }
    Ok(subscribers)
}

/// Writes into the trace what the trigger tells, but for what the trace has already.
struct Observer(Arc<World>, String);

impl DeliveryObserver for Observer {
    fn observe(&self, happening: &Happening<'_>) {
        let Self(world, process) = self;
        match happening {
            Happening::HandedOut(_) | Happening::CaughtUp { .. } => {}
            Happening::Answered { about, verdict, .. } => {
                world.note(process, &format_args!("{} → {verdict} of {}", about.component, about.event.subject));
            }
            Happening::Retry { about, wait, reason, .. } => {
                let (component, subject) = (about.component, &about.event.subject);
                world.note(process, &format_args!("{component} retries {subject} in {wait:?}: {reason}"));
            }
            Happening::Dead { about, cause } => {
                world.count("dead letter");
                let (component, subject) = (about.component, &about.event.subject);
                world.note(process, &format_args!("{component} gives up {subject} ({}): {}", cause.kind, cause.reason));
            }
            Happening::Unsettled { about, error, .. } => {
                world.count("settling refused or unknown");
                world.note(process, &format_args!("{} not settled: {error}", about.event.subject));
            }
            Happening::FetchFailed { source, error, .. } => {
                world.note(process, &format_args!("{source} cannot fetch: {error}"));
            }
            Happening::Left { source, .. } => world.note(process, &format_args!("{source} is left")),
            Happening::OutageBegan { source, reason } => {
                world.note(process, &format_args!("{source} meets an outage: {reason}"));
            }
            Happening::OutageEnded { source, .. } => world.note(process, &format_args!("{source} goes on")),
        }
    }
}
