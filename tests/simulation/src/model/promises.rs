//! What people were told: it holds, whatever crashes afterwards.

use super::log::Log;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug, Default)]
pub struct Promises {
    /// The order that a request was told of.
    placed: BTreeMap<String, String>,
    /// Orders of which somebody was told that they are cancelled.
    pub cancelled: BTreeSet<String>,
    /// Orders of which somebody was told that they are delivered.
    pub delivered: BTreeSet<String>,
    /// Requests for a correction that were told it is made.
    pub adjusted: BTreeSet<String>,
    /// Requests for a correction that were refused.
    pub refused: BTreeSet<String>,
}

impl Promises {
    /// A request was told of its order.
    ///
    /// # Errors
    /// Where it was told of another one before.
    pub fn placed(&mut self, request: &str, order_id: &str) -> Result<(), String> {
        match self.placed.insert(request.to_owned(), order_id.to_owned()) {
            Some(other) if other != order_id => Err(format!("{request} was told of {other} and of {order_id}")),
            _ => Ok(()),
        }
    }

    /// Whether every order that somebody was told of is there.
    pub(super) fn kept(&self, log: &Log) -> Result<(), String> {
        match self.placed.iter().find(|(_, order_id)| !log.orders().contains_key(*order_id)) {
            Some((request, order_id)) => Err(format!("{request} was told of {order_id}, which is not there any more")),
            None => Ok(()),
        }
    }
}
