//! What a verdict found, counted by the kind of harm.

use std::fmt::{self, Display, Formatter};

/// Findings a report spells out; the others are counted.
const SHOWN: usize = 10;

/// What kind of harm a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    /// An effect that somebody was told of, or that follows from one, is not there.
    Lost,
    /// An effect is there twice, or for nobody.
    Doubled,
    /// Anything else that may not be: parts disagree, or a dead letter lies there.
    Wrong,
}

/// What does not hold.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    findings: Vec<(Harm, String)>,
}

impl Judgement {
    /// Notes harm where something does not hold.
    pub(super) fn demand(&mut self, holds: bool, harm: Harm, how: impl FnOnce() -> String) {
        if !holds {
            self.findings.push((harm, how()));
        }
    }

    /// Whether everything holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Effects that are lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.count(Harm::Lost)
    }

    /// Effects that are there twice.
    #[must_use]
    pub fn doubled(&self) -> usize {
        self.count(Harm::Doubled)
    }

    /// What else is wrong.
    #[must_use]
    pub fn wrong(&self) -> usize {
        self.count(Harm::Wrong)
    }

    fn count(&self, harm: Harm) -> usize {
        self.findings.iter().filter(|(found, _)| *found == harm).count()
    }
}

impl Display for Judgement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost, {} doubled, {} wrong", self.lost(), self.doubled(), self.wrong())?;
        for (harm, how) in self.findings.iter().take(SHOWN) {
            write!(f, "\n{harm:?}: {how}")?;
        }
        match self.findings.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}
