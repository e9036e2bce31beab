//! The gateway's books: an order's money is taken once at most, whole, and what went back stays back.

use super::log::Log;
use kit::json::{self, Value};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<String, BTreeMap<String, Charge>>,
}

/// One charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    amount: u64,
    /// `charged`, `refunded`, `declined`, `busy` or `voided`.
    status: String,
}

impl Ledger {
    /// What is taken of an order and not given back: of each charge, the amount.
    pub fn taken(&self, order_id: &str) -> Vec<u64> {
        let charges = self.accounts.get(order_id).into_iter().flatten();
        charges.filter(|(_, charge)| charge.status == "charged").map(|(_, charge)| charge.amount).collect()
    }

    /// What was ever taken of an order, given back or not.
    pub fn ever_taken(&self, order_id: &str) -> usize {
        let charges = self.accounts.get(order_id).into_iter().flatten();
        charges.filter(|(_, charge)| matches!(charge.status.as_str(), "charged" | "refunded")).count()
    }

    /// An account changed.
    pub fn change(&mut self, order_id: &str, account: &[u8], log: &Log) -> Result<(), String> {
        let account: Value = json::from_slice(account).unwrap_or_default();
        let placed = log.orders().get(order_id).ok_or_else(|| format!("{order_id} is charged, and is no order"))?;
        let known = self.accounts.entry(order_id.to_owned()).or_default();
        for (key, charge) in account["view"]["charges"].as_object().into_iter().flatten() {
            let amount = charge["ask"]["amount"].as_u64().unwrap_or(0);
            let status = charge["status"].as_str().unwrap_or_default().to_owned();
            if status == "charged" && amount != placed.total {
                return Err(format!("{order_id} costs {}, taken are {amount}", placed.total));
            }
            known.insert(key.clone(), Charge { amount, status });
        }
        match self.taken(order_id).len() {
            0 | 1 => Ok(()),
            several => Err(format!("the money of {order_id} is taken {several} times: {:?}", self.accounts[order_id])),
        }
    }

    /// After a crash: nothing was charged for an order that is not there any more.
    pub fn covered(&self, log: &Log) -> Result<(), String> {
        match self.accounts.keys().find(|order_id| !log.orders().contains_key(*order_id)) {
            Some(order_id) => Err(format!("{order_id} was charged, and after the crash it is no order")),
            None => Ok(()),
        }
    }
}
