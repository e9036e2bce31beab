//! The inbox of an aggregate: what it answered to which event, so that a redelivery gets the same answer.
//!
//! By the host's order, of each source only the last delivered event can still be unsettled for one aggregate: so the
//! inbox is one entry a source, plus those events that an HTTP request applied before their delivery came.

use crate::events::Output;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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
        serde_json::from_slice(self.0.get().as_bytes()).map_or(Known::No, Known::Outcome)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Delivered {
    sequence: u64,
    event: String,
    outcome: Written,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Local {
    source: String,
    sequence: u64,
    event: String,
    outcome: Written,
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
    /// Looks an event up.
    #[must_use]
    pub fn lookup(&self, origin: Origin<'_>) -> Known {
        if let Some(local) = self.local.iter().find(|l| l.event == origin.event_id && l.source == origin.source) {
            return local.outcome.known();
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

    /// Whether so many local entries wait that a delivery of one should be written down to make room.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.local.len() * 2 >= MAX_LOCAL
    }

    /// Notes the outcome of a delivered event. What was applied locally up to there is settled.
    ///
    /// # Errors
    /// Where a number of the outcome is not finite.
    pub fn delivered(&mut self, origin: Origin<'_>, outcome: &Outcome) -> serde_json::Result<()> {
        let outcome = Written(serde_json::value::to_raw_value(outcome)?);
        self.local.retain(|local| local.source != origin.source || local.sequence > origin.sequence);
        let entry = Delivered { sequence: origin.sequence, event: origin.event_id.to_owned(), outcome };
        self.delivered.insert(origin.source.to_owned(), entry);
        Ok(())
    }

    /// Notes the outcome of an event that HTTP applied before its delivery.
    ///
    /// # Errors
    /// Where a number of the outcome is not finite.
    pub fn applied_locally(&mut self, origin: Origin<'_>, outcome: &Outcome) -> serde_json::Result<()> {
        let outcome = Written(serde_json::value::to_raw_value(outcome)?);
        self.local.push(Local {
            source: origin.source.to_owned(),
            sequence: origin.sequence,
            event: origin.event_id.to_owned(),
            outcome,
        });
        Ok(())
    }
}
