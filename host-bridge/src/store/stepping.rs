//! After a start, overdue timers wait until what waited longer is settled, and then fire step by step (see
//! [`crate::bus::overdue`]): this decides whose turn it is.

use super::state::State;
use crate::bus::{TimerRule, overdue};
use crate::clock::Millis;

/// What overdue timers wait for.
#[derive(Debug)]
pub(crate) struct Stepping {
    /// When it was found first.
    since: Millis,
    /// The last sequence of each stream when it was looked last.
    ends: Vec<u64>,
    /// How far what followed from it was followed.
    followed: u32,
}

/// Which timers may fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fires {
    /// All that are due under this rule.
    Due(TimerRule),
    /// The first step of those that are overdue.
    Step,
}

impl State {
    /// Which timers may fire now, where the host says `rule`.
    pub(crate) fn fires(&mut self, rule: TimerRule) -> Fires {
        if let TimerRule::CatchingUp { since } = rule {
            self.timers.stepping = Some(Stepping { since, ends: self.ends(), followed: 0 });
            return Fires::Due(rule);
        }
        loop {
            let Some(Stepping { since, ends, followed }) = &self.timers.stepping else { return Fires::Due(rule) };
            let (since, followed) = (*since, *followed);
            if !self.have_settled(ends) {
                return Fires::Due(TimerRule::CatchingUp { since });
            }
            let now = self.ends();
            if followed == overdue::FARTHEST || now == *ends {
                return Fires::Step;
            }
            self.timers.stepping = Some(Stepping { since, ends: now, followed: followed + 1 });
        }
    }

    /// A step was fired: if more are overdue, they wait for what follows from it.
    pub(crate) fn stepped(&mut self, more: bool) {
        let since = self.timers.stepping.take().filter(|_| more).map(|stepping| stepping.since);
        self.timers.stepping = since.map(|since| Stepping { since, ends: self.ends(), followed: 0 });
    }

    fn ends(&self) -> Vec<u64> {
        self.log.streams.iter().map(|stream| stream.last).collect()
    }

    /// Whether every consumer at work has settled what its stream held up to `ends`.
    fn have_settled(&self, ends: &[u64]) -> bool {
        let at_work = self.consumers.iter().filter(|position| position.open && !position.paused);
        at_work.into_iter().all(|position| ends.get(position.stream).is_none_or(|end| position.has_settled(*end)))
    }
}
