//! What may happen in an exploration, and how often; and the order it is about.

use kit::Event;
use kit::json::{Value, json};
use kit::time::Millis;

/// The time of everything: decisions read it, none may depend on its passing but through timers.
pub const NOW: Millis = Millis(1_768_473_000_000);
/// The order.
pub const ORDER: &str = "o1";
/// The order of someone else who wants the second product.
pub const RIVAL: &str = "o2";
/// The products: two pieces of the first are ordered, one of the second.
pub const PRODUCTS: [&str; 2] = ["p1", "p2"];
/// Pieces ordered of each product.
pub const QUANTITIES: [u32; 2] = [2, 1];
/// What the order costs, in minor units.
pub const TOTAL: u64 = 5_000;

/// How often each trouble may still come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Troubles {
    /// A settled event comes again, at any later time, to an empty inbox.
    pub copies: u8,
    /// An event is dead-lettered: it comes at any later time, or never.
    pub losses: u8,
    /// A crash between the swap and the publishing: what follows goes out at any later time, and its key waits.
    pub crashes: u8,
    /// A timer fires though there is still something under way.
    pub early: u8,
    /// The gateway does not answer: it took the money, or it was not reached.
    pub silences: u8,
    /// The customer cancels.
    pub cancels: u8,
    /// The goods are handed over.
    pub deliveries: u8,
    /// Someone else takes a piece of the second product.
    pub rivals: u8,
}

impl Troubles {
    /// None at all.
    pub const NONE: Self =
        Self { copies: 0, losses: 0, crashes: 0, early: 0, silences: 0, cancels: 0, deliveries: 0, rivals: 0 };
}

/// An exploration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// In a word.
    pub name: &'static str,
    /// The customer's method, which says how the gateway answers.
    pub method: &'static str,
    /// Pieces in stock at the start.
    pub stock: [u32; 2],
    /// How often what may happen.
    pub troubles: Troubles,
}

impl Plan {
    /// Everything is in stock, just so; the gateway answers yes, nothing goes wrong.
    #[must_use]
    pub const fn calm(name: &'static str) -> Self {
        Self { name, method: "tok_ok", stock: QUANTITIES, troubles: Troubles::NONE }
    }

    /// The same with these troubles.
    #[must_use]
    pub const fn with(self, name: &'static str, troubles: Troubles) -> Self {
        Self { name, troubles, ..self }
    }

    /// `artisan.product.listed` of a product.
    ///
    /// # Panics
    /// Where the event's shape has changed.
    #[must_use]
    pub fn listed(&self, place: usize) -> Event {
        read(
            "artisan.product.listed",
            &json!({
                "artisanId": "a1", "productName": PRODUCTS[place], "category": "ceramica", "subcategory": "cuencos",
                "description": "d", "price": 1_000, "currency": "EUR", "initialStock": self.stock[place], "craftingTime": 1,
                "materials": [], "dimensions": {"width": 1, "height": 1, "depth": 1, "weight": 1}, "customizable": false,
                "sustainabilityScore": 1, "listedAt": NOW.rfc3339(),
            }),
        )
    }

    /// `order.created`.
    ///
    /// # Panics
    /// Where the event's shape has changed.
    #[must_use]
    pub fn created(&self) -> Event {
        let item = |place: usize| {
            json!({
                "productId": PRODUCTS[place], "artisanId": "a1", "quantity": QUANTITIES[place], "unitPrice": 1_000,
                "productName": PRODUCTS[place],
            })
        };
        read(
            "order.created",
            &json!({
                "customerId": "c1", "items": [item(0), item(1)], "totalAmount": TOTAL, "currency": "EUR",
                "deliveryAddress": {"street": "s", "city": "Jaén", "postalCode": "23001", "coordinates": {"lat": 1, "lng": 1}},
                "orderType": "delivery", "createdAt": NOW.rfc3339(), "paymentMethodId": self.method,
            }),
        )
    }
}

/// What the customer's cancellations are called: each is an event of its own.
pub const CANCELLATIONS: [&str; 2] = ["cancel", "cancel-again"];

/// `order.cancel` from the customer.
///
/// # Panics
/// Where the event's shape has changed.
#[must_use]
pub fn cancel() -> Event {
    let saga = kit::ids::saga(ORDER);
    read(
        "order.cancel",
        &json!({
            "reason": "customer-request", "cancelledAt": NOW.rfc3339(), "sagaId": saga, "cancelledBy": "c1",
        }),
    )
}

/// `order.deliver` from the courier.
///
/// # Panics
/// Where the event's shape has changed.
#[must_use]
pub fn deliver() -> Event {
    read(
        "order.deliver",
        &json!({
            "deliveredAt": NOW.rfc3339(), "deliveryMethod": "courier", "recipientName": "r", "deliveryPhotos": [],
        }),
    )
}

/// `inventory.stock.check` of the rival.
///
/// # Panics
/// Where the event's shape has changed.
#[must_use]
pub fn rival() -> Event {
    let saga = kit::ids::saga(RIVAL);
    read("inventory.stock.check", &json!({ "orderId": RIVAL, "quantityRequested": QUANTITIES[1], "sagaId": saga }))
}

#[expect(clippy::panic, reason = "a test: the event's shape has changed")]
fn read(subject: &str, data: &Value) -> Event {
    match Event::read(subject, &data.to_string()) {
        Ok(event) => event,
        Err(error) => panic!("{subject}: {error}"),
    }
}
