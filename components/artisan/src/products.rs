//! Which products an artisan lists: a set in a fixed number of parts, so that one more costs the same with ten thousand.

use crate::domain::Listing;
use kit::aggregate::{self, retry};
use kit::keys::{key, part_of};
use kit::ports::{Ports, StoreError};
use kit::projection::{self, View};
use kit::{Failure, Output};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Parts of an artisan's set: keeps a part below 64 KiB up to some hundred thousand products.
const PARTS: u64 = 64;
/// Most products that one change of standing names: bounds the event. Whoever has to know of all asks for the
/// artisan's standing.
pub const MAX_IMPACTED: usize = 2_000;

#[derive(Default, Serialize, Deserialize)]
struct Part(BTreeSet<String>);

impl View for Part {
    const FORMAT: u32 = 1;
}

/// Adds a product to its artisan's set, unless it is another artisan's.
///
/// # Errors
/// Where the store does not answer.
pub async fn add<P: Ports>(ports: &P, artisan_id: &str, product_id: &str) -> Result<(), Failure> {
    let listing = aggregate::read::<Listing, P>(ports, product_id).await.map_err(retry)?;
    if listing.and_then(|(listing, _)| listing.owner).is_none_or(|owner| owner.artisan_id != artisan_id) {
        return Ok(());
    }
    let part = part_key(artisan_id, part_of(product_id, PARTS));
    projection::update(ports, &part, |part: &mut Part| part.0.insert(product_id.to_owned())).await?;
    Ok(())
}

/// The artisan's products in the order of their ids, at most [`MAX_IMPACTED`].
///
/// # Errors
/// Where the store does not answer.
pub async fn of<P: Ports>(ports: &P, artisan_id: &str) -> Result<Vec<String>, StoreError> {
    let keys: Vec<_> = (0..PARTS).map(|part| part_key(artisan_id, part)).collect();
    let parts = projection::read_many::<Part, P>(ports, &keys).await?;
    let all: BTreeSet<_> = parts.into_iter().flatten().flat_map(|part| part.0).collect();
    Ok(all.into_iter().take(MAX_IMPACTED).collect())
}

fn part_key(artisan_id: &str, part: u64) -> String {
    key("products", &[artisan_id, &part.to_string()])
}

/// What a handler of a projection answers: nothing follows.
pub(crate) const NOTHING: Vec<Output> = Vec::new();
