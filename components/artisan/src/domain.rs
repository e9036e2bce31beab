//! Decisions of the artisan aggregate: registration, verification, standing.

mod listing;
mod standing;

pub use listing::{Listing, Listings};
pub use standing::{Refused, may_become, name, sells};

use crate::products;
use kit::Event;
use kit::aggregate::{Change, Decider, Decision, Input, State};
use kit::events::artisan::{
    ArtisanRegistered, ArtisanStatus, ArtisanStatusChangeRequested, ArtisanStatusChanged, ArtisanVerified,
    ArtisanVerifyRequested, VerificationLevel,
};
use kit::ports::{Ports, StoreError};
use kit::time::Millis;
use serde::{Deserialize, Serialize};

/// Who changes a standing when nobody does: the reactivation's timer.
pub const SYSTEM: &str = "system";
/// The timer that ends a suspension on its date. It names the date: a suspension's command that comes again, long after,
/// sets its own timer again and must not take the place of another one's.
fn reactivation_name(date: &str) -> String {
    format!("reactivation/{date}")
}

/// An artisan; `None` inside where nobody registered under the id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArtisanState {
    /// The artisan.
    pub registered: Option<Registered>,
}

/// A registered artisan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// The artisan's id: an answer that continues an earlier request has it from here alone.
    pub id: String,
    /// Id of the event that registered it: tells its repeat from another registration under the same id.
    pub by_event: String,
    /// What was registered.
    pub profile: ArtisanRegistered,
    /// Where the artisan stands.
    pub status: ArtisanStatus,
    /// The latest check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// When the present suspension ends by itself; its timer says the same instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactivation: Option<String>,
}

/// A check of an artisan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// How thorough.
    pub level: VerificationLevel,
    /// RFC 3339.
    pub verified_at: String,
    /// By whom.
    pub verified_by: String,
}

impl State for ArtisanState {
    const KIND: &'static str = "artisan";
    const FORMAT: u32 = 1;
}

/// Decides about artisans.
#[derive(Debug, Clone)]
pub struct Artisans;

impl Decider for Artisans {
    type State = ArtisanState;
    /// Ids of the artisan's products; loaded only where the standing is to change.
    type Facts = Vec<String>;

    async fn facts<P: Ports>(ports: &P, _state: &ArtisanState, input: Input<'_>) -> Result<Vec<String>, StoreError> {
        match input.event {
            Event::ArtisanStatusChange(_) => products::of(ports, input.id).await,
            _ => Ok(Vec::new()),
        }
    }

    fn decide(state: &ArtisanState, products: &Vec<String>, input: Input<'_>) -> Decision<ArtisanState> {
        match input.event {
            Event::ArtisanRegistered(profile) => register(state, profile, input),
            Event::ArtisanVerify(command) => with(state, |artisan| verify(artisan, command)),
            Event::ArtisanStatusChange(command) => with(state, |artisan| change_status(artisan, command, products)),
            other => Decision::Reject(format!("an artisan does not take {}", other.subject())),
        }
    }

    /// A command can be repeated after another one of its kind: only its id tells.
    fn keeps_outcome(event: &Event) -> bool {
        matches!(event, Event::ArtisanVerify(_) | Event::ArtisanStatusChange(_))
    }
}

fn register(state: &ArtisanState, profile: &ArtisanRegistered, input: Input<'_>) -> Decision<ArtisanState> {
    match &state.registered {
        Some(artisan) if artisan.by_event == input.meta.event_id => Decision::Ignore,
        Some(_) => Change::to(state.clone()).refuse(Refused::ArtisanExists.refusal(input.id)).decide(),
        None => {
            let registered = Registered {
                id: input.id.to_owned(),
                by_event: input.meta.event_id.clone(),
                profile: profile.clone(),
                status: ArtisanStatus::Pending,
                verification: None,
                reactivation: None,
            };
            Change::to(ArtisanState { registered: Some(registered) }).decide()
        }
    }
}

/// What a command makes of an artisan, or why it does not.
type Ruling = Result<Change<ArtisanState>, Refused>;

fn with(state: &ArtisanState, rule: impl FnOnce(&Registered) -> Ruling) -> Decision<ArtisanState> {
    let ruling = state.registered.as_ref().ok_or(Refused::UnknownArtisan).and_then(rule);
    ruling.unwrap_or_else(|refused| Change::to(state.clone()).refuse(refused.refusal(""))).decide()
}

fn verify(artisan: &Registered, command: &ArtisanVerifyRequested) -> Ruling {
    if artisan.status == ArtisanStatus::Banned {
        return Err(Refused::Transition(ArtisanStatus::Banned, ArtisanStatus::Active));
    }
    let mut next = artisan.clone();
    next.verification = Some(Verification {
        level: command.verification_level,
        verified_at: command.verified_at.clone(),
        verified_by: command.verified_by.clone(),
    });
    if next.status == ArtisanStatus::Pending {
        next.status = ArtisanStatus::Active;
    }
    let profile = artisan.profile.clone();
    let fact = ArtisanVerified {
        business_name: profile.business_name,
        contact_email: profile.contact_email,
        contact_phone: profile.contact_phone,
        business_address: profile.business_address,
        specialties: profile.specialties,
        crafting_techniques: profile.crafting_techniques,
        certifications: profile.certifications,
        verification_level: command.verification_level,
        verified_at: command.verified_at.clone(),
        verified_by: command.verified_by.clone(),
        background_check_passed: command.background_check_passed,
        insurance_validated: command.insurance_validated,
    };
    Ok(Change::to(ArtisanState { registered: Some(next) }).fact(Event::ArtisanVerified(fact)))
}

fn change_status(artisan: &Registered, command: &ArtisanStatusChangeRequested, products: &[String]) -> Ruling {
    let (from, to) = (artisan.status, command.new_status);
    if command.changed_by == SYSTEM && artisan.reactivation.as_ref() != Some(&command.changed_at) {
        return Err(Refused::StaleReactivation);
    }
    if !may_become(from, to) {
        return Err(Refused::Transition(from, to));
    }
    if to == ArtisanStatus::Active && artisan.verification.is_none() {
        return Err(Refused::NotVerified);
    }
    let mut next = artisan.clone();
    next.status = to;
    next.reactivation = command.automatic_reactivation_date.clone().filter(|_| to == ArtisanStatus::Suspended);
    let fact = ArtisanStatusChanged {
        previous_status: from,
        new_status: to,
        reason: command.reason.clone(),
        changed_at: command.changed_at.clone(),
        changed_by: command.changed_by.clone(),
        automatic_reactivation_date: next.reactivation.clone(),
        impacted_products: products.to_vec(),
    };
    let reactivation = next.reactivation.clone();
    let mut change = Change::to(ArtisanState { registered: Some(next) }).fact(Event::ArtisanStatusChanged(fact));
    if let Some(date) = &artisan.reactivation {
        change = change.cancel(reactivation_name(date));
    }
    Ok(match reactivation.and_then(|date| Some((Millis::parse(&date)?, date))) {
        Some((at, date)) => change.timer(reactivation_name(&date), at, reactivate(date)),
        None => change,
    })
}

fn reactivate(date: String) -> Event {
    Event::ArtisanStatusChange(ArtisanStatusChangeRequested {
        new_status: ArtisanStatus::Active,
        reason: "the suspension ended on the date it was given".to_owned(),
        changed_at: date,
        changed_by: SYSTEM.to_owned(),
        automatic_reactivation_date: None,
    })
}
