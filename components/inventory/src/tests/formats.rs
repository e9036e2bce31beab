//! Stored values of other formats.

use super::{PRODUCT, check, deliver, listed, meta, sell, stock, subjects};
use crate::Inventory;
use kit::http::Request;
use kit::json::{self, Value, json};
use kit::memory::{Memory, block_on};
use kit::{Failure, Ports as _, Worker as _};

const FORMAT_1: &str = r#"{"format":1,"version":7,"state":{"artisan":"art-1","name":"Cuenco","category":"ceramica",
  "price":2500,"listed_at":1768473000000,"low_at":3,"available":5,"sold":2,
  "reservations":{"o1":{"quantity":3,"remaining":5,"until":1768473900000,"version":6}}}}"#;

#[test]
fn a_value_of_format_1_is_taken_up_where_it_was() {
    let ports = Memory::default();
    block_on(ports.set(&format!("stock/{PRODUCT}"), FORMAT_1.into())).unwrap();
    let shown = block_on(Inventory::serve(&ports, Request::get(format!("/api/v1/inventory/availability/{PRODUCT}"))));
    let told = json::from_slice::<Value>(&shown.body).unwrap();
    assert_eq!(told, json!({ "productId": PRODUCT, "available": 5, "reserved": 3, "sold": 2 }));
    let counts = stock(&ports).counts;
    assert_eq!((counts.received, counts.available, counts.reserved, counts.sold), (10, 5, 3, 2));
    let repeated = deliver(&ports, "c", 1, &check("o1", 3));
    assert_eq!(subjects(&repeated), ["inventory.stock.reserved"]);
    assert_eq!(stock(&ports).counts.reserved, 3, "it was reserved before");
    deliver(&ports, "s", 2, &sell("o1", 3));
    assert_eq!(stock(&ports).counts.sold, 5);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let ports = Memory::default();
    let newer = r#"{"format":3,"version":1,"state":{}}"#;
    block_on(ports.set(&format!("stock/{PRODUCT}"), newer.into())).unwrap();
    let failure = block_on(Inventory::handle(&ports, meta("c", 1, 0), check("o1", 1))).unwrap_err();
    assert!(matches!(failure, Failure::Reject(why) if why.contains("format 3")));
    assert_eq!(block_on(ports.get(&format!("stock/{PRODUCT}"))).unwrap(), Some(newer.into()));
}

#[test]
fn a_settled_claim_that_names_no_format_is_known_and_a_newer_one_is_not() {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(5));
    for (sequence, event) in [check("o1", 3), sell("o1", 3), check("o2", 1)].into_iter().enumerate() {
        deliver(&ports, &format!("e{sequence}"), sequence as u64 + 2, &event);
    }
    let key = crate::domain::settled_key(PRODUCT, "o1");
    let settled = String::from_utf8(ports.snapshot()[&key].clone()).unwrap();
    let with = |format: &str| {
        let value = settled.replacen("\"format\":1,", format, 1);
        assert_ne!(value, settled);
        block_on(ports.set(&key, value.into_bytes())).unwrap();
    };
    with("");
    assert_eq!(subjects(&deliver(&ports, "again", 9, &sell("o1", 3))), ["inventory.stock.sold"]);
    assert_eq!(stock(&ports).counts.sold, 3, "it was sold before");
    with("\"format\":2,");
    let failure = block_on(Inventory::handle(&ports, meta("late", 10, 0), sell("o1", 3))).unwrap_err();
    assert!(matches!(failure, Failure::Retry(retry) if retry.reason.contains("format 2")));
}
