//! Decisions of the listing aggregate: the first event under a product id is its listing, for good.

use super::Refused;
use kit::Event;
use kit::aggregate::{Change, Decider, Decision, Input, State};
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
    /// Id of the event that listed it.
    pub by_event: String,
    /// RFC 3339.
    pub listed_at: String,
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
        let Event::ArtisanProductListed(listing) = input.event else {
            return Decision::Reject(format!("a listing does not take {}", input.event.subject()));
        };
        match &state.owner {
            Some(owner) if owner.by_event == input.meta.event_id => Decision::Ignore,
            Some(_) => Change::to(state.clone()).refuse(Refused::ProductExists.refusal(input.id)).decide(),
            None => {
                let owner = Owner {
                    product_id: input.id.to_owned(),
                    artisan_id: listing.artisan_id.clone(),
                    by_event: input.meta.event_id.clone(),
                    listed_at: listing.listed_at.clone(),
                };
                Change::to(Listing { owner: Some(owner) }).decide()
            }
        }
    }
}
