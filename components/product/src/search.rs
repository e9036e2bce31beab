//! The search: for each word the set of products that have it, in blocks of the catalogue's numbers.
//!
//! A product's number says which block and which bit of it is its own, so writing it twice changes nothing, no key has
//! to be listed, and words are intersected block by block. Price and maker of a block's products lie in one value, so
//! that filters load no product. At 50 000 products a query reads 25 small values a word.

mod bits;
mod columns;
mod words;

pub use words::{fold, words};

use crate::catalogue::Listed;
use bits::Bits;
use kit::Failure;
use kit::keys::key;
use kit::ports::{Ports, StoreError};
use kit::projection::{self, View, update_bytes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Products of a block: its sets are at most 256 bytes, its columns at most 24 KiB.
const BLOCK: u32 = 2_048;
/// Most words of one product that are indexed, name first: bounds what one listing writes.
const MAX_WORDS: usize = 64;
/// Most words of a query; more are left out.
const MAX_QUERY_WORDS: usize = 16;
/// Longest category, in characters; longer ones that begin alike are one.
const MAX_CATEGORY: usize = 64;
/// How many products were numbered.
const COUNTER_KEY: &str = "numbers";
/// The artisans who do not sell.
const HIDDEN_KEY: &str = "hidden";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter(u32);

impl View for Counter {
    const FORMAT: u32 = 1;
}

/// Artisans whose products are not found. Few are hidden at a time.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Hidden(BTreeSet<String>);

impl View for Hidden {
    const FORMAT: u32 = 1;
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// All of these words.
    pub text: String,
    /// Of this category; case and accents do not matter.
    pub category: Option<String>,
    /// At this price in minor units, or below.
    pub max_price: Option<u64>,
}

/// What is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Products of the page, in the order of their listing.
    pub ids: Vec<String>,
    /// Products in all.
    pub total: usize,
}

/// The next number of the catalogue. A crash may leave one unused, which does no harm.
pub(crate) async fn next_number<P: Ports>(ports: &P) -> Result<u32, Failure> {
    let counter = projection::update(ports, COUNTER_KEY, |counter: &mut Counter| {
        counter.0 = counter.0.saturating_add(1);
        true
    })
    .await?;
    Ok(counter.0.saturating_sub(1))
}

/// Puts a product into the index; doing so again changes nothing.
///
/// # Errors
/// Where the store does not answer.
pub async fn index<P: Ports>(ports: &P, product: &Listed) -> Result<(), Failure> {
    let (block, place) = (product.number / BLOCK, product.number % BLOCK);
    let details = &product.details;
    ports.set(&number_key(product.number), product.id.clone().into_bytes()).await.map_err(kit::aggregate::retry)?;
    let columns = columns_key(block);
    let row = columns::Row::new(details.price, &details.artisan_id);
    update_bytes(ports, &columns, |bytes| Ok(columns::with(bytes.unwrap_or_default(), place, row))).await?;

    let texts = [&details.product_name, &details.category, &details.subcategory, &details.description];
    let all = texts.into_iter().chain(&details.materials).flat_map(|text| words(text));
    let mut kinds: Vec<String> = vec![all_kind(), category_kind(&details.category)];
    let mut seen = BTreeSet::new();
    kinds.extend(all.filter(|word| seen.insert(word.clone())).take(MAX_WORDS).map(|word| word_kind(&word)));
    for kind in kinds {
        let key = page_key(&kind, block);
        update_bytes(ports, &key, |bytes| {
            let mut bits = Bits::read(&key, bytes.unwrap_or_default()).map_err(Failure::Reject)?;
            Ok(bits.insert(place).then(|| bits.write()))
        })
        .await?;
    }
    Ok(())
}

/// Hides an artisan's products from the search, or shows them again.
///
/// # Errors
/// Where the store does not answer.
pub async fn hide<P: Ports>(ports: &P, artisan_id: &str, hidden: bool) -> Result<(), Failure> {
    projection::update(ports, HIDDEN_KEY, |set: &mut Hidden| {
        if hidden { set.0.insert(artisan_id.to_owned()) } else { set.0.remove(artisan_id) }
    })
    .await?;
    Ok(())
}

