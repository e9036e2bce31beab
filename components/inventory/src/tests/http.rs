//! The routes.

use super::{PRODUCT, check, deliver, listed, subjects};
use crate::Inventory;
use kit::http::{Request, Response};
use kit::json::{self, Value, json};
use kit::memory::{Memory, block_on};
use kit::{Worker as _, wire};

fn serve(ports: &Memory, request: Request) -> (u16, Value) {
    let Response { status, body, .. } = block_on(Inventory::serve(ports, request));
    (status, json::from_slice(&body).unwrap())
}

fn adjustment(quantity: i64) -> Request {
    let body = json!({ "adjustmentQuantity": quantity, "adjustmentReason": "restock", "adjustedBy": "art-1" });
    Request::post(format!("/api/v1/inventory/{PRODUCT}/adjustments"), body.to_string())
}

fn shop() -> Memory {
    let ports = Memory::default();
    deliver(&ports, "l", 1, &listed(10));
    deliver(&ports, "c", 2, &check("o1", 4));
    ports
}

#[test]
fn availability_is_told() {
    let (status, body) = serve(&shop(), Request::get(format!("/api/v1/inventory/availability/{PRODUCT}")));
    assert_eq!(status, 200);
    assert_eq!(body, json!({ "productId": PRODUCT, "available": 6, "reserved": 4, "sold": 0 }));
    let (status, body) = serve(&shop(), Request::get("/api/v1/inventory/availability/none"));
    assert_eq!((status, &body["code"]), (404, &json!("not-found")));
}

#[test]
fn of_several_products_those_that_are_listed_are_told() {
    let ports = shop();
    let other = kit::Metadata { aggregate_id: "other".into(), ..super::meta("l2", 1, 0) };
    block_on(Inventory::handle(&ports, other, listed(1))).unwrap();
    let path = "/api/v1/inventory/availability?productIds=";
    let (status, body) = serve(&ports, Request::get(format!("{path}other,none,{PRODUCT}")));
    let told = json!([{ "productId": "other", "available": 1, "reserved": 0, "sold": 0 },
                      { "productId": PRODUCT, "available": 6, "reserved": 4, "sold": 0 }]);
    assert_eq!((status, &body["items"]), (200, &told));
    let (status, body) = serve(&ports, Request::get(path));
    assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("productIds")));
}

#[test]
fn an_adjustment_is_done_once_a_key_and_let_out_by_its_delivery() {
    let ports = shop();
    for _ in 0..2 {
        let (status, body) = serve(&ports, adjustment(5).with_header("idempotency-key", "k1"));
        assert_eq!((status, &body["available"]), (200, &json!(11)));
    }
    let published = ports.published();
    let [(subject, text)] = &*published else { panic!("{published:?}") };
    let event = wire::read(subject, text).unwrap();
    let meta = kit::Metadata { source: "memory".into(), ..super::meta(&event.event_id, 1, 0) };
    let outputs = block_on(Inventory::handle(&ports, meta, event.event_data)).unwrap();
    assert_eq!(subjects(&outputs), ["inventory.adjusted"]);
    assert_eq!(super::stock(&ports).counts.available, 11);
}

#[test]
fn a_key_is_of_one_product() {
    let ports = shop();
    let other = kit::Metadata { aggregate_id: "other".into(), ..super::meta("l2", 1, 0) };
    block_on(Inventory::handle(&ports, other, listed(1))).unwrap();
    let ask = |product: &str| {
        let target = format!("/api/v1/inventory/{product}/adjustments");
        serve(&ports, Request { target, ..adjustment(5).with_header("idempotency-key", "k1") })
    };
    assert_eq!(ask(PRODUCT).1["available"], 11);
    let (status, body) = ask("other");
    assert_eq!((status, &body["productId"], &body["available"]), (200, &json!("other"), &json!(6)));
}

#[test]
fn a_business_no_is_a_409() {
    let (status, body) = serve(&shop(), adjustment(-7));
    assert_eq!((status, &body["code"]), (409, &json!("insufficient-stock")));
}

#[test]
fn bad_input_is_named() {
    let ports = shop();
    let path = format!("/api/v1/inventory/{PRODUCT}/adjustments");
    let body = json!({ "adjustmentQuantity": 1, "adjustmentReason": "gift", "adjustedBy": "art-1" });
    assert_eq!(serve(&ports, Request::post(&path, body.to_string())).1["errors"][0]["field"], "adjustmentReason");
    let body = json!({ "adjustmentQuantity": 1, "adjustmentReason": "loss", "adjustedBy": "a b", "colour": "red" });
    assert_eq!(serve(&ports, Request::post(&path, body.to_string())).1["errors"][0]["field"], "colour");
    assert_eq!(serve(&ports, adjustment(0)).1["errors"][0]["field"], "adjustmentQuantity");
    assert_eq!(serve(&ports, Request::get(path)).0, 405);
    assert_eq!(serve(&ports, Request::get("/api/v1/inventory")).0, 404);
    assert!(ports.published().is_empty());
}
