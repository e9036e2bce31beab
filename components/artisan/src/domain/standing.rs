//! Which standing may follow which, and the business noes.

use kit::events::artisan::ArtisanStatus;
use kit::inbox::Refusal;

/// Whether a standing may follow another by `artisan.status.change`. Verification alone makes a pending artisan active.
#[must_use]
pub fn may_become(from: ArtisanStatus, to: ArtisanStatus) -> bool {
    use ArtisanStatus::{Active, Banned, Inactive, Pending, Suspended};
    match from {
        Pending => matches!(to, Inactive | Suspended | Banned),
        Active => matches!(to, Inactive | Suspended | Banned),
        Inactive => matches!(to, Active | Suspended | Banned),
        Suspended => matches!(to, Active | Banned),
        Banned => false,
    }
}

/// Whether an artisan of this standing may list and sell.
#[must_use]
pub fn sells(status: ArtisanStatus) -> bool {
    matches!(status, ArtisanStatus::Pending | ArtisanStatus::Active)
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Somebody else registered under this id. The asker takes another id.
    ArtisanExists,
    /// Nobody registered under this id.
    UnknownArtisan,
    /// Another listing has this product id. The asker takes another id.
    ProductExists,
    /// The first standing does not become the second.
    Transition(ArtisanStatus, ArtisanStatus),
    /// An unverified artisan is not activated: verify first.
    NotVerified,
    /// The timer of a suspension that is over.
    StaleReactivation,
}

impl Refused {
    /// The code of [`Refused::UnknownArtisan`], which HTTP answers with 404.
    pub const UNKNOWN_ARTISAN: &'static str = "unknown-artisan";

    /// As the asker is told; `id` is what the asker named.
    #[must_use]
    pub fn refusal(self, id: &str) -> Refusal {
        let (code, detail) = match self {
            Self::ArtisanExists => ("artisan-exists", format!("the artisan id {id} is taken: choose another")),
            Self::UnknownArtisan => (Self::UNKNOWN_ARTISAN, "no such artisan is registered".to_owned()),
            Self::ProductExists => ("product-exists", format!("the product id {id} is taken: choose another")),
            Self::Transition(from, to) => {
                ("illegal-transition", format!("an artisan who is {} cannot become {}", name(from), name(to)))
            }
            Self::NotVerified => ("not-verified", "an artisan is verified before being activated".to_owned()),
            Self::StaleReactivation => ("stale-reactivation", "that suspension is over already".to_owned()),
        };
        Refusal::new(code, detail)
    }
}

/// The standing's name on the wire.
#[must_use]
pub fn name(status: ArtisanStatus) -> &'static str {
    match status {
        ArtisanStatus::Pending => "pending",
        ArtisanStatus::Active => "active",
        ArtisanStatus::Inactive => "inactive",
        ArtisanStatus::Suspended => "suspended",
        ArtisanStatus::Banned => "banned",
    }
}
