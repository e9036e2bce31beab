//! What is known of one order's claim to a product, in the aggregate or beside it.

use kit::events::inventory::{LowStockWarning, ReleaseReason};
use kit::time::Millis;
use serde::{Deserialize, Serialize};

/// Where a claim stands. Only `Held` binds pieces; all others are settled and leave the aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Pieces are set aside.
    Held,
    /// Nothing is set aside, and nothing was: too few were free.
    Refused,
    /// The reservation outlived its time. A sale may still reserve again.
    Expired,
    /// Sold.
    Sold,
    /// Released on purpose, or released before it was ever asked for (a tombstone): stays so.
    Released,
}

/// The claim. It keeps what each command was answered, so that a repeat is answered the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// How often it changed: grows with every transition, so that beside the aggregate the later one wins.
    pub step: u64,
    /// Where it stands.
    pub status: Status,
    /// Pieces asked for; 0 of a tombstone.
    pub quantity: u32,
    /// The answer to `inventory.stock.check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
    /// The answer to `inventory.stock.sell`: sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold: Option<Sold>,
    /// The answer to `inventory.stock.sell`: not to be had any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// What the expiry gave back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<Returned>,
    /// What the release gave back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Returned>,
}

/// The answer to a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Version of the aggregate.
    pub version: u64,
    /// Pieces free after it.
    pub free: u32,
    /// Until when the pieces are held; absent where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// The warning it brought about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Box<LowStockWarning>>,
}

/// A sale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sold {
    /// Version of the aggregate.
    pub version: u64,
    /// Pieces free after it.
    pub free: u32,
    /// The warning it brought about, where it had to reserve again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Box<LowStockWarning>>,
}

/// A sale that could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Version of the aggregate.
    pub version: u64,
    /// Pieces asked for.
    pub quantity: u32,
    /// Pieces that were free.
    pub free: u32,
}

/// What a release or an expiry gave back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Version of the aggregate.
    pub version: u64,
    /// Pieces that came back.
    pub quantity: u32,
    /// Why.
    pub reason: ReleaseReason,
    /// Pieces free after it.
    pub free: u32,
    /// When.
    pub at: Millis,
}

impl Entry {
    /// Schema of this struct where it is stored by itself.
    pub const FORMAT: u32 = 1;

    /// A claim that begins.
    #[must_use]
    pub fn new(status: Status, quantity: u32) -> Self {
        Self { step: 1, status, quantity, checked: None, sold: None, lost: None, expired: None, released: None }
    }

    /// The same, one transition later.
    #[must_use]
    pub fn then(&self, status: Status) -> Self {
        Self { step: self.step + 1, status, ..self.clone() }
    }

    /// Whether it may leave the aggregate.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.status != Status::Held
    }
}
