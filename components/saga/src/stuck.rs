//! The sagas that need a person: a set in a fixed number of parts, so that none is looked for among all that ever were.
//!
//! Written when the saga's own `saga.stuck` or `saga.recovered` comes back to it, from what the saga says then: so a
//! repeat, or one that comes late, writes what is true.

use crate::domain::Saga;
use kit::aggregate::{self, retry};
use kit::keys::{key, part_of};
use kit::ports::{Ports, StoreError};
use kit::projection::{self, View};
use kit::time::Millis;
use kit::{Event, Failure, Metadata, Output};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Parts of the set: a part stays below 64 KiB while some thirty thousand sagas are stuck at once.
const PARTS: u64 = 32;

/// Orders, each with when its saga got stuck.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Part(BTreeMap<String, Millis>);

impl View for Part {
    const FORMAT: u32 = 1;
}

/// Notes whether an order's saga is stuck, and tells the operators of one that is.
///
/// # Errors
/// `Retry` where the store does not answer.
pub async fn note<P: Ports>(ports: &P, meta: &Metadata, event: &Event) -> Result<Vec<Output>, Failure> {
    let order_id = &meta.aggregate_id;
    if let Event::SagaStuck(stuck) = event {
        let outstanding = stuck.outstanding.join(", ");
        let correlation = &meta.correlation_id;
        ports.warn(&format!(
            "the saga of order {order_id} is stuck, nobody confirmed {outstanding}: find out why, then POST \
             /api/v1/sagas/{order_id}/resolve (correlation {correlation})"
        ));
    }
    let saga = aggregate::read::<Saga, P>(ports, order_id).await.map_err(retry)?;
    let since = saga.and_then(|(saga, _)| saga.stuck_since());
    projection::update(ports, &part_key(part_of(order_id, PARTS)), |part: &mut Part| match since {
        Some(since) => part.0.insert(order_id.clone(), since) != Some(since),
        None => part.0.remove(order_id).is_some(),
    })
    .await?;
    Ok(Vec::new())
}

/// Orders whose sagas are stuck, those first that have been for longest: `count` of them after the first `skip`, and how
/// many there are in all.
///
/// # Errors
/// Where the store does not answer.
pub async fn longest<P: Ports>(ports: &P, skip: usize, count: usize) -> Result<(Vec<String>, usize), StoreError> {
    let keys: Vec<_> = (0..PARTS).map(part_key).collect();
    let parts = projection::read_many::<Part, P>(ports, &keys).await?;
    let mut all: Vec<_> =
        parts.into_iter().flatten().flat_map(|part| part.0).map(|(order, since)| (since, order)).collect();
    all.sort_unstable();
    let total = all.len();
    Ok((all.into_iter().map(|(_, order)| order).skip(skip).take(count).collect(), total))
}

fn part_key(part: u64) -> String {
    key("stuck", &[&part.to_string()])
}
