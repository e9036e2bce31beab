//! What peers and people are told of the way back.

use super::case::*;
use crate::domain::Phase;
use kit::aggregate::Effect;
use kit::events::Event;
use kit::events::order::CancellationReason::CustomerRequest;

/// Paid; the order has not confirmed it yet.
fn paid() -> Case {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1"])).given("p1", reserved("p1")).given(&payment(), succeeded());
    case
}

#[test]
fn a_saga_that_turns_back_again_shows_where_it_did_first() {
    let mut case = paid();
    case.overdue("order-confirmation", &["-whole", "+compensation", "order.cancel>o1"]);
    let again =
        ["inventory.stock.release>p1", &format!("payment.refund>{}", payment()), "-compensation", "+compensation"];
    case.when(ORDER, cancelled(CustomerRequest), &again);
    assert_eq!(case.saga.broke_in, Some(Phase::OrderConfirmation));
}

#[test]
fn where_nothing_was_set_aside_the_order_hears_of_no_release() {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1"]));
    let effects = case.effects("p1", &unavailable());
    let Some(Effect::For(_, Event::OrderCancel(cancel))) = effects.last() else { panic!("{effects:?}") };
    assert_eq!((cancel.refund_required, cancel.refund_amount), (Some(false), None));
    assert_eq!(cancel.compensation_actions, Some(Vec::new()));
}

#[test]
fn of_too_many_turns_the_oldest_that_led_to_nothing_goes() {
    let names: Vec<String> = (0..200).map(|number| format!("p{number}")).collect();
    let products: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut case = Case::new();
    let begun = case.effects(ORDER, &created(&products));
    for product in &products {
        case.given(product, reserved(product));
    }
    case.is(Phase::PaymentProcessing);
    assert_eq!(case.saga.history.len(), 192);
    assert_eq!(case.effects(ORDER, &created(&products)), begun, "what led to something is known for good");
}

#[test]
fn late_money_is_noted_once_and_only_where_it_was_asked_for() {
    let mut case = Case::new();
    case.given(ORDER, created(&["p1"]));
    let unasked = case.saga.clone();
    case.when(&payment(), succeeded(), &[]);
    assert_eq!(case.saga, unasked);
    case.given("p1", reserved("p1")).given(ORDER, cancelled(CustomerRequest));
    case.when(&payment(), succeeded(), &[]);
    let noted = case.saga.clone();
    assert_eq!(noted.payment.reference.as_deref(), Some("txn-1"));
    case.when(&payment(), succeeded(), &[]);
    assert_eq!(case.saga, noted);
}
