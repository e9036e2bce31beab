//! What a notification says, and to whom, as taken from its event. Stored as it is; [`crate::text`] makes words of it.

use kit::events::artisan::{ArtisanStatus, VerificationLevel};
use kit::events::order::CancellationReason;
use kit::{Event, Metadata};
use serde::{Deserialize, Serialize};

/// Most names of changed fields that are told: keeps a note small.
const MAX_FIELDS: usize = 10;

/// Whom a notification is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The customer of this order, who may not be known yet.
    Order(String),
    /// This user or artisan.
    Person(String),
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Content {
    /// The order was placed.
    OrderCreated {
        /// What it costs, in minor units of the order's currency.
        total: u64,
    },
    /// The order stands.
    OrderConfirmed {
        /// RFC 3339.
        arrives: String,
    },
    /// The order is off.
    OrderCancelled {
        /// Why.
        reason: CancellationReason,
        /// What goes back, in minor units; `None` where nothing was paid.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund: Option<u64>,
    },
    /// The order was handed over.
    OrderDelivered {
        /// Who took it.
        recipient: String,
    },
    /// Pieces of it are set aside.
    StockReserved {
        /// Which.
        product_id: String,
        /// How many.
        quantity: u32,
    },
    /// It is paid.
    PaymentSucceeded {
        /// Minor units.
        amount: u64,
        /// ISO 4217.
        currency: String,
    },
    /// It is not paid.
    PaymentFailed {
        /// Whether it is tried again.
        again: bool,
    },
    /// Money went back.
    PaymentRefunded {
        /// Minor units of the order's currency; 0 where nothing had been taken.
        amount: u64,
        /// Business days until it arrives.
        days: u32,
    },
    /// An artisan's product runs low.
    StockLow {
        /// Which.
        product_name: String,
        /// Free pieces.
        left: u32,
    },
    /// A user signed up.
    UserRegistered {
        /// Given name.
        first_name: String,
    },
    /// A user's profile changed.
    ProfileUpdated {
        /// Names of fields.
        fields: Vec<String>,
    },
    /// A user's preferences changed.
    PreferencesChanged,
    /// An artisan was verified.
    ArtisanVerified {
        /// How well.
        level: VerificationLevel,
    },
    /// An artisan's standing changed.
    ArtisanStatusChanged {
        /// To what.
        status: ArtisanStatus,
        /// Why.
        reason: String,
    },
    /// An artisan's product is on sale.
    ProductListed {
        /// Which.
        product_name: String,
        /// Minor units.
        price: u64,
        /// ISO 4217.
        currency: String,
    },
}

/// What an event tells, by its business key: an aggregate tells a fact again with the version it had when it was new. A
/// refund has an id of its own instead. `None` where the event's id alone can tell.
#[must_use]
pub fn fact(meta: &Metadata, event: &Event) -> Option<String> {
    let (subject, id) = (event.subject(), &meta.aggregate_id);
    match (event, meta.aggregate_version) {
        (Event::PaymentRefunded(_), _) => Some(format!("{subject} {id}")),
        (_, Some(version)) => Some(format!("{subject} {id} {version}")),
        (_, None) => None,
    }
}

impl Content {
    /// What an event tells whom; `None` where it tells nobody.
    #[must_use]
    pub fn of(meta: &Metadata, event: &Event) -> Option<(Recipient, Self)> {
        let own = || meta.aggregate_id.clone();
        Some(match event {
            Event::OrderCreated(order) => (Recipient::Order(own()), Self::OrderCreated { total: order.total_amount }),
            Event::OrderConfirmed(order) => {
                (Recipient::Order(own()), Self::OrderConfirmed { arrives: order.estimated_delivery_date.clone() })
            }
            Event::OrderCancelled(order) => {
                let refund = order.refund_amount.filter(|_| order.refund_required);
                (Recipient::Order(own()), Self::OrderCancelled { reason: order.reason, refund })
            }
            Event::OrderDelivered(order) => {
                (Recipient::Order(own()), Self::OrderDelivered { recipient: order.recipient_name.clone() })
            }
            Event::InventoryStockReserved(stock) => {
                let content = Self::StockReserved { product_id: own(), quantity: stock.quantity_reserved };
                (Recipient::Order(stock.order_id.clone()), content)
            }
            Event::PaymentSucceeded(payment) => {
                let content = Self::PaymentSucceeded { amount: payment.amount, currency: payment.currency.clone() };
                (Recipient::Order(payment.order_id.clone()), content)
            }
            Event::PaymentFailed(payment) => {
                let again = payment.retryable && payment.attempt_number < payment.max_attempts;
                (Recipient::Order(payment.order_id.clone()), Self::PaymentFailed { again })
            }
            Event::PaymentRefunded(refund) => {
                let content = Self::PaymentRefunded { amount: refund.refund_amount, days: refund.processing_time };
                (Recipient::Order(refund.order_id.clone()), content)
            }
            other => return Self::of_person(meta, other),
        })
    }

    fn of_person(meta: &Metadata, event: &Event) -> Option<(Recipient, Self)> {
        let own = || Recipient::Person(meta.aggregate_id.clone());
        Some(match event {
            Event::InventoryStockLow(stock) => {
                let product_name = stock.product_name.clone();
                (
                    Recipient::Person(stock.artisan_id.clone()),
                    Self::StockLow { product_name, left: stock.current_stock },
                )
            }
            Event::UserRegistered(user) => (own(), Self::UserRegistered { first_name: user.first_name.clone() }),
            Event::UserProfileUpdated(user) => {
                let fields = user.changed_fields.iter().take(MAX_FIELDS).cloned().collect();
                (own(), Self::ProfileUpdated { fields })
            }
            Event::UserPreferencesChanged(_) => (own(), Self::PreferencesChanged),
            Event::ArtisanVerified(artisan) => (own(), Self::ArtisanVerified { level: artisan.verification_level }),
            Event::ArtisanStatusChanged(artisan) => {
                let content = Self::ArtisanStatusChanged { status: artisan.new_status, reason: artisan.reason.clone() };
                (own(), content)
            }
            Event::ArtisanProductListed(product) => {
                let content = Self::ProductListed {
                    product_name: product.product_name.clone(),
                    price: product.price,
                    currency: product.currency.clone(),
                };
                (Recipient::Person(product.artisan_id.clone()), content)
            }
            _ => return None,
        })
    }

    /// The subject of its event.
    #[must_use]
    pub fn subject(&self) -> &'static str {
        match self {
            Self::OrderCreated { .. } => "order.created",
            Self::OrderConfirmed { .. } => "order.confirmed",
            Self::OrderCancelled { .. } => "order.cancelled",
            Self::OrderDelivered { .. } => "order.delivered",
            Self::StockReserved { .. } => "inventory.stock.reserved",
            Self::PaymentSucceeded { .. } => "payment.succeeded",
            Self::PaymentFailed { .. } => "payment.failed",
            Self::PaymentRefunded { .. } => "payment.refunded",
            Self::StockLow { .. } => "inventory.stock.low",
            Self::UserRegistered { .. } => "user.registered",
            Self::ProfileUpdated { .. } => "user.profile.updated",
            Self::PreferencesChanged => "user.preferences.changed",
            Self::ArtisanVerified { .. } => "artisan.verified",
            Self::ArtisanStatusChanged { .. } => "artisan.status.changed",
            Self::ProductListed { .. } => "artisan.product.listed",
        }
    }
}
