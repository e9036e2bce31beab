//! All accounts that ever were, in numbered pages: so the whole ledger can be read without listing the store's keys.
//!
//! Several shards, or every new account would contend for one value. An account is noted before it is written; one
//! that was noted twice (its first writer died in between) is read twice: each entry has an id to tell.

use kit::json::Value;
use kit::ports::{StoreError, SwapError};
use kit::projection::{self, View, from_bytes, to_bytes};
use kit::{Ports, keys};
use serde::{Deserialize, Serialize};

/// Journals that are written side by side.
const SHARDS: u32 = 16;
/// Accounts of a page: what one write of the journal carries at most.
const PAGE: usize = 32;

/// The page of a shard that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Full pages before it.
    full: u32,
    /// Its accounts.
    references: Vec<String>,
}

/// The accounts of a page that is full.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Page(Vec<String>);

/// Format 0 was the same and did not say so.
fn unnamed(format: u32, view: Value) -> Result<Value, String> {
    if format == 0 { Ok(view) } else { Err(format!("no way from format {format} of the journal")) }
}

impl View for Head {
    const FORMAT: u32 = 1;

    fn upcast(format: u32, view: Value) -> Result<Value, String> {
        unnamed(format, view)
    }
}

impl View for Page {
    const FORMAT: u32 = 1;

    fn upcast(format: u32, view: Value) -> Result<Value, String> {
        unnamed(format, view)
    }
}

impl Head {
    fn pages(&self) -> u32 {
        self.full + u32::from(!self.references.is_empty())
    }
}

fn head_key(shard: u32) -> String {
    keys::key("journal", &[&shard.to_string()])
}

fn page_key(shard: u32, page: u32) -> String {
    keys::key("journal", &[&shard.to_string(), &page.to_string()])
}

fn shard_of(reference: &str) -> u32 {
    // FNV-1a: spreads evenly and is the same for ever.
    let hash = reference.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % SHARDS
}

/// Notes an account.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn note<P: Ports>(ports: &P, reference: &str) -> Result<(), StoreError> {
    let shard = shard_of(reference);
    let key = head_key(shard);
    loop {
        let entry = ports.read(&key).await?;
        let mut head: Head = entry.value.as_deref().map_or(Ok(Head::default()), |bytes| from_bytes(&key, bytes))?;
        if head.references.iter().any(|there| there == reference) {
            return Ok(());
        }
        if head.references.len() >= PAGE {
            // A full page does not change any more, so whoever writes it writes the same.
            let page = page_key(shard, head.full);
            ports.set(&page, to_bytes(&Page(std::mem::take(&mut head.references)))?).await?;
            head.full += 1;
        }
        head.references.push(reference.to_owned());
        match ports.swap(entry.token, to_bytes(&head)?).await {
            Ok(()) => return Ok(()),
            Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
        }
    }
}

/// The accounts of a page (from 1), and how many pages there are.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn page<P: Ports>(ports: &P, page: usize) -> Result<(Vec<String>, usize), StoreError> {
    let keys: Vec<String> = (0..SHARDS).map(head_key).collect();
    let heads = projection::read_many::<Head, P>(ports, &keys).await?;
    let heads: Vec<Head> = heads.into_iter().map(Option::unwrap_or_default).collect();
    let pages = heads.iter().map(|head| head.pages() as usize).sum();
    let mut skip = page.saturating_sub(1);
    for (shard, head) in (0..SHARDS).zip(heads) {
        if skip >= head.pages() as usize {
            skip -= head.pages() as usize;
            continue;
        }
        let number = u32::try_from(skip).unwrap_or(u32::MAX);
        if number == head.full {
            return Ok((head.references, pages));
        }
        let Page(references) = projection::read(ports, &page_key(shard, number)).await?.unwrap_or_default();
        return Ok((references, pages));
    }
    Ok((Vec::new(), pages))
}
