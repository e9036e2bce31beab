//! The search: breadth first, every world once, so that the first violation found is one of the shortest.

use crate::actions::{Action, actions, apply};
use crate::faults::Fault;
use crate::parts::Parts;
use crate::plan::Plan;
use crate::properties::{End, Violation, of_end, of_moment};
use crate::trace::Trace;
use crate::world::World;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What was explored.
#[derive(Debug)]
pub struct Report {
    /// The plan's name.
    pub name: &'static str,
    /// Different worlds.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Steps of the longest of the shortest ways to a world.
    pub depth: usize,
    /// Decisions that the shipped code took; all others are repetitions of one of these.
    pub decisions: usize,
    /// How often each end was come to.
    pub ends: BTreeMap<End, usize>,
    /// Wall time.
    pub took: Duration,
    /// The first violation, with the way there.
    pub found: Option<Trace>,
    /// The way to one of the last worlds, where the limit came before all were seen: it says why they are so many.
    pub unending: Option<Trace>,
}

impl Report {
    /// Whether every world was seen, and none was bad.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.found.is_none() && self.unending.is_none()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:<28} {:>9} states {:>10} steps  depth {:>3}  {:>6} decisions  {:>6.2} s  {}{:?}",
            self.name,
            self.states,
            self.steps,
            self.depth,
            self.decisions,
            self.took.as_secs_f64(),
            if self.is_complete() { "" } else { "incomplete " },
            self.ends,
        )
    }
}

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    action: Action,
}

struct Search {
    parts: Parts,
    plan: Plan,
    nodes: Vec<Node>,
    seen: FxHashSet<u64>,
    ends: BTreeMap<End, usize>,
    steps: usize,
}

/// Explores a plan, with at most so many worlds. With a fault, one component is not as shipped.
///
/// # Panics
/// Where a way to a violation cannot be walked again: a defect of the search.
#[must_use]
pub fn explore(plan: &Plan, fault: Option<&'static Fault>, limit: usize) -> Report {
    let began = Instant::now();
    let (mut parts, locals) = Parts::new(plan, fault);
    let start = World::start(&mut parts, locals, plan);
    let mut search = Search {
        parts,
        plan: *plan,
        nodes: vec![Node { parent: 0, action: Action::Rival }],
        seen: FxHashSet::default(),
        ends: BTreeMap::new(),
        steps: 0,
    };
    search.seen.insert(start.fingerprint());
    let mut level = vec![(start.clone(), 0)];
    let (mut depth, mut found) = (0, None);
    while !level.is_empty() && found.is_none() && search.nodes.len() < limit {
        match search.next_level(&level) {
            Ok(next) => level = next,
            Err((way, violation)) => found = Some((way, violation)),
        }
        depth += usize::from(!level.is_empty());
    }
    let last = level.last().filter(|_| found.is_none());
    let unending =
        last.map(|(_, place)| (search.way(*place, None), Violation(format!("no end within {limit} worlds"))));
    let mut tell = |(way, violation): Bad| Trace::of(&mut search.parts, &start, &way, violation);
    let (found, unending) = (found.map(&mut tell), unending.map(&mut tell));
    Report {
        name: fault.map_or(plan.name, |fault| fault.name),
        states: search.nodes.len(),
        steps: search.steps,
        depth,
        decisions: search.parts.decisions(),
        ends: search.ends,
        took: began.elapsed(),
        found,
        unending,
    }
}

type Bad = (Vec<Action>, Violation);

impl Search {
    fn next_level(&mut self, level: &[(World, u32)]) -> Result<Vec<(World, u32)>, Bad> {
        let (mut next, mut choices) = (Vec::with_capacity(level.len()), Vec::new());
        for (world, place) in level {
            if world.is_over() {
                let end = of_end(&self.parts, world).map_err(|bad| (self.way(*place, None), bad))?;
                *self.ends.entry(end).or_default() += 1;
            }
            actions(&mut self.parts, world, &mut choices);
            for action in choices.iter().copied() {
                self.steps += 1;
                let after = apply(&mut self.parts, world, action);
                let after = after.map_err(|bad| (self.way(*place, Some(action)), bad))?;
                if self.seen.insert(after.fingerprint()) {
                    of_moment(&self.parts, &after, &self.plan).map_err(|bad| (self.way(*place, Some(action)), bad))?;
                    let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
                    self.nodes.push(Node { parent: *place, action });
                    next.push((after, number));
                }
            }
        }
        Ok(next)
    }

    /// The actions that lead to a world, and one more.
    fn way(&self, mut place: u32, last: Option<Action>) -> Vec<Action> {
        let mut way: Vec<Action> = last.into_iter().collect();
        while place > 0 {
            let node = self.nodes[place as usize];
            way.push(node.action);
            place = node.parent;
        }
        way.reverse();
        way
    }
}
