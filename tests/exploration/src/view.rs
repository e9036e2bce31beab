//! What the properties look at: the few things of a part's state that an outsider could tell.

use crate::local::{Local, ask, filled};
use crate::message::Part;
use crate::plan::{ORDER, PRODUCTS, RIVAL};
use inventory::domain::{Counts, Entry, Status, settled_key};
use kit::aggregate::{self, aggregate_key, parse};
use kit::events::saga::SagaStep;
use kit::http::Request;
use kit::json::{self, Value};
use kit::memory::block_on;
use order::domain as ordering;
use saga::domain as sagas;
use std::fmt;

/// A part from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// The order; absent until it is heard of.
    Order(ordering::Status),
    /// The saga, and the deadlines it waits for.
    Saga(sagas::Phase, Vec<(SagaStep, u32)>),
    /// A product's stock.
    Shelf(Box<Shelf>),
    /// The gateway's ledger: how much was taken, and how much went back, in minor units.
    Till(u64, u64),
}

/// A product's stock.
#[derive(Debug, Clone, PartialEq)]
pub struct Shelf {
    /// Where its pieces are.
    pub counts: Counts,
    /// The order's claim.
    pub ours: Option<Entry>,
    /// The rival's.
    pub rivals: Option<Entry>,
}

impl Shelf {
    /// Pieces that the claims of a status have.
    #[must_use]
    pub fn claimed(&self, status: Status) -> u32 {
        let claims = [&self.ours, &self.rivals].into_iter().flatten();
        claims.filter(|claim| claim.status == status).map(|claim| claim.quantity).sum()
    }

    /// The status of the order's claim.
    #[must_use]
    pub fn claim(&self) -> Option<Status> {
        self.ours.as_ref().map(|claim| claim.status)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(status) => write!(f, "order {status:?}"),
            Self::Saga(phase, _) => write!(f, "saga {phase:?}"),
            Self::Shelf(shelf) => {
                let Counts { available, reserved, sold, .. } = shelf.counts;
                write!(f, "stock {available} free, {reserved} reserved, {sold} sold, claim {:?}", shelf.claim())
            }
            Self::Till(taken, returned) => write!(f, "ledger {taken} taken, {returned} returned"),
        }
    }
}

impl View {
    /// Looks at a part.
    #[must_use]
    pub fn of(part: Part, local: &Local) -> Self {
        match part {
            Part::Order => {
                let order = state::<ordering::Order>(local, ORDER);
                Self::Order(order.status)
            }
            Part::Saga => {
                let saga = state::<sagas::Saga>(local, ORDER);
                let running = saga.deadlines.iter().map(|deadline| (deadline.step, deadline.generation));
                Self::Saga(saga.phase, running.collect())
            }
            Part::First => shelf(local, PRODUCTS[0]),
            Part::Second => shelf(local, PRODUCTS[1]),
            Part::Payment => till(local),
        }
    }
}

fn state<S: aggregate::State>(local: &Local, id: &str) -> S {
    let stored = local.store.get(&aggregate_key::<S>(id)).and_then(|bytes| parse::<S>(bytes).ok());
    stored.map_or_else(S::default, |stored| stored.state)
}

fn shelf(local: &Local, product: &str) -> View {
    let stock = state::<inventory::domain::Stock>(local, product);
    let memory = filled(&local.store);
    let claim = |order_id: &str| {
        let beside = || {
            let forward = block_on(aggregate::read_forward(&memory, &settled_key(product, order_id))).ok().flatten();
            forward.and_then(|forward| json::from_value(forward.value).ok())
        };
        stock.orders.get(order_id).cloned().or_else(beside)
    };
    View::Shelf(Box::new(Shelf { counts: stock.counts, ours: claim(ORDER), rivals: claim(RIVAL) }))
}

fn till(local: &Local) -> View {
    let gateway = filled(&local.gateway);
    let answer = ask(&gateway, &Request::get(format!("/gateway/ledger?merchantReference={ORDER}")));
    let ledger: Value = json::from_slice(&answer.body).unwrap_or_default();
    let entries = ledger["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sum = |kind: &str| {
        let amounts = entries.iter().filter(|entry| entry["kind"] == kind).map(|entry| entry["amount"].as_u64());
        amounts.map(Option::unwrap_or_default).sum()
    };
    View::Till(sum("charge"), sum("refund"))
}