/// Finds products: those of one page, and how many there are.
///
/// # Errors
/// Where the store does not answer.
pub async fn find<P: Ports>(ports: &P, query: &Query, page: usize, page_size: usize) -> Result<Found, StoreError> {
    let mut blocks = matching(ports, query).await?;
    filter(ports, query, &mut blocks).await?;
    let total = blocks.iter().map(|(_, bits)| bits.len()).sum();
    let numbers = blocks.iter().flat_map(|(block, bits)| bits.iter().map(move |place| block * BLOCK + place));
    let wanted = numbers.skip((page - 1).saturating_mul(page_size)).take(page_size);
    let keys: Vec<_> = wanted.map(number_key).collect();
    let ids = ports.get_many(&keys).await?.into_iter().flatten();
    let ids = ids.map(|id| String::from_utf8_lossy(&id).into_owned()).collect();
    Ok(Found { ids, total })
}

/// The products that have all words and the category, by block. Blocks without any are left out as soon as that is
/// known, so a rare word first saves the reading of the others.
async fn matching<P: Ports>(ports: &P, query: &Query) -> Result<Vec<(u32, Bits)>, StoreError> {
    let mut kinds: Vec<_> = words(&query.text).take(MAX_QUERY_WORDS).map(|word| word_kind(&word)).collect();
    // Long words tend to be the rare ones.
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.len()));
    kinds.extend(query.category.as_deref().map(category_kind));
    if kinds.is_empty() {
        kinds.push(all_kind());
    }
    let counter: Counter = projection::read(ports, COUNTER_KEY).await?.unwrap_or_default();
    let mut blocks: Vec<_> = (0..counter.0.div_ceil(BLOCK)).map(|block| (block, Bits::full())).collect();
    for kind in kinds {
        let keys: Vec<_> = blocks.iter().map(|(block, _)| page_key(&kind, *block)).collect();
        let pages = ports.get_many(&keys).await?;
        for (((_, bits), key), page) in blocks.iter_mut().zip(&keys).zip(pages) {
            bits.keep(&Bits::read(key, page.as_deref().unwrap_or_default()).map_err(StoreError)?);
        }
        blocks.retain(|(_, bits)| !bits.is_empty());
    }
    Ok(blocks)
}

/// Leaves out what is too dear or whose maker does not sell.
async fn filter<P: Ports>(ports: &P, query: &Query, blocks: &mut [(u32, Bits)]) -> Result<(), StoreError> {
    let hidden: Hidden = projection::read(ports, HIDDEN_KEY).await?.unwrap_or_default();
    if blocks.is_empty() || (hidden.0.is_empty() && query.max_price.is_none()) {
        return Ok(());
    }
    let hidden: Vec<u64> = hidden.0.iter().map(|id| columns::maker(id)).collect();
    let max_price = query.max_price.map_or(u32::MAX, columns::price);
    let keys: Vec<_> = blocks.iter().map(|(block, _)| columns_key(*block)).collect();
    let pages = ports.get_many(&keys).await?;
    for ((_, bits), page) in blocks.iter_mut().zip(pages) {
        let page = page.unwrap_or_default();
        let mut out = Bits::default();
        for place in bits.iter() {
            let row = columns::row(&page, place);
            if row.price > max_price || hidden.contains(&row.maker) {
                out.insert(place);
            }
        }
        bits.remove(&out);
    }
    Ok(())
}

fn word_kind(word: &str) -> String {
    key("word", &[word])
}

fn category_kind(category: &str) -> String {
    let name: String = fold(category).chars().take(MAX_CATEGORY).collect();
    key("category", &[&name])
}

fn all_kind() -> String {
    "all".to_owned()
}

fn page_key(kind: &str, block: u32) -> String {
    format!("{kind}/{block}")
}

fn columns_key(block: u32) -> String {
    key("columns", &[&block.to_string()])
}

fn number_key(number: u32) -> String {
    key("number", &[&number.to_string()])
}
