//! What a seed decides before the run begins: how the marketplace is deployed, who acts, and which faults there are.
//!
//! Each kind of fault is off in many runs and frequent in some: a fault that comes always hides what only others find.

use crate::dice::Dice;
use a4co_host::bus::simulated::Faults;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// One process with one log on disk, which loses at a crash what is not flushed; else several processes over a
    /// bus and a store that lose nothing, where a process may be suspended, replaced, and come back.
    pub embedded: bool,
    /// Processes that share the components between them.
    pub processes: usize,
    /// Products there are; few, so that customers meet.
    pub products: usize,
    /// Customers.
    pub customers: usize,
    /// Orders of each.
    pub orders: usize,
    /// Longest pause of an actor, in milliseconds.
    pub pause: u64,
    /// How long a reservation holds, as the variable says it.
    pub reservation_expiry: &'static str,
    /// What goes wrong.
    pub rates: Rates,
}

/// How often something goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Of bus and store, in thousandths of the calls.
    pub adapters: Faults,
    /// A process dies at one of its awaits, in hundred-thousandths of them.
    pub crash: u32,
    /// A process is suspended while another takes its place, in hundred-thousandths of its awaits.
    pub suspend: u32,
    /// An await takes milliseconds, in thousandths.
    pub delay: u32,
    /// An await takes seconds, in ten-thousandths: a slow consumer.
    pub slow: u32,
    /// A call between components or to the gateway is not answered, in thousandths.
    pub calls: u32,
    /// A read in a request that only reads is stale, in thousandths.
    pub stale: u32,
    /// An inbox is emptied after an acknowledgement, in thousandths.
    pub inboxes: u32,
    /// Whether the clock jumps.
    pub jumps: bool,
    /// Whether bus and store are away for a while now and then.
    pub outages: bool,
    /// Whether old events come again, long after.
    pub late_copies: bool,
    /// Whether components are ill for a while now and then.
    pub ailments: bool,
    /// Whether events come that nobody can read.
    pub garbled: bool,
}

impl Plan {
    /// The run of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let embedded = dice.chance(1, 2);
        let dense = dice.chance(1, 2);
        Self {
            seed,
            embedded,
            processes: if embedded { 1 } else { *dice.pick(&[2, 3, 4]) },
            products: *dice.pick(&[1, 2, 3]),
            customers: *dice.pick(&[2, 3, 4]),
            orders: *dice.pick(&[1, 2, 3]),
            pause: if dense { 2_000 } else { *dice.pick(&[60_000, 600_000, 3_600_000]) },
            reservation_expiry: *dice.pick(&["15m", "15m", "20s", "2s"]),
            rates: Rates::of(&mut dice, (seed, embedded)),
        }
    }
}

impl Rates {
    fn of(dice: &mut Dice, (seed, embedded): (u64, bool)) -> Self {
        let mut some = |rates: &[u32]| if dice.chance(1, 3) { 0 } else { *dice.pick(rates) };
        let adapters = Faults {
            seed,
            refused: some(&[2, 10, 40]),
            lost_answers: some(&[2, 10, 40]),
            lost_acks: if embedded { 0 } else { some(&[10, 50, 200]) },
            copies: some(&[5, 20, 100]),
            unflushed: if embedded { 1_000 } else { 0 },
            delays: some(&[50, 300]),
        };
        Self {
            adapters,
            crash: some(&[50, 200, 1_000]),
            suspend: if embedded { 0 } else { some(&[30, 150]) },
            delay: some(&[50, 200, 500]),
            slow: some(&[5, 30]),
            calls: some(&[5, 30, 100]),
            stale: if embedded { 0 } else { some(&[50, 200]) },
            inboxes: some(&[50, 300, 1_000]),
            jumps: some(&[1]) > 0,
            outages: some(&[1]) > 0,
            late_copies: some(&[1]) > 0,
            ailments: some(&[1]) > 0,
            garbled: some(&[1]) > 0,
        }
    }

    /// What is left once nothing is to go wrong any more.
    #[must_use]
    pub fn calm(self) -> Self {
        let Faults { seed, unflushed, .. } = self.adapters;
        Self { adapters: Faults { seed, unflushed, ..Faults::default() }, ..Self::default() }
    }
}
