//! The pieces of a product and where they are. Moving them never makes or loses one.

use serde::{Deserialize, Serialize};

/// How many pieces are where. `available + reserved + sold` is always all that ever came in less what went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Initial stock plus all adjustments.
    pub received: u32,
    /// Free to be reserved.
    pub available: u32,
    /// Set aside for orders.
    pub reserved: u32,
    /// Sold and not returned.
    pub sold: u32,
}

/// Where pieces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Free.
    Available,
    /// Set aside.
    Reserved,
    /// Sold.
    Sold,
}

impl Counts {
    /// So many pieces, all free.
    #[must_use]
    pub fn starting(initial: u32) -> Self {
        Self { received: initial, available: initial, ..Self::default() }
    }

    /// The counts after `quantity` pieces moved.
    ///
    /// # Errors
    /// Where there are not as many at `from`. The caller has looked before: it is a defect, or a stored value that was
    /// tampered with.
    pub fn moved(mut self, from: Place, to: Place, quantity: u32) -> Result<Self, String> {
        let left = self.at(from).checked_sub(quantity);
        *self.at(from) = left.ok_or_else(|| format!("fewer than {quantity} pieces are {from:?}: {self:?}"))?;
        let grown = self.at(to).checked_add(quantity);
        *self.at(to) = grown.ok_or_else(|| format!("{quantity} pieces more are too many to be {to:?}: {self:?}"))?;
        Ok(self)
    }

    /// The counts after an adjustment of the free pieces; `None` where they would go below zero, or past what can be
    /// counted.
    #[must_use]
    pub fn adjusted(mut self, difference: i64) -> Option<Self> {
        let apply = |count: u32| i64::from(count).checked_add(difference).and_then(|sum| u32::try_from(sum).ok());
        self.available = apply(self.available)?;
        self.received = apply(self.received)?;
        Some(self)
    }

    /// Whether every piece is somewhere, once.
    #[must_use]
    pub fn balanced(self) -> bool {
        let sum = u64::from(self.available) + u64::from(self.reserved) + u64::from(self.sold);
        sum == u64::from(self.received)
    }

    fn at(&mut self, place: Place) -> &mut u32 {
        match place {
            Place::Available => &mut self.available,
            Place::Reserved => &mut self.reserved,
            Place::Sold => &mut self.sold,
        }
    }
}
