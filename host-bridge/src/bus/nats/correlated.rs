//! Finds the events of one correlation: reads every stream from where the correlation can have begun.

use super::core::Core;
use super::reader::Reading;
use super::{BusError, headers, layout, range};
use crate::event::Event;
use std::sync::Arc;
use std::time::Duration;

/// How far clocks of publishers and of the server may be apart.
const SKEW: Duration = Duration::from_secs(60);

impl Core {
    pub(super) async fn find_correlated(&self, id: &str, limit: usize) -> Result<Vec<Arc<Event>>, BusError> {
        let began = began(id);
        let mut found = Vec::new();
        for stream in &self.streams {
            let info = layout::info(&self.nats, &stream.name).await?;
            let incarnation = layout::incarnation(&info);
            let after = self.before(&stream.name, &info.state, began).await?;
            let reading = Reading { stream: stream.name.clone(), incarnation, filters: Vec::new(), after };
            range::read(&self.nats, reading, info.state.last_sequence, |read| {
                let at = headers::published_at(read.headers.as_ref(), read.stored_ns / 1_000_000);
                let event = headers::to_event(&read.subject, read.headers.as_ref(), read.payload);
                let event = event.filter(|event| headers::is_correlated(read.headers.as_ref(), event, id));
                found.extend(event.map(|event| ((at, read.stored_ns, read.sequence), event)));
                true
            })
            .await?;
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().take(limit).map(|(_, event)| event).collect())
    }

    /// A sequence before all that was stored since `began`: found by halving, as the server has no look-up by time.
    async fn before(
        &self,
        name: &str,
        state: &async_nats::jetstream::stream::State,
        began: u64,
    ) -> Result<u64, BusError> {
        let (mut low, mut high) = (state.first_sequence.saturating_sub(1), state.last_sequence);
        if began == 0 || high <= low {
            return Ok(low);
        }
        let stream = self.reading(name).await?;
        // Everything up to `low` is older; what lies at `high` need not be.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let next = super::replays::found(stream.get_first_raw_message_by_subject(">", middle).await)?;
            let older = next.filter(|next| next.time.unix_timestamp_nanos() / 1_000_000 < i128::from(began));
            match older {
                Some(next) => low = next.sequence.min(high),
                None => high = middle,
            }
        }
        Ok(low)
    }
}

/// When a correlation began at the earliest, in milliseconds: a version 7 UUID tells; 0 for anything else.
fn began(id: &str) -> u64 {
    let uuid = uuid::Uuid::try_parse(id).ok().filter(|uuid| uuid.get_version_num() == 7);
    let at = uuid.and_then(|uuid| uuid.get_timestamp()).map(|at| at.to_unix());
    let milliseconds = at.map(|(seconds, nanos)| seconds.saturating_mul(1_000) + u64::from(nanos / 1_000_000));
    let skew = u64::try_from(SKEW.as_millis()).unwrap_or_default();
    milliseconds.map_or(0, |at| at.saturating_sub(skew))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordered_id_tells_when_it_began() {
        assert_eq!(began("0190163d-8694-739b-aea5-966c26f8ad91"), 0x0190_163d_8694 - 60_000);
        assert_eq!(began("5f11ce21-15b9-5c66-8cb0-4060fc7cc72a"), 0);
        assert_eq!(began("anything"), 0);
    }
}
