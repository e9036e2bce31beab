//! Decisions about artisans, without ports.

use super::{NOW, become_status, profile, verify};
use crate::domain::{Artisans, SYSTEM, may_become, name};
use kit::Event;
use kit::aggregate::Effect;
use kit::check::Scenario;
use kit::events::artisan::{ArtisanStatus, ArtisanStatusChangeRequested, VerificationLevel};

fn scenario() -> Scenario<Artisans> {
    Scenario::new("art-1", vec!["p-1".to_owned(), "p-2".to_owned()])
        .given(Event::ArtisanRegistered(profile(38.0, -3.3)))
}

#[test]
fn verification_makes_a_pending_artisan_active_and_tells_what_was_registered() {
    let mut scenario = scenario();
    scenario.when(verify("admin-1")).publishes(&["artisan.verified"]);
    let artisan = scenario.state.registered.as_ref().unwrap();
    assert_eq!(artisan.status, ArtisanStatus::Active);
    assert_eq!(artisan.verification.as_ref().map(|v| v.level), Some(VerificationLevel::Master));
}

#[test]
fn a_change_of_standing_names_the_products() {
    let mut scenario = scenario().given(verify("admin-1"));
    let then = scenario.when(Event::ArtisanStatusChange(become_status(ArtisanStatus::Suspended)));
    let Some(Effect::Fact(Event::ArtisanStatusChanged(fact))) = then.change().effects.first() else {
        panic!("no fact: {then:?}")
    };
    assert_eq!(fact.impacted_products, ["p-1", "p-2"]);
    assert_eq!((fact.previous_status, fact.new_status), (ArtisanStatus::Active, ArtisanStatus::Suspended));
}

#[test]
fn illegal_transitions_are_refused_and_change_nothing() {
    use ArtisanStatus::{Active, Banned, Inactive, Pending, Suspended};
    let change = |status| Event::ArtisanStatusChange(become_status(status));
    scenario().when(change(Active)).is_refused("illegal-transition").keeps_the_state();
    scenario().given(change(Inactive)).when(change(Active)).is_refused("not-verified").keeps_the_state();
    scenario().given(change(Banned)).when(verify("a")).is_refused("illegal-transition").keeps_the_state();
    for status in [Pending, Active, Inactive, Suspended, Banned] {
        assert!(!may_become(status, status) && !may_become(status, Pending) && !may_become(Banned, status));
        scenario().given(change(Banned)).when(change(status)).is_refused("illegal-transition").keeps_the_state();
    }
}

#[test]
fn a_suspension_ends_on_its_date_and_a_stale_end_does_nothing() {
    let date = NOW.plus(86_400_000).rfc3339();
    let suspend = ArtisanStatusChangeRequested {
        automatic_reactivation_date: Some(date.clone()),
        ..become_status(ArtisanStatus::Suspended)
    };
    let mut scenario = scenario().given(verify("a"));
    let then = scenario.when(Event::ArtisanStatusChange(suspend.clone()));
    let Some(Effect::Timer(first, at, end)) = then.change().effects.last().cloned() else { panic!("{then:?}") };
    assert_eq!(at.rfc3339(), date);
    scenario.clone().when(end.clone()).publishes(&["artisan.status.changed"]);

    let later = NOW.plus(2 * 86_400_000).rfc3339();
    let mut again = scenario.clone().given(Event::ArtisanStatusChange(become_status(ArtisanStatus::Active)));
    let suspend = ArtisanStatusChangeRequested {
        automatic_reactivation_date: Some(later),
        ..become_status(ArtisanStatus::Suspended)
    };
    let then = again.when(Event::ArtisanStatusChange(suspend));
    let Some(Effect::Timer(second, ..)) = then.change().effects.last() else { panic!("{then:?}") };
    assert_ne!(first, *second, "a copy of the first suspension would take the second one's timer away");

    let mut lifted = scenario.given(Event::ArtisanStatusChange(become_status(ArtisanStatus::Active)));
    lifted.when(end).is_refused("stale-reactivation").keeps_the_state();
    let system = ArtisanStatusChangeRequested { changed_by: SYSTEM.to_owned(), ..become_status(ArtisanStatus::Banned) };
    lifted.when(Event::ArtisanStatusChange(system)).is_refused("stale-reactivation");
}

#[test]
fn an_id_is_registered_once() {
    scenario().when(Event::ArtisanRegistered(profile(37.8, -3.8))).is_refused("artisan-exists").keeps_the_state();
}

#[test]
fn a_standing_is_called_as_on_the_wire() {
    use ArtisanStatus::{Active, Banned, Inactive, Pending, Suspended};
    for status in [Pending, Active, Inactive, Suspended, Banned] {
        let fact = Event::ArtisanStatusChange(become_status(status)).data().unwrap();
        assert!(fact.contains(&format!("\"newStatus\":\"{}\"", name(status))), "{fact}");
    }
}
