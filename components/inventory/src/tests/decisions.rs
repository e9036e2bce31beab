//! Decisions alone: given what happened, when this happens, then that follows.

use super::{PRODUCT, adjust, check, listed, release, sell};
use crate::domain::{Decisions, Facts, Status};
use kit::aggregate::Effect;
use kit::check::Scenario;
use kit::events::inventory::{AdjustmentReason, InventoryAdjustRequested, ReleaseReason};
use kit::time::DAY;
use kit::{Event, ids};

const MINUTES_15: u64 = 900_000;

fn inventory(initial: u32) -> Scenario<Decisions> {
    Scenario::new(PRODUCT, Facts { expiry: MINUTES_15, settled: None }).given(listed(initial))
}

#[track_caller]
fn counts(scenario: &Scenario<Decisions>, available: u32, reserved: u32, sold: u32) {
    let counts = scenario.state.counts;
    assert_eq!((counts.available, counts.reserved, counts.sold), (available, reserved, sold));
}

#[test]
fn a_reservation_tells_all_that_the_source_asks_for() {
    let mut product = inventory(40);
    let now = product.now();
    let then = product.when(check("o1", 2)).publishes(&["inventory.stock.reserved"]);
    let [Effect::Fact(Event::InventoryStockReserved(reserved)), Effect::Timer(name, at, _)] = &*then.change().effects
    else {
        panic!("{:?}", then.change().effects)
    };
    assert_eq!(reserved.reservation_id, ids::reservation("o1", PRODUCT));
    assert_eq!((reserved.quantity_reserved, reserved.remaining_stock, reserved.unit_price), (2, 38, 2_500));
    assert_eq!((reserved.reservation_expiry.clone(), *at), (now.plus(MINUTES_15).rfc3339(), now.plus(MINUTES_15)));
    assert_eq!(name, "expiry/o1", "one timer an order and product");
    counts(&product, 38, 2, 0);
    let sold = product.when(sell("o1", 2)).publishes(&["inventory.stock.sold"]);
    assert!(sold.change().effects.contains(&Effect::Cancel("expiry/o1".into())), "{:?}", sold.change().effects);
}

#[test]
fn more_than_there_is_is_unavailable_and_an_unlisted_product_has_none() {
    let mut product = inventory(1).given(check("o1", 1));
    let then = product.when(check("o2", 1)).publishes(&["inventory.stock.unavailable"]);
    assert!(matches!(
        then.change().effects.first(),
        Some(Effect::Fact(Event::InventoryStockUnavailable(u))) if u.available_stock == 0 && u.quantity_requested == 1
    ));
    let mut nothing = Scenario::<Decisions>::new(PRODUCT, Facts::default());
    nothing.when(check("o1", 1)).publishes(&["inventory.stock.unavailable"]);
}

#[test]
fn a_release_before_its_check_is_a_tombstone() {
    let mut product = inventory(5);
    let then = product.when(release("o1", ReleaseReason::OrderCancelled)).publishes(&["inventory.stock.released"]);
    assert!(matches!(
        then.change().effects.first(),
        Some(Effect::Fact(Event::InventoryStockReleased(r))) if r.quantity_released == 0
    ));
    product.when(check("o1", 1)).publishes(&["inventory.stock.unavailable"]);
    counts(&product, 5, 0, 0);
}

#[test]
fn an_expired_reservation_is_reserved_again_where_it_can() {
    let expired = inventory(1).given(check("o1", 1)).given(release("o1", ReleaseReason::ReservationExpired));
    counts(&expired, 1, 0, 0);
    let mut free = expired.clone();
    free.when(sell("o1", 1)).publishes(&["inventory.stock.sold", "inventory.stock.low"]);
    counts(&free, 0, 0, 1);
    let mut taken = expired.given(check("o2", 1));
    taken.when(sell("o1", 1)).publishes(&["inventory.stock.unavailable"]);
    counts(&taken, 0, 1, 0);
}

#[test]
fn what_was_released_on_purpose_stays_released() {
    let mut product = inventory(3).given(check("o1", 1)).given(release("o1", ReleaseReason::PaymentFailed));
    product.when(sell("o1", 1)).publishes(&["inventory.stock.unavailable"]);
    counts(&product, 3, 0, 0);
}

#[test]
fn the_expiry_of_what_was_sold_has_no_effect() {
    let mut product = inventory(3).given(check("o1", 1)).given(sell("o1", 1));
    product.when(release("o1", ReleaseReason::ReservationExpired)).is_ignored();
    product.when(release("o1", ReleaseReason::OrderCancelled)).publishes(&["inventory.stock.released"]);
    counts(&product, 3, 0, 0);
    assert_eq!(product.state.orders.get("o1").map(|entry| entry.status), Some(Status::Released));
}

