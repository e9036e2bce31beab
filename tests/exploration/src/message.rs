//! Messages, and the lanes on which they travel: one lane for each (component, stream, key) that has an order of its own.

use crate::plan::PRODUCTS;
use kit::Event;

/// Whose state a lane leads to. Each product's stock is an aggregate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The order.
    Order,
    /// Its saga.
    Saga,
    /// The first product's stock.
    First,
    /// The second product's stock.
    Second,
    /// The order's payment, with the gateway behind it.
    Payment,
}

/// All parts; a part's place is its number.
pub const PARTS: [Part; 5] = [Part::Order, Part::Saga, Part::First, Part::Second, Part::Payment];

impl Part {
    /// The component.
    #[must_use]
    pub fn component(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Saga => "saga",
            Self::First | Self::Second => "inventory",
            Self::Payment => "payment",
        }
    }

    /// Its place among [`PARTS`].
    #[must_use]
    pub fn place(self) -> usize {
        self as usize
    }
}

/// Events of one source and key: handed out one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// To whom.
    pub part: Part,
    /// From which stream.
    pub stream: &'static str,
}

/// All lanes; a lane's place is its number.
pub const LANES: [Lane; 10] = [
    Lane { part: Part::Order, stream: "order" },
    Lane { part: Part::Order, stream: "inventory" },
    Lane { part: Part::Order, stream: "payment" },
    Lane { part: Part::Saga, stream: "order" },
    Lane { part: Part::Saga, stream: "inventory" },
    Lane { part: Part::Saga, stream: "payment" },
    Lane { part: Part::Saga, stream: "saga" },
    Lane { part: Part::First, stream: "inventory" },
    Lane { part: Part::Second, stream: "inventory" },
    Lane { part: Part::Payment, stream: "payment" },
];

/// What each component subscribes to, as far as the exploration goes. The manifest has to say the same.
pub const SUBSCRIPTIONS: [(&str, &[&str]); 4] = [
    (
        "order",
        &[
            "order.created",
            "order.confirm",
            "order.cancel",
            "order.deliver",
            "inventory.stock.reserved",
            "inventory.stock.released",
            "inventory.stock.sold",
            "payment.initiated",
            "payment.succeeded",
            "payment.failed",
            "payment.refunded",
        ],
    ),
    (
        "saga",
        &[
            "order.created",
            "order.confirmed",
            "order.cancelled",
            "order.delivered",
            "inventory.stock.reserved",
            "inventory.stock.unavailable",
            "inventory.stock.released",
            "inventory.stock.sold",
            "payment.succeeded",
            "payment.failed",
            "payment.refunded",
            "saga.timeout",
        ],
    ),
    ("inventory", &["inventory.stock.check", "inventory.stock.sell", "inventory.stock.release"]),
    ("payment", &["payment.process", "payment.refund", "payment.resume"]),
];

/// An event with what its envelope says.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The event's id: derived from what caused it, as the host derives it.
    pub id: String,
    /// The aggregate it is of.
    pub of: String,
    /// The saga it belongs to.
    pub saga_id: Option<String>,
    /// The event.
    pub event: Event,
}

impl Message {
    /// The lanes it travels on: one for each component that subscribes to it.
    pub fn lanes(&self) -> impl Iterator<Item = u8> + '_ {
        let subject = self.event.subject();
        (0_u8..).zip(LANES).filter(move |(_, lane)| self.is_for(*lane, subject)).map(|(place, _)| place)
    }

    fn is_for(&self, lane: Lane, subject: &str) -> bool {
        let heard = SUBSCRIPTIONS
            .iter()
            .any(|(component, subjects)| *component == lane.part.component() && subjects.contains(&subject));
        let of_stream = subject.split('.').next() == Some(lane.stream);
        let of_part = match lane.part {
            Part::First => self.of == PRODUCTS[0],
            Part::Second => self.of == PRODUCTS[1],
            Part::Order | Part::Saga | Part::Payment => true,
        };
        heard && of_stream && of_part
    }
}
