//! What was published: each event once by its id, each fact the same however often it is told.

use super::shelves::Listed;
use a4co_host::event::Event;
use kit::json::{self, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
#[derive(Debug, Default)]
pub struct Log {
    events: Vec<Arc<Event>>,
    on_disk: usize,
    known: Known,
}

/// What follows from the events.
#[derive(Debug, Default)]
struct Known {
    by_id: BTreeMap<String, Entry>,
    /// What was told, by what it is about.
    facts: BTreeMap<String, String>,
    /// The id of what one cause led to.
    emissions: BTreeMap<String, String>,
    orders: BTreeMap<String, Placed>,
    products: BTreeMap<String, Listed>,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// The aggregate it is of.
    pub aggregate: String,
    /// Its payload.
    pub data: Value,
}

/// An order as it was placed.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Who placed it.
    pub customer: String,
    /// By which request: the simulation's customers write it into the address.
    pub request: String,
    /// In minor units.
    pub total: u64,
    /// Pieces by product.
    pub items: BTreeMap<String, u64>,
}

impl Log {
    /// All events, oldest first.
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// The event of an id.
    pub fn by_id(&self, id: &str) -> Option<&Entry> {
        self.known.by_id.get(id)
    }

    /// The orders.
    pub fn orders(&self) -> &BTreeMap<String, Placed> {
        &self.known.orders
    }

    /// The products.
    pub fn products(&self) -> &BTreeMap<String, Listed> {
        &self.known.products
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.known.by_id.values()
    }

    /// Whether this was told of an order's product.
    pub fn told(&self, subject: &str, aggregate: &str, order_id: &str) -> bool {
        self.known.facts.contains_key(&format!("{subject}|{aggregate}|{order_id}|"))
    }

    /// Whether it was told that an order's product was released on purpose.
    pub fn released(&self, product: &str, order_id: &str) -> bool {
        self.told("inventory.stock.released", product, order_id)
    }

    /// How many different things of this subject were told of an order.
    pub fn count(&self, subject: &str, order_id: &str) -> usize {
        let about = |key: &&String| {
            let mut parts = key.split('|');
            let (its, aggregate, order) = (parts.next(), parts.next(), parts.next());
            its == Some(subject) && (aggregate == Some(order_id) || order == Some(order_id))
        };
        self.known.facts.keys().filter(about).count()
    }

    /// Everything so far is on disk.
    pub fn mark(&mut self) {
        self.on_disk = self.events.len();
    }

    /// What was not on disk is gone.
    pub fn roll_back(&mut self) {
        self.events.truncate(self.on_disk);
        self.known = Known::default();
        for event in &self.events {
            // What is wrong with them was said.
            let _known = self.known.add(event);
        }
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Arc<Event>) -> Result<(), String> {
        self.events.push(event.clone());
        self.known.add(event)
    }
}

impl Known {
    fn add(&mut self, event: &Event) -> Result<(), String> {
        let envelope = event.envelope().map_err(|error| format!("{} was published: {error}", event.subject))?;
        let text = String::from_utf8_lossy(event.data().unwrap_or_default()).into_owned();
        let data: Value = json::from_str(&text).unwrap_or_default();
        let (id, aggregate) = (envelope.event_id.clone(), envelope.aggregate_id.clone());
        let subject = event.subject.as_str().to_owned();
        let emission = format!("{}|{subject}|{aggregate}|{text}", envelope.causation_id);
        // A request causes itself, and may be made again.
        if envelope.causation_id != id
            && let Some(other) = self.emissions.insert(emission, id.clone())
            && other != id
        {
            return Err(format!("{subject} of {aggregate} has two ids for one cause: {other} and {id}"));
        }
        let entry = Entry { id: id.clone(), subject, aggregate, data };
        let told = self.tell(&entry, &text, event.headers.aggregate_version);
        let priced = self.place(&entry);
        self.by_id.insert(id, entry);
        told.and(priced)
    }

    /// A fact says the same however often it is told.
    fn tell(&mut self, entry: &Entry, text: &str, version: Option<u64>) -> Result<(), String> {
        let Entry { subject, aggregate, data, .. } = entry;
        let order = data["orderId"].as_str().unwrap_or_default();
        let which = match subject.as_str() {
            "order.created" | "order.confirmed" | "order.cancelled" | "order.delivered" => String::new(),
            "inventory.stock.reserved" | "inventory.stock.sold" | "payment.succeeded" => String::new(),
            "inventory.stock.released" if data["reason"] == "reservation-expired" => "expired".to_owned(),
            "inventory.stock.released" | "payment.refunded" => String::new(),
            "payment.failed" => data["attemptNumber"].to_string(),
            _ => return Ok(()),
        };
        let key = format!("{subject}|{aggregate}|{order}|{which}");
        // The refund's fact is of an id of its own, and has no version.
        let words = format!("{text} as of version {version:?}");
        match self.facts.get(&key) {
            Some(before) if *before != words => {
                Err(format!("{subject} of {aggregate} is told in two ways: {before} and {words}"))
            }
            Some(_) => Ok(()),
            None => {
                self.facts.insert(key, words);
                Ok(())
            }
        }
    }

    fn place(&mut self, entry: &Entry) -> Result<(), String> {
        let Entry { aggregate, data, .. } = entry;
        match entry.subject.as_str() {
            "artisan.product.listed" => {
                let listed = Listed {
                    initial: data["initialStock"].as_u64().unwrap_or(0),
                    price: data["price"].as_u64().unwrap_or(0),
                };
                // The first holds: a second listing is refused.
                self.products.entry(aggregate.clone()).or_insert(listed);
            }
            "order.created" => {
                let placed = Placed {
                    customer: data["customerId"].as_str().unwrap_or_default().to_owned(),
                    request: data["deliveryAddress"]["street"].as_str().unwrap_or_default().to_owned(),
                    total: data["totalAmount"].as_u64().unwrap_or(0),
                    items: items(data),
                };
                let price = |(product, pieces): (&String, &u64)| {
                    self.products.get(product).map_or(0, |listed| listed.price * pieces)
                };
                let due: u64 = placed.items.iter().map(price).sum();
                let twice = self.orders.iter().find(|(id, other)| *id != aggregate && other.request == placed.request);
                if let Some((other, _)) = twice {
                    return Err(format!("{} placed two orders: {other} and {aggregate}", placed.request));
                }
                if due != placed.total {
                    return Err(format!("order {aggregate} costs {} and should cost {due}", placed.total));
                }
                self.orders.insert(aggregate.clone(), placed);
            }
            _ => {}
        }
        Ok(())
    }
}

fn items(data: &Value) -> BTreeMap<String, u64> {
    let mut items = BTreeMap::new();
    for line in data["items"].as_array().into_iter().flatten() {
        let product = line["productId"].as_str().unwrap_or_default().to_owned();
        *items.entry(product).or_default() += line["quantity"].as_u64().unwrap_or(0);
    }
    items
}
