//! Deliveries: what is repeated, late or brought back from beside the aggregate.

use super::{PRODUCT, adjust, check, deliver, listed, release, sell, stock, subjects};
use crate::domain::settled_key;
use kit::Output;
use kit::Ports as _;
use kit::events::inventory::ReleaseReason;
use kit::memory::{Memory, block_on};

#[test]
fn settled_claims_leave_the_aggregate_and_are_still_known() {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(1_000));
    for (sequence, order) in (2..).step_by(2).zip(0..200) {
        deliver(&ports, &format!("c{order}"), sequence, &check(&format!("o{order}"), 1));
        deliver(&ports, &format!("s{order}"), sequence + 1, &sell(&format!("o{order}"), 1));
    }
    assert!(stock(&ports).orders.len() <= 1, "the aggregate stays small: {}", stock(&ports).orders.len());
    let late = deliver(&ports, "c7-late", 1_000, &check("o7", 1));
    assert_eq!(subjects(&late), ["inventory.stock.reserved"]);
    assert_eq!(stock(&ports).counts.available, 800, "a late check does not reserve again");
    let back = deliver(&ports, "r7", 1_001, &release("o7", ReleaseReason::OrderCancelled));
    assert_eq!(subjects(&back), ["inventory.stock.released"]);
    assert_eq!(stock(&ports).counts.available, 801);
    assert!(stock(&ports).orders.contains_key("o7"), "it came back in the swap that restocked");
}

#[test]
fn a_refusal_stands_when_the_stock_comes_later() {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(1));
    deliver(&ports, "c1", 2, &check("o1", 1));
    let refused = deliver(&ports, "c2", 3, &check("o2", 1));
    deliver(&ports, "a", 4, &adjust(5));
    ports.empty_inboxes();
    assert_eq!(deliver(&ports, "c2", 9, &check("o2", 1)), refused);
    assert_eq!((stock(&ports).counts.available, stock(&ports).counts.reserved), (5, 1));
}

#[test]
fn a_refused_adjustment_stays_refused() {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(1));
    assert_eq!(deliver(&ports, "a1", 2, &adjust(-5)), []);
    deliver(&ports, "a2", 3, &adjust(10));
    ports.empty_inboxes();
    assert_eq!(deliver(&ports, "a1", 9, &adjust(-5)), []);
    assert_eq!(stock(&ports).counts.available, 11);
}

#[test]
fn a_settled_claim_is_written_beside_only_after_it_is_true() {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(1));
    deliver(&ports, "c", 2, &check("o1", 5));
    let key = settled_key(PRODUCT, "o1");
    assert_eq!(block_on(ports.get(&key)).unwrap(), None, "not in the write that decides it");
    deliver(&ports, "a", 3, &adjust(1));
    assert!(block_on(ports.get(&key)).unwrap().is_some(), "but in the next");
    assert!(stock(&ports).orders.is_empty());
}

#[test]
fn a_lost_and_an_unknown_swap_change_nothing() {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(10));
    ports.lost_swaps.set(3);
    deliver(&ports, "c1", 2, &check("o1", 1));
    ports.unknown_swaps.set(1);
    let outputs = deliver(&ports, "c2", 3, &check("o2", 1));
    assert_eq!(subjects(&outputs), ["inventory.stock.reserved"]);
    assert_eq!(stock(&ports).counts.reserved, 2);
}

#[test]
fn a_reservation_holds_for_a_quarter_of_an_hour_where_the_manifest_does_not_say() {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(1));
    let reserved = deliver(&ports, "c", 2, &check("o1", 1));
    let timer = reserved.iter().find_map(|output| if let Output::Timer(timer) = output { Some(timer) } else { None });
    let until = stock(&ports).orders["o1"].checked.as_ref().and_then(|checked| checked.until).unwrap();
    assert_eq!(timer.map(|timer| timer.fire_at), Some(until.0));
    assert_eq!(until.0, 1_768_473_000_000 + 15 * 60 * 1_000, "from when it was handled");
}
