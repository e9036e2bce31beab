//! Decisions of the listing aggregate: the first command under a product id is done, for good, and it alone is told.
//!
//! A listing is a command and not a fact that comes first, as an order's placing is: its id may be the client's, two
//! may ask for it at once, and whoever hears of a listing must hear of the one that holds.

use super::Refused;
use kit::Event;
use kit::aggregate::{Change, Decider, Decision, Input, State};
use kit::events::artisan::NewProductListed;
use kit::ports::{Ports, StoreError};
use serde::{Deserialize, Serialize};

/// A product's listing; `None` inside where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Whose it is.
    pub owner: Option<Owner>,
}

/// Who listed a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The product's id: an answer that continues an earlier request has it from here alone.
    pub product_id: String,
    /// The artisan.
    pub artisan_id: String,
    /// Id of the command that listed it, or of the fact, where another publisher told it.
    pub by_event: String,
    /// RFC 3339.
    pub listed_at: String,
    /// Version of the fact; 0 where it was not ours to tell.
    #[serde(default)]
    pub version: u64,
}

impl State for Listing {
    const KIND: &'static str = "listing";
    const FORMAT: u32 = 1;
}

/// Decides about listings.
#[derive(Debug, Clone)]
pub struct Listings;

impl Decider for Listings {
    type State = Listing;
    type Facts = ();

    async fn facts<P: Ports>(_ports: &P, _state: &Listing, _input: Input<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn decide(state: &Listing, _facts: &(), input: Input<'_>) -> Decision<Listing> {
        match (input.event, &state.owner) {
            (Event::ArtisanProductList(command), owner) => list(state, owner.as_ref(), &command.listing, input),
            // Our own, or one that another publisher told too late.
            (Event::ArtisanProductListed(_), Some(_)) => Decision::Ignore,
            (Event::ArtisanProductListed(listing), None) => {
                Change::to(Listing { owner: Some(owner(listing, input, 0)) }).decide()
            }
            (other, _) => Decision::Reject(format!("a listing does not take {}", other.subject())),
        }
    }
}

fn list(state: &Listing, there: Option<&Owner>, listing: &NewProductListed, input: Input<'_>) -> Decision<Listing> {
    let fact = || Event::ArtisanProductListed(listing.clone());
    match there {
        None => Change::to(Listing { owner: Some(owner(listing, input, input.version)) }).fact(fact()),
        Some(owner) if owner.by_event == input.meta.event_id => Change::to(state.clone()).again(owner.version, fact()),
        Some(_) => Change::to(state.clone()).refuse(Refused::ProductExists.refusal(input.id)),
    }
    .decide()
}

fn owner(listing: &NewProductListed, input: Input<'_>, version: u64) -> Owner {
    Owner {
        product_id: input.id.to_owned(),
        artisan_id: listing.artisan_id.clone(),
        by_event: input.meta.event_id.clone(),
        listed_at: listing.listed_at.clone(),
        version,
    }
}
