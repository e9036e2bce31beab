//! Threads of notes: one an order, one a person; and for each customer the orders, by number.
//!
//! An order's number is claimed in its thread before it is written into the customer's list, and the list remembers to
//! whom it gave its last numbers: so a repeat after a crash finds the same number, and no order is listed twice.

use crate::content::Content;
use kit::Failure;
use kit::aggregate::retry;
use kit::events::order::OrderCreated;
use kit::keys::key;
use kit::ports::{Ports, StoreError};
use kit::projection::{self, View};
use kit::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Notes that a thread keeps, the newest: a person's thread stays below 64 KiB, an order's is never that long.
const MAX_NOTES: usize = 128;
/// Orders of a customer that are shown, the newest: bounds what one request reads.
const MAX_ORDERS: u32 = 1_000;
/// Numbers a list remembers having given: as many as handlers run at once, so that none is forgotten too early.
const REMEMBERED: usize = 16;

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Id of the event it was first told by, by which it is known.
    pub event: String,
    /// What it tells, where the event says so: one fact may be told by several events. See [`crate::content::fact`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
    /// When that happened.
    pub at: Millis,
    /// What it says.
    pub content: Content,
}

/// What a thread's words need beside its notes; known once the order's creation came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whose it is.
    pub customer: String,
    /// ISO 4217.
    pub currency: String,
    /// Names of its products, by id.
    pub products: BTreeMap<String, String>,
    /// Its number in the customer's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
}

/// A thread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The order it is of, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Its notes, oldest first.
    pub notes: Vec<Note>,
}

impl View for Thread {
    const FORMAT: u32 = 1;
}

impl Thread {
    /// Adds a note where its time belongs; says whether that changed anything.
    fn add(&mut self, note: &Note) -> bool {
        let same = |there: &Note| there.event == note.event || (there.fact.is_some() && there.fact == note.fact);
        if self.notes.iter().any(same) {
            return false;
        }
        let place = self.notes.partition_point(|there| (there.at, &there.event) < (note.at, &note.event));
        if place == 0 && self.notes.len() >= MAX_NOTES {
            return false;
        }
        self.notes.insert(place, note.clone());
        let excess = self.notes.len().saturating_sub(MAX_NOTES);
        self.notes.drain(..excess);
        true
    }
}

/// A customer's list of orders: how many numbers were given, and the last of them with whom they went to.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Orders {
    next: u32,
    given: Vec<(String, u32)>,
}

impl View for Orders {
    const FORMAT: u32 = 1;
}

/// An order was placed: its thread learns whose it is and enters the customer's list.
///
/// # Errors
/// Where the store does not answer.
pub async fn open<P: Ports>(ports: &P, order_id: &str, order: &OrderCreated, note: Note) -> Result<(), Failure> {
    let known = Order {
        customer: order.customer_id.clone(),
        currency: order.currency.clone(),
        products: order.items.iter().map(|item| (item.product_id.clone(), item.product_name.clone())).collect(),
        number: None,
    };
    let thread_key = order_key(order_id);
    let thread = projection::update(ports, &thread_key, |thread: &mut Thread| {
        let new = thread.order.is_none();
        if new {
            thread.order = Some(known.clone());
        }
        thread.add(&note) | new
    })
    .await?;
    let Some(order) = thread.order else { return Ok(()) };
    let number = match order.number {
        Some(number) => number,
        None => claim_number(ports, &thread_key, order_id, &order.customer).await?,
    };
    let place = place_key(&order.customer, number);
    if ports.get(&place).await.map_err(retry)?.is_none() {
        ports.set(&place, order_id.as_bytes().to_vec()).await.map_err(retry)?;
    }
    Ok(())
}

async fn claim_number<P: Ports>(ports: &P, thread_key: &str, order_id: &str, customer: &str) -> Result<u32, Failure> {
    let mut mine = 0;
    projection::update(ports, &orders_key(customer), |orders: &mut Orders| {
        if let Some((_, number)) = orders.given.iter().find(|(id, _)| id == order_id) {
            mine = *number;
            return false;
        }
        mine = orders.next;
        orders.next = orders.next.saturating_add(1);
        orders.given.push((order_id.to_owned(), mine));
        let excess = orders.given.len().saturating_sub(REMEMBERED);
        orders.given.drain(..excess);
        true
    })
    .await?;
    let thread = projection::update(ports, thread_key, |thread: &mut Thread| match &mut thread.order {
        Some(order) if order.number.is_none() => {
            order.number = Some(mine);
            true
        }
        _ => false,
    })
    .await?;
    Ok(thread.order.and_then(|order| order.number).unwrap_or(mine))
}

/// A note of an order, whether or not its creation came already.
///
/// # Errors
/// Where the store does not answer.
pub async fn add_to_order<P: Ports>(ports: &P, order_id: &str, note: Note) -> Result<(), Failure> {
    projection::update(ports, &order_key(order_id), |thread: &mut Thread| thread.add(&note)).await?;
    Ok(())
}

/// A note of a person.
///
/// # Errors
/// Where the store does not answer.
pub async fn add_to_person<P: Ports>(ports: &P, id: &str, note: Note) -> Result<(), Failure> {
    projection::update(ports, &person_key(id), |thread: &mut Thread| thread.add(&note)).await?;
    Ok(())
}

/// A thread with the id of its order, where it is one's.
pub type Found = (Option<String>, Thread);

/// All threads of a person: the own one, and those of the newest orders.
///
/// # Errors
/// Where the store does not answer.
pub async fn of_person<P: Ports>(ports: &P, id: &str) -> Result<Vec<Found>, StoreError> {
    let own = projection::read::<Thread, P>(ports, &person_key(id)).await?;
    let orders: Orders = projection::read(ports, &orders_key(id)).await?.unwrap_or_default();
    let places: Vec<_> =
        (orders.next.saturating_sub(MAX_ORDERS)..orders.next).map(|number| place_key(id, number)).collect();
    let order_ids = ports.get_many(&places).await?.into_iter().flatten();
    let order_ids: Vec<_> = order_ids.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let keys: Vec<_> = order_ids.iter().map(|order_id| order_key(order_id)).collect();
    let threads = projection::read_many::<Thread, P>(ports, &keys).await?;
    let of_orders = order_ids.into_iter().zip(threads).filter_map(|(id, thread)| Some((Some(id), thread?)));
    Ok(own.map(|thread| (None, thread)).into_iter().chain(of_orders).collect())
}

/// The thread of an order, where it is this person's.
///
/// # Errors
/// Where the store does not answer.
pub async fn of_order<P: Ports>(ports: &P, id: &str, order_id: &str) -> Result<Vec<Found>, StoreError> {
    let thread = projection::read::<Thread, P>(ports, &order_key(order_id)).await?;
    let theirs = thread.filter(|thread| thread.order.as_ref().is_some_and(|order| order.customer == id));
    Ok(theirs.map(|thread| (Some(order_id.to_owned()), thread)).into_iter().collect())
}

fn order_key(order_id: &str) -> String {
    key("order", &[order_id])
}

fn person_key(id: &str) -> String {
    key("person", &[id])
}

fn orders_key(customer: &str) -> String {
    key("orders", &[customer])
}

fn place_key(customer: &str, number: u32) -> String {
    key("place", &[customer, &number.to_string()])
}
