//! What is on sale: each product as it was listed, its free stock, and its maker's standing. Three values, since they
//! change at different times and stock changes with every sale.

use kit::aggregate::retry;
use kit::events::artisan::{ArtisanStatus, ArtisanVerified, NewProductListed, VerificationLevel};
use kit::keys::key;
use kit::ports::{Ports, StoreError};
use kit::projection::{self, View};
use kit::time::Millis;
use kit::{Failure, Metadata};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A product as it was listed; `None` inside where it was not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Entry(Option<Listed>);

impl View for Entry {
    const FORMAT: u32 = 1;
}

/// A listed product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The product.
    pub id: String,
    /// Its number in the catalogue, by which the index knows it. Numbers grow in the order of listing.
    pub number: u32,
    /// Id of the event that listed it: tells its repeat from another listing under the same id.
    pub by_event: String,
    /// What was listed.
    pub details: NewProductListed,
}

/// How late a fact is: by its aggregate's version, or, from a publisher that tells none, by its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The aggregate's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// When it happened.
    at: Millis,
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        let at = Millis::parse(&meta.occurred_at).unwrap_or_default();
        Self { version: meta.aggregate_version, at }
    }

    fn is_after(self, earlier: Self) -> bool {
        match (self.version, earlier.version) {
            (Some(version), Some(before)) => version > before,
            _ => self.at > earlier.at,
        }
    }
}

/// A value and how late it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dated<T> {
    /// The value.
    pub value: T,
    stamp: Stamp,
}

impl<T> Dated<T> {
    /// When it came to be.
    #[must_use]
    pub fn at(&self) -> Millis {
        self.stamp.at
    }
}

/// Puts a value in unless a later one is there; says whether it did.
fn put<T>(place: &mut Option<Dated<T>>, stamp: Stamp, value: T) -> bool {
    let later = place.as_ref().is_none_or(|there| stamp.is_after(there.stamp));
    if later {
        *place = Some(Dated { value, stamp });
    }
    later
}

/// The free pieces of a product, as inventory last told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Stock(Option<Dated<u32>>);

impl View for Stock {
    const FORMAT: u32 = 1;
}

/// What the catalogue knows of an artisan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Maker {
    /// Name of the workshop and how well we know it, once verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Dated<(String, VerificationLevel)>>,
    /// The standing, once it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Dated<ArtisanStatus>>,
}

impl View for Maker {
    const FORMAT: u32 = 1;
}

impl Maker {
    /// Whether the artisan sells. One of whom nothing is known does.
    #[must_use]
    pub fn sells(&self) -> bool {
        let status = self.status.as_ref().map(|status| status.value);
        matches!(status, None | Some(ArtisanStatus::Pending | ArtisanStatus::Active))
    }
}

/// A product with what changes about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// As it was listed.
    pub listed: Listed,
    /// Its free pieces; `None` where inventory told nothing yet.
    pub stock: Option<Dated<u32>>,
}

impl Product {
    /// Free pieces: as inventory last told, or as listed.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.stock.as_ref().map_or(self.listed.details.initial_stock, |stock| stock.value)
    }
}

/// Lists a product. Answers it where this event is its listing, new or repeated, and `None` where the id is taken.
///
/// # Errors
/// Where the store does not answer.
pub async fn list<P: Ports>(ports: &P, meta: &Metadata, details: NewProductListed) -> Result<Option<Listed>, Failure> {
    let id = &meta.aggregate_id;
    let mut entry = projection::read::<Entry, P>(ports, &product_key(id)).await.map_err(retry)?.unwrap_or_default();
    if entry.0.is_none() {
        let number = crate::search::next_number(ports).await?;
        let listed = Listed { id: id.clone(), number, by_event: meta.event_id.clone(), details };
        entry = projection::update(ports, &product_key(id), |entry: &mut Entry| {
            let free = entry.0.is_none();
            if free {
                entry.0 = Some(listed.clone());
            }
            free
        })
        .await?;
    }
    Ok(entry.0.filter(|listed| listed.by_event == meta.event_id))
}

/// Inventory told how many pieces are free.
///
/// # Errors
/// Where the store does not answer.
pub async fn stock<P: Ports>(ports: &P, meta: &Metadata, free: u32) -> Result<(), Failure> {
    let stamp = Stamp::of(meta);
    let key = stock_key(&meta.aggregate_id);
    projection::update(ports, &key, |stock: &mut Stock| put(&mut stock.0, stamp, free)).await?;
    Ok(())
}

/// An artisan was verified.
///
/// # Errors
/// Where the store does not answer.
pub async fn verified<P: Ports>(ports: &P, meta: &Metadata, fact: &ArtisanVerified) -> Result<(), Failure> {
    let stamp = Stamp::of(meta);
    projection::update(ports, &maker_key(&meta.aggregate_id), |maker: &mut Maker| {
        put(&mut maker.verified, stamp, (fact.business_name.clone(), fact.verification_level))
    })
    .await?;
    Ok(())
}

/// An artisan's standing changed. Answers whether the artisan sells, by the latest standing known.
///
/// # Errors
/// Where the store does not answer.
pub async fn standing<P: Ports>(ports: &P, meta: &Metadata, status: ArtisanStatus) -> Result<bool, Failure> {
    let stamp = Stamp::of(meta);
    let key = maker_key(&meta.aggregate_id);
    let maker = projection::update(ports, &key, |maker: &mut Maker| put(&mut maker.status, stamp, status)).await?;
    Ok(maker.sells())
}

/// Products by their ids, in their order; those that are not listed are left out.
///
/// # Errors
/// Where the store does not answer.
pub async fn products<P: Ports>(ports: &P, ids: &[String]) -> Result<Vec<Product>, StoreError> {
    let keys: Vec<_> = ids.iter().map(|id| product_key(id)).chain(ids.iter().map(|id| stock_key(id))).collect();
    let values = ports.get_many(&keys).await?;
    let (entries, stocks) = values.split_at(ids.len().min(values.len()));
    let mut products = Vec::with_capacity(ids.len());
    for ((id, entry), stock) in ids.iter().zip(entries).zip(stocks) {
        let Some(entry) = entry else { continue };
        let Entry(Some(listed)) = projection::from_bytes(id, entry)? else { continue };
        let stock = stock.as_ref().map(|bytes| projection::from_bytes::<Stock>(id, bytes)).transpose()?;
        products.push(Product { listed, stock: stock.and_then(|stock| stock.0) });
    }
    Ok(products)
}

/// What is known of an artisan.
///
/// # Errors
/// Where the store does not answer.
pub async fn maker<P: Ports>(ports: &P, artisan_id: &str) -> Result<Maker, StoreError> {
    Ok(projection::read(ports, &maker_key(artisan_id)).await?.unwrap_or_default())
}

/// What is known of the makers of products, by the artisans' ids.
///
/// # Errors
/// Where the store does not answer.
pub async fn makers<'a, P: Ports>(ports: &P, products: &'a [Product]) -> Result<BTreeMap<&'a str, Maker>, StoreError> {
    let ids: BTreeSet<&str> = products.iter().map(|product| product.listed.details.artisan_id.as_str()).collect();
    let keys: Vec<_> = ids.iter().map(|id| maker_key(id)).collect();
    let makers = projection::read_many::<Maker, P>(ports, &keys).await?;
    Ok(ids.into_iter().zip(makers.into_iter().map(Option::unwrap_or_default)).collect())
}

fn product_key(id: &str) -> String {
    key("product", &[id])
}

fn stock_key(id: &str) -> String {
    key("stock", &[id])
}

fn maker_key(id: &str) -> String {
    key("maker", &[id])
}
