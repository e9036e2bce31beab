//! The inbox of an aggregate: what it answered to which event, so that a redelivery gets the same answer.
//!
//! By the host's order, of each source only the last delivered event can still be unsettled for one aggregate: so the
//! inbox is one entry a source, plus those events that an HTTP request applied before their delivery came.

use crate::events::Output;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Not;

/// Most events applied by HTTP and not delivered yet that an aggregate holds; past it HTTP answers 202.
pub const MAX_LOCAL: usize = 16;

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done; these follow.
    #[serde(rename = "done")]
    Done(Vec<Output>),
    /// A business no. These follow all the same, where the design names a fact for it.
    #[serde(rename = "refused")]
    Refused(Refusal, Vec<Output>),
}

/// A business no, as its asker is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Such as `insufficient-stock`; the problem's type.
    pub code: String,
    /// In words.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into() }
    }
}

impl Outcome {
    /// What follows, whether done or refused.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        match self {
            Self::Done(outputs) | Self::Refused(_, outputs) => outputs,
        }
    }

    /// As [`Outcome::outputs`], for whoever needs nothing else of it.
    #[must_use]
    pub fn into_outputs(self) -> Vec<Output> {
        match self {
            Self::Done(outputs) | Self::Refused(_, outputs) => outputs,
        }
    }

    /// The refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Done(_) => None,
            Self::Refused(refusal, _) => Some(refusal),
        }
    }
}

/// Where an event comes from and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The source: component and stream.
    pub source: &'a str,
    /// Position in it.
    pub sequence: u64,
    /// The event's id.
    pub event_id: &'a str,
}

/// An outcome as its JSON: read again only when its event comes again, which is seldom, while the aggregate is read
/// at every event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Written(Box<RawValue>);

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Written {
    /// One that cannot be read any more is as one that is not there: a repeat is harmless without it.
    fn known(&self) -> Known {
        serde_json::from_str(self.0.get()).map_or(Known::No, Known::Outcome)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Delivered {
    sequence: u64,
    event: String,
    outcome: Written,
    /// It has to be kept for good, and maybe is not yet.
    #[serde(default, skip_serializing_if = "Not::not")]
    keep: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Local {
    source: String,
    sequence: u64,
    event: String,
    outcome: Written,
    /// As of one that was delivered.
    #[serde(default, skip_serializing_if = "Not::not")]
    keep: bool,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    delivered: BTreeMap<String, Delivered>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    local: Vec<Local>,
}

/// What the inbox knows of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// Nothing: decide.
    No,
    /// Its outcome.
    Outcome(Outcome),
    /// Later events of its source were delivered, so it is settled: neither decide nor overwrite.
    Settled,
}

impl Inbox {
    /// Looks an event up. One whose outcome has to be kept is known by its id, whatever source it comes from: a replayed
    /// dead letter may be the first to come after the swap.
    #[must_use]
    pub fn lookup(&self, origin: Origin<'_>) -> Known {
        let its = |local: &&Local| local.event == origin.event_id && (local.keep || local.source == origin.source);
        if let Some(local) = self.local.iter().find(its) {
            return local.outcome.known();
        }
        if let Some(kept) = self.delivered.values().find(|last| last.keep && last.event == origin.event_id) {
            return kept.outcome.known();
        }
        match self.delivered.get(origin.source) {
            Some(last) if last.event == origin.event_id && last.sequence >= origin.sequence => last.outcome.known(),
            Some(last) if last.sequence >= origin.sequence => Known::Settled,
            _ => Known::No,
        }
    }

    /// Whether one more event may be applied before its delivery.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.local.len() < MAX_LOCAL
    }

    /// Whether so many local entries wait that a delivery should be written down, and this one would make room.
    #[must_use]
    pub fn is_relieved_by(&self, origin: Origin<'_>) -> bool {
        self.local.len() * 2 >= MAX_LOCAL && self.local.iter().any(|local| local.is_settled_by(origin))
    }

    /// What noting a delivery makes the inbox forget though it has to be kept for good: ids of events, and the JSON of
    /// their outcomes. Who handled one may have died before keeping it, and its delivery may be a dead letter.
    pub fn forgets<'a>(&'a self, origin: Origin<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
        let last = self.delivered.get(origin.source).map(|last| (last.keep, &last.event, &last.outcome));
        let gone = self.local.iter().filter(move |local| local.is_settled_by(origin));
        let all = last.into_iter().chain(gone.map(|local| (local.keep, &local.event, &local.outcome)));
        let others = all.filter(move |(keep, event, _)| *keep && *event != origin.event_id);
        others.map(|(_, event, outcome)| (event.as_str(), outcome.0.get()))
    }

    /// Notes the outcome of a delivered event; `keep` where it has to be kept for good. What was applied locally up to
    /// there is settled.
    ///
    /// # Errors
    /// Where a number of the outcome is not finite.
    pub fn delivered(&mut self, origin: Origin<'_>, outcome: &Outcome, keep: bool) -> serde_json::Result<()> {
        let outcome = Written(serde_json::value::to_raw_value(outcome)?);
        self.local.retain(|local| !local.is_settled_by(origin));
        let entry = Delivered { sequence: origin.sequence, event: origin.event_id.to_owned(), outcome, keep };
        self.delivered.insert(origin.source.to_owned(), entry);
        Ok(())
    }

    /// Notes the outcome of an event that HTTP applied before its delivery; `keep` where it has to be kept for good.
    ///
    /// # Errors
    /// Where a number of the outcome is not finite.
    pub fn applied_locally(&mut self, origin: Origin<'_>, outcome: &Outcome, keep: bool) -> serde_json::Result<()> {
        let outcome = Written(serde_json::value::to_raw_value(outcome)?);
        self.local.push(Local {
            source: origin.source.to_owned(),
            sequence: origin.sequence,
            event: origin.event_id.to_owned(),
            outcome,
            keep,
        });
        Ok(())
    }
}

impl Local {
    /// Whether a delivery says that this one's is settled: it is of the same source, and not earlier.
    fn is_settled_by(&self, origin: Origin<'_>) -> bool {
        self.source == origin.source && self.sequence <= origin.sequence
    }
}
