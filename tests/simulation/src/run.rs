//! One run: the shop opens, everybody acts while things go wrong, then nothing goes wrong any more and all must end.

use crate::actors::{artisan, customer, operator};
use crate::model::Rest;
use crate::mutation::Mutation;
use crate::plan::Plan;
use crate::process::End;
use crate::world::World;
use crate::{chaos, fleet};
use a4co_host::manifest::{self, Application, Given};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Between two looks whether everything has come to rest.
const LOOK: Duration = Duration::from_secs(15);
/// How long that may take: a clock set back by hours makes deadlines late by hours.
const REST: Duration = Duration::from_secs(8 * 3_600);
/// How late an operator comes who clears the dead letters away, in milliseconds.
const LATE: u64 = 10 * 60_000;
/// Lines of the trace that a failure prints.
const PRINTED: usize = 120;
/// Between two looks whether something is wrong already.
const GLANCE: Duration = Duration::from_millis(500);

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What is wrong; empty where nothing is.
    pub wrong: Vec<String>,
    /// How the orders ended.
    pub rests: BTreeMap<Rest, usize>,
    /// How often what went wrong.
    pub faults: BTreeMap<&'static str, u64>,
    /// How long it was.
    pub simulated: Duration,
    /// Lines of its trace.
    pub steps: u64,
    /// The same for the same trace.
    pub digest: u64,
    /// The last lines of the trace.
    pub tail: Vec<String>,
    /// What its seed decided.
    pub plan: Plan,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, wrong, steps, digest, .. } = self;
        if wrong.is_empty() {
            return write!(f, "seed {seed}: {steps} steps, digest {digest:016x}, {:?}", self.rests);
        }
        for line in self.tail.iter().skip(self.tail.len().saturating_sub(PRINTED)) {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "\n{:?}", self.plan)?;
        writeln!(f, "seed {seed} fails after {steps} steps (digest {digest:016x}):")?;
        for what in wrong {
            writeln!(f, "  - {what}")?;
        }
        write!(f, "run it again: cargo run --release -p simulation -- --seed {seed}")
    }
}

/// The manifest as it ships.
///
/// # Errors
/// Where it cannot be read.
pub fn application() -> Result<Arc<Application>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
    Ok(Arc::new(manifest::load(&path, &Given::default())?))
}

/// Runs a seed, maybe with one defect.
///
/// # Errors
/// Where no runtime can be had.
pub fn run(seed: u64, application: &Arc<Application>, mutation: Option<Mutation>) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.context("a runtime")?;
    Ok(runtime.block_on(act(Plan::of(seed), application.clone(), mutation)))
}

async fn act(plan: Plan, application: Arc<Application>, mutation: Option<Mutation>) -> Report {
    let world = World::new(plan, application, mutation);
    let mut background = JoinSet::new();
    for (place, components) in fleet::deal(&world).into_iter().enumerate() {
        background.spawn(fleet::keep(world.clone(), place, components));
    }
    let flushing = world.clone();
    background.spawn(async move { flushing.keep_flushing().await });
    let mut rests = BTreeMap::new();
    let acts = async {
        artisan::open(&world).await;
        safety(&world).await;
        liveness(&world).await;
    };
    tokio::select! {
        biased;
        () = found(&world) => {}
        () = acts => rests = world.model.lock().finish(),
    }
    background.shutdown().await;
    let model = world.model.lock();
    world.trace(|trace| Report {
        seed: world.plan.seed,
        wrong: model.findings().to_vec(),
        rests,
        faults: world.counts(),
        simulated: world.wall.elapsed(),
        steps: trace.lines(),
        digest: trace.digest(),
        tail: trace.tail(),
        plan: world.plan.clone(),
    })
}

/// Returns when something is wrong.
async fn found(world: &World) {
    while world.model.lock().findings().is_empty() {
        tokio::time::sleep(GLANCE).await;
    }
}

/// Everybody acts, and things go wrong.
async fn safety(world: &Arc<World>) {
    world.note(&"run", &"things go wrong from now on");
    world.set_rates(world.plan.rates);
    let mut trouble = JoinSet::new();
    trouble.spawn(chaos::reign(world.clone()));
    let mut people = JoinSet::new();
    people.spawn(artisan::work(world.clone()));
    people.spawn(operator::work(world.clone()));
    for number in 1..=world.plan.customers {
        people.spawn(customer::shop(world.clone(), number));
    }
    while people.join_next().await.is_some() {}
    trouble.shutdown().await;
}

/// Nothing goes wrong any more: every saga must end, every queue and timer must be empty.
async fn liveness(world: &Arc<World>) {
    world.note(&"run", &"nothing goes wrong any more");
    world.set_rates(world.plan.rates.calm());
    *world.ailment.lock() = None;
    // An acknowledgement that was forgotten is found out at the next start.
    for process in world.fleet.lock().iter().flatten() {
        process.finish(End::Stopped);
    }
    // Deadlines may run out before anybody cares for what died.
    let begun = world.wall.elapsed();
    let (deadline, comes) = (begun + REST, begun + world.roll(|dice| dice.millis(0, LATE)));
    let mut left = String::new();
    for round in 1_000_u64.. {
        if world.wall.elapsed() > deadline {
            world.model.lock().wrong(format!("after {REST:?} without any fault {left}"));
            return;
        }
        tokio::time::sleep(LOOK).await;
        if world.wall.elapsed() >= comes {
            operator::clear_letters(world).await;
        }
        operator::take_care(world, round).await;
        left = match unrest(world).await {
            Some(left) => left,
            None => return,
        };
    }
}

/// What has not come to rest.
async fn unrest(world: &World) -> Option<String> {
    let letters = operator::letters(world).await.len();
    if letters > 0 {
        return Some(format!("{letters} dead letters lie"));
    }
    let timers = world.bus.timers();
    if timers > 0 {
        return Some(format!("{timers} timers are set"));
    }
    if !world.bus.all_settled() {
        return Some("events are not settled".to_owned());
    }
    let model = world.model.lock();
    let open = |order: &String| !matches!(model.saga_phase(order).as_str(), "completed" | "failed");
    model.orders().iter().find(|order| open(order)).map(|order| format!("the saga of {order} has not ended"))
}