#[test]
fn a_warning_is_said_once_a_crossing() {
    let mut product = inventory(8);
    product.when(check("o1", 5)).publishes(&["inventory.stock.reserved"]);
    product.when(check("o2", 1)).publishes(&["inventory.stock.reserved", "inventory.stock.low"]);
    product.when(check("o3", 1)).publishes(&["inventory.stock.reserved"]);
    product.when(adjust(10)).publishes(&["inventory.adjusted"]);
    product.when(adjust(-9)).publishes(&["inventory.adjusted", "inventory.stock.low"]);
}

#[test]
fn a_warning_tells_all_that_the_source_asks_for() {
    // Ten days after it was listed, with five sold: half a piece a day, ten are left for twenty days.
    let mut product = inventory(40).given(check("o1", 5)).given(sell("o1", 5)).given(check("o2", 24));
    let listing = product.state.listing.clone().unwrap();
    let now = listing.listed_at.plus(10 * DAY);
    let passed = now.since(product.now());
    product = product.after(passed);
    let then = product.when(adjust(-1)).publishes(&["inventory.adjusted", "inventory.stock.low"]);
    let [_, Effect::Fact(Event::InventoryStockLow(low))] = &*then.change().effects else {
        panic!("{:?}", then.change().effects)
    };
    assert_eq!((low.current_stock, low.warning_threshold, low.critical_threshold), (10, 10, 3));
    assert_eq!([&low.artisan_id, &low.product_name, &low.category], ["art-1", "Cuenco de Úbeda", "ceramica"]);
    assert_eq!((low.average_daily_sales, low.last_restock_date.as_deref()), (0.5, None));
    assert_eq!(low.estimated_stockout_date, now.plus(20 * DAY).rfc3339());
}

#[test]
fn what_does_not_sell_lasts_a_year_and_a_small_stock_warns_late() {
    let mut product = inventory(8);
    let then = product.when(check("o1", 6)).publishes(&["inventory.stock.reserved", "inventory.stock.low"]);
    let Some(Effect::Fact(Event::InventoryStockLow(low))) = then.change().effects.get(1) else {
        panic!("{:?}", then.change().effects)
    };
    assert_eq!((low.current_stock, low.warning_threshold, low.critical_threshold), (2, 2, 0));
    assert_eq!(
        (low.average_daily_sales, &low.estimated_stockout_date),
        (0.0, &product.now().plus(365 * DAY).rfc3339())
    );
}

#[test]
fn only_new_pieces_that_came_in_are_a_restock() {
    for (quantity, reason, restocked) in [
        (1, AdjustmentReason::Restock, true),
        (1, AdjustmentReason::Correction, false),
        (0, AdjustmentReason::Restock, false),
        (-1, AdjustmentReason::Restock, false),
        (-1, AdjustmentReason::Damage, false),
    ] {
        let mut product = inventory(4).after(5);
        let Event::InventoryAdjust(command) = adjust(quantity) else { unreachable!() };
        product.when(Event::InventoryAdjust(InventoryAdjustRequested { adjustment_reason: reason, ..command }));
        let restocked_at = product.state.listing.as_ref().unwrap().restocked_at;
        assert_eq!(restocked_at, restocked.then(|| product.now()), "{quantity} as {reason:?}");
    }
}

#[test]
fn an_adjustment_that_cannot_be_says_how_many_are_free() {
    let mut product = inventory(4).given(check("o1", 3));
    let then = product.when(adjust(-2)).is_refused("insufficient-stock");
    let detail = &then.change().refusal.as_ref().unwrap().detail;
    assert!(detail.starts_with("1 pieces are free, 2 cannot be taken away"), "{detail}");
}

#[test]
fn counts_balance_when_every_piece_is_somewhere_once() {
    let mut counts = inventory(4).given(check("o1", 3)).state.counts;
    assert!(counts.balanced());
    counts.reserved += 1;
    assert!(!counts.balanced());
}

#[test]
fn free_stock_never_goes_below_zero() {
    let mut product = inventory(4).given(check("o1", 3));
    product.when(adjust(-2)).is_refused("insufficient-stock").publishes(&[]).keeps_the_state();
    product.when(adjust(i64::MAX)).is_refused("stock-limit");
    product.when(adjust(i64::MIN)).is_refused("insufficient-stock");
    product.when(adjust(-1)).publishes(&["inventory.adjusted"]);
    counts(&product, 0, 3, 0);
}

#[test]
fn a_product_is_listed_once() {
    let mut product = inventory(4);
    product.when(listed(9)).is_ignored();
    counts(&product, 4, 0, 0);
}
