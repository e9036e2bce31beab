//! What the consumers of the application had not settled when timers began to be driven here, or again after an outage:
//! deadlines wait for it, so that downtime does not look like silence.

use crate::bus::BusError;
use crate::bus::nats::core::Core;
use crate::bus::nats::record::Record;
use crate::bus::nats::{layout, positions, replays};
use crate::bus::overdue::FARTHEST;
use crate::clock::Millis;
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog {
    /// When it was found first.
    pub since: Millis,
    /// For each stream, its last sequence then.
    ends: BTreeMap<String, u64>,
    /// How far it was followed.
    followed: u32,
}

impl Backlog {
    /// What there is now.
    pub(super) async fn found(core: &Core) -> Result<Self, BusError> {
        Ok(Self { since: core.clock.now(), ends: ends(core).await?, followed: 0 })
    }

    /// The same, as part of what is waited for since `since`.
    pub(super) fn waited_for(self, since: Millis) -> Self {
        Self { since, ..self }
    }

    /// What followed from it by the time it was drained: the answer to a question that waited is published only when the
    /// question is settled, and the deadline is for the answer. `None` where nothing followed, or it was followed far
    /// enough.
    pub(super) async fn followed(&self, core: &Core) -> Result<Option<Self>, BusError> {
        if self.followed == FARTHEST {
            return Ok(None);
        }
        let ends = ends(core).await?;
        Ok((ends != self.ends).then_some(Self { since: self.since, ends, followed: self.followed + 1 }))
    }

    /// Whether all consumers have settled it.
    pub(super) async fn is_drained(&mut self, core: &Core) -> Result<bool, BusError> {
        if self.ends.values().all(|end| *end == 0) {
            return Ok(true);
        }
        for record in positions::all(core).await? {
            let Some(end) = self.ends.get(&record.stream).copied() else { continue };
            if !has_settled(core, &record, end).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

async fn ends(core: &Core) -> Result<BTreeMap<String, u64>, BusError> {
    let mut ends = BTreeMap::new();
    for stream in &core.streams {
        match layout::info(&core.nats, &stream.name).await {
            Ok(info) => drop(ends.insert(stream.name.clone(), info.state.last_sequence)),
            Err(BusError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ends)
}

/// Whether a consumer has settled every matching event up to `end`.
async fn has_settled(core: &Core, record: &Record, end: u64) -> Result<bool, BusError> {
    if record.outstanding.iter().any(|unsettled| unsettled.sequence <= end) {
        return Ok(false);
    }
    if record.cursor >= end {
        return Ok(true);
    }
    let stream = core.reading(&record.stream).await?;
    for (pattern, from) in record.filters.patterns() {
        let first = from.max(record.cursor + 1);
        let next = stream.get_first_raw_message_by_subject(pattern.as_str(), first).await;
        if replays::found(next)?.is_some_and(|message| message.sequence <= end) {
            return Ok(false);
        }
    }
    Ok(true)
}
