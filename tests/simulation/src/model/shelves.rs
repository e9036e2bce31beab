//! The pieces of each product: what came in and what was corrected is what is free, set aside and sold together.

use super::log::{Entry, Log};
use kit::json::Value;
use std::collections::BTreeMap;

/// A product as it was listed.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// Pieces at the start.
    pub initial: u64,
    /// Of one piece, in minor units.
    pub price: u64,
}

/// How many pieces are where.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Free.
    pub available: u64,
    /// Set aside.
    pub reserved: u64,
    /// Sold and not returned.
    pub sold: u64,
}

impl Counts {
    /// As they are stored; a negative number is none.
    pub fn of(stock: &Value) -> Option<Self> {
        let counts = &stock["state"]["counts"];
        let count = |name: &str| if counts.is_null() { Some(0) } else { counts[name].as_u64() };
        Some(Self { available: count("available")?, reserved: count("reserved")?, sold: count("sold")? })
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.available + self.reserved + self.sold
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Shelves {
    by_product: BTreeMap<String, Shelf>,
}

#[derive(Debug, Clone, Default)]
struct Shelf {
    listed: bool,
    /// What was corrected, by the command's event.
    adjusted: BTreeMap<String, i64>,
}

impl Shelves {
    /// The corrections of a product, by the events that asked for them.
    pub fn adjusted(&self, product: &str) -> BTreeMap<String, i64> {
        self.by_product.get(product).map(|shelf| shelf.adjusted.clone()).unwrap_or_default()
    }

    /// Checks one write: are pieces set aside only for orders that did not give them back?
    pub fn check_claims(product: &str, (was, is): (&Value, &Value), log: &Log) -> Result<(), String> {
        let holds = |stock: &Value, order: &str| stock["state"]["orders"][order]["status"] == "held";
        for (order, _) in is["state"]["orders"].as_object().into_iter().flatten() {
            if holds(is, order) && !holds(was, order) && log.released(product, order) {
                return Err(format!("{product} is set aside for {order}, which has released it for good"));
            }
        }
        Ok(())
    }

    /// Checks one write: is the sum right, and do claims and counts agree?
    pub fn check(&mut self, product: &str, (was, is): (&Value, &Value), cause: Option<&Entry>) -> Result<(), String> {
        let wrong = || format!("the counts of {product} are no counts: {}", is["state"]["counts"]);
        let (before, after) = (Counts::of(was).ok_or_else(wrong)?, Counts::of(is).ok_or_else(wrong)?);
        let difference = i64::try_from(after.total()).unwrap_or(0) - i64::try_from(before.total()).unwrap_or(0);
        if difference != 0 {
            self.explain(product, difference, cause)?;
        }
        let held: u64 = is["state"]["orders"].as_object().into_iter().flatten().map(|(_, claim)| held(claim)).sum();
        if held != after.reserved {
            return Err(format!("{product}: {} pieces are reserved, claims hold {held}", after.reserved));
        }
        Ok(())
    }

    /// Why there are more or fewer pieces than before.
    fn explain(&mut self, product: &str, difference: i64, cause: Option<&Entry>) -> Result<(), String> {
        let shelf = self.by_product.entry(product.to_owned()).or_default();
        let Some(cause) = cause else { return Err(format!("{product}: {difference:+} pieces, and nobody knows why")) };
        match cause.subject.as_str() {
            "artisan.product.listed" if !shelf.listed => {
                shelf.listed = true;
                let initial = cause.data["initialStock"].as_i64();
                (initial == Some(difference)).then_some(()).ok_or_else(|| format!("{product} begins with {difference}"))
            }
            "inventory.adjust" if cause.data["adjustmentQuantity"].as_i64() == Some(difference) => {
                match shelf.adjusted.insert(cause.id.clone(), difference) {
                    None => Ok(()),
                    Some(_) => Err(format!("{product}: the correction {} by {difference:+} was made twice", cause.id)),
                }
            }
            other => Err(format!("{product}: {difference:+} pieces because of {other} ({})", cause.id)),
        }
    }
}

fn held(claim: &Value) -> u64 {
    if claim["status"] == "held" { claim["quantity"].as_u64().unwrap_or(0) } else { 0 }
}
