//! The routes, over the ports in memory.

use super::events::*;
use crate::Order;
use kit::events::Output;
use kit::http::{Problem, Request, Response};
use kit::memory::{Memory, block_on};
use kit::ports::CallError;
use kit::{Event, Worker};
use serde_json::{Value, json};

/// The other components: `p1` (12.50 EUR, 5 free), `p2` (34.00 EUR, 1 free), `usd`, `idle` (its maker does not sell).
fn peers(request: &Request) -> Result<Response, CallError> {
    let patience = if request.target.contains("inventory") { 3_000 } else { 5_000 };
    assert_eq!(request.timeout, Some(patience), "{}", request.target);
    let (path, ids) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let ids: Vec<_> = ids.split_once('=').map_or(ids, |(_, ids)| ids).split(',').collect();
    let items = |of: &dyn Fn(&str) -> Option<Value>| {
        let items: Vec<_> = ids.iter().rev().filter_map(|id| of(id)).collect();
        Ok(Response::json(200, &json!({"items": items})))
    };
    match path {
        "http://product.spin.internal/api/v1/products" if ids.contains(&"away") => Err(CallError::Timeout),
        "http://product.spin.internal/api/v1/products" => items(&listed),
        "http://inventory.spin.internal/api/v1/inventory/availability" => items(&free),
        "http://payment.spin.internal/api/v1/payments/validate" => {
            let asked: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!((&asked["currency"], &asked["customerId"]), (&"EUR".into(), &"c1".into()));
            Ok(match asked["paymentMethodId"].as_str() {
                Some("tok_ok") => Response::json(200, &json!({"valid": true})),
                _ => Response::json(200, &json!({"valid": false, "reason": "the gateway does not know tok_stolen"})),
            })
        }
        _ => Ok(Problem::not_found("nothing here").into()),
    }
}

fn listed(id: &str) -> Option<Value> {
    let (price, currency, sells) = match id {
        "p1" => (1_250, "EUR", true),
        "p2" | "new" => (3_400, "EUR", true),
        "usd" => (1, "USD", true),
        "idle" => (1, "EUR", false),
        "dear" => (u64::MAX, "EUR", true),
        _ => return None,
    };
    Some(json!({"productId": id, "productName": "Aceite", "price": price, "currency": currency, "artisanId": "a1",
                "artisan": {"sells": sells}, "category": "aceite"}))
}

fn free(id: &str) -> Option<Value> {
    let available = match id {
        "p1" | "dear" => 5,
        "p2" => 1,
        _ => return None,
    };
    Some(json!({"productId": id, "available": available, "reserved": 0, "sold": 0}))
}

fn memory() -> Memory {
    Memory::at(NOW).with_callee(peers)
}

fn order(items: &Value) -> Value {
    json!({
        "customerId": "c1", "items": items, "orderType": "delivery", "currency": "EUR",
        "deliveryAddress": {"street": "Calle Maestra 12", "city": "Jaén", "postalCode": "23001"},
        "paymentMethodId": "tok_ok"
    })
}

fn post(memory: &Memory, path: &str, body: &Value) -> (u16, Value, Response) {
    let response = block_on(Order::serve(memory, Request::post(path, body.to_string())));
    (response.status, serde_json::from_slice(&response.body).unwrap_or_default(), response)
}

fn get(memory: &Memory, path: &str) -> (u16, Value) {
    let response = block_on(Order::serve(memory, Request::get(path)));
    (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
}

/// The last event that was published comes back to the component, as its delivery.
fn deliver_published(memory: &Memory) -> Vec<Output> {
    let published = memory.published();
    let (subject, text) = published.last().unwrap();
    let wire = kit::wire::read(subject, text).unwrap();
    let mut meta = meta(&wire.aggregate_id, "memory", published.len() as u64);
    meta.event_id = wire.event_id;
    block_on(Order::handle(memory, meta, wire.event_data)).unwrap()
}

/// An order is placed; its id.
fn placed(memory: &Memory) -> String {
    let (status, body, _) = post(memory, "/api/v1/orders", &order(&json!([{"productId": "p1", "quantity": 2}])));
    assert_eq!(status, 201, "{body}");
    body["orderId"].as_str().unwrap().to_owned()
}

/// Events of others about an order.
fn report(memory: &Memory, order_id: &str, from: &str, sequence: u64, event: Event) {
    let event = match event {
        Event::InventoryStockSold(data) => {
            Event::InventoryStockSold(kit::events::inventory::StockSold { order_id: order_id.to_owned(), ..data })
        }
        other => other,
    };
    block_on(Order::handle(memory, meta(from, "order/OTHER#1", sequence), event)).unwrap();
}

#[test]
fn an_order_is_placed_at_the_products_prices() {
    let memory = memory();
    let items = json!([{"productId": "p1", "quantity": 1}, {"productId": "p2", "quantity": 1}, {"productId": "p1", "quantity": 2}]);
    let (status, body, response) = post(&memory, "/api/v1/orders", &order(&items));
    assert_eq!(status, 201, "{body}");
    let id = body["orderId"].as_str().unwrap();
    assert_eq!(response.header("location"), Some(format!("/api/v1/orders/{id}").as_str()));
    assert_eq!((&body["status"], &body["totalAmount"]), (&"pending".into(), &7_150.into()));
    assert_eq!((&body["items"][0]["quantity"], &body["items"][0]["unitPrice"]), (&3.into(), &1_250.into()));
    assert_eq!(body["items"].as_array().map(Vec::len), Some(2));
    assert_eq!((&body["currency"], &body["createdAt"]), (&"EUR".into(), &TEXT.into()));
    assert_eq!(get(&memory, &format!("/api/v1/orders/{id}")), (200, body.clone()));
    let (subject, wire) = memory.published().pop().unwrap();
    assert_eq!(subject, "order.created");
    assert!(wire.contains("\"paymentMethodId\":\"tok_ok\"") && wire.contains("\"artisanId\":\"a1\""), "{wire}");
    assert_eq!(deliver_published(&memory), []);
    assert_eq!(get(&memory, "/api/v1/orders?customerId=c1").1["items"][0]["orderId"], id);
}

#[test]
fn a_repeat_with_the_same_key_is_the_same_order() {
    let memory = memory();
    let request = |quantity: u32| {
        let body = order(&json!([{"productId": "p1", "quantity": quantity}]));
        Request::post("/api/v1/orders", body.to_string()).with_header("idempotency-key", "k1")
    };
    let first = block_on(Order::serve(&memory, request(1)));
    assert_eq!((first.status, block_on(Order::serve(&memory, request(1)))), (201, first));
    assert_eq!(memory.published().len(), 1);
    assert_eq!(block_on(Order::serve(&memory, request(2))).status, 422);
}

#[track_caller]
fn refused(body: &Value, status: u16, code: &str, field: &str) -> Value {
    let memory = memory();
    let (got, problem, response) = post(&memory, "/api/v1/orders", body);
    assert_eq!((got, &problem["code"]), (status, &code.into()), "{problem}");
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    if !field.is_empty() {
        let errors = problem["errors"].as_array().unwrap();
        assert!(errors.iter().any(|error| error["field"] == field), "{problem}");
    }
    assert!(memory.published().is_empty() && memory.snapshot().is_empty(), "a refused order leaves nothing");
    problem
}

#[test]
fn products_that_cannot_be_ordered_are_named() {
    let lines = json!([{"productId": "p1", "quantity": 1}, {"productId": "ghost", "quantity": 1}]);
    refused(&order(&lines), 422, "invalid-request", "items[1].productId");
    refused(&order(&json!([{"productId": "usd", "quantity": 1}])), 422, "invalid-request", "items[0].productId");
    refused(&order(&json!([{"productId": "idle", "quantity": 1}])), 422, "invalid-request", "items[0].productId");
    refused(&order(&json!([{"productId": "dear", "quantity": 2}])), 422, "invalid-request", "items");
}

#[test]
fn too_little_stock_names_product_asked_and_available() {
    let lines = json!([{"productId": "p1", "quantity": 5}, {"productId": "p2", "quantity": 2}]);
    let problem = refused(&order(&lines), 409, "insufficient-stock", "items[1].quantity");
    assert_eq!(problem["detail"], "asked for 2 of p2, available are 1");
    refused(&order(&json!([{"productId": "new", "quantity": 1}])), 409, "insufficient-stock", "items[0].quantity");
}

#[test]
fn an_invalid_payment_method_is_a_problem() {
    let mut body = order(&json!([{"productId": "p1", "quantity": 1}]));
    body["paymentMethodId"] = "tok_stolen".into();
    let problem = refused(&body, 422, "invalid-payment-method", "paymentMethodId");
    assert_eq!(problem["detail"], "the gateway does not know tok_stolen");
}

#[test]
fn what_is_away_is_named() {
    let (status, problem, response) =
        post(&memory(), "/api/v1/orders", &order(&json!([{"productId": "away", "quantity": 1}])));
    assert_eq!((status, response.header("retry-after")), (503, Some("1")));
    assert!(problem["detail"].as_str().unwrap().contains("product"), "{problem}");
}

#[test]
fn every_wrong_field_is_named() {
    let line = json!([{"productId": "p1", "quantity": 1}]);
    let with = |name: &str, value: Value| {
        let mut body = order(&line);
        body[name] = value;
        body
    };
    let address = json!({"street": " ", "city": "Jaén", "postalCode": "23001", "coordinates": {"lat": 91, "lng": 0}});
    for (body, field) in [
        (with("customerId", "a b".into()), "customerId"),
        (with("currency", "euro".into()), "currency"),
        (with("items", json!([])), "items"),
        (with("items", json!([{"productId": "p/1", "quantity": 1}])), "items[0].productId"),
        (with("items", json!([{"productId": "p1", "quantity": 0}])), "items[0].quantity"),
        (with("items", json!([{"productId": "p1", "quantity": 1001}])), "items[0].quantity"),
        (
            with("items", json!([{"productId": "p1", "quantity": 600}, {"productId": "p1", "quantity": 600}])),
            "items[0].quantity",
        ),
        (with("items", json!([{"productId": "p1", "quantity": 1, "price": 1}])), "items[0].price"),
        (with("orderType", "drone".into()), "orderType"),
        (with("deliveryAddress", address.clone()), "deliveryAddress.street"),
        (with("deliveryAddress", address), "deliveryAddress.coordinates.lat"),
        (with("requestedDeliveryDate", "tomorrow".into()), "requestedDeliveryDate"),
        (with("discount", 10.into()), "discount"),
        (with("items", json!([{"productId": "p1"}])), "items[0].quantity"),
        (with("deliveryAddress", json!({"street": "s", "city": "c"})), "deliveryAddress.postalCode"),
    ] {
        refused(&body, 422, "invalid-request", field);
    }
    let many = Value::Array(vec![json!({"productId": "p1", "quantity": 1}); 51]);
    refused(&order(&many), 422, "invalid-request", "items");
}

#[test]
fn a_customer_cancels() {
    let memory = memory();
    let id = placed(&memory);
    deliver_published(&memory);
    let path = format!("/api/v1/orders/{id}/cancel");
    let (status, body, _) = post(&memory, &path, &json!({}));
    assert_eq!((status, &body["status"]), (200, &"cancelled".into()), "{body}");
    assert_eq!(
        (&body["cancellation"]["reason"], &body["cancellation"]["cancelledBy"]),
        (&"customer-request".into(), &"c1".into())
    );
    let outputs = deliver_published(&memory);
    assert!(matches!(outputs.as_slice(), [Output::Emit(emission)] if emission.event.subject() == "order.cancelled"
        && emission.aggregate_version == Some(2) && emission.saga_id == Some(kit::ids::saga(&id))));
    // Once more: the same order, cancelled as it was.
    let (status, again, _) = post(&memory, &path, &json!({"reason": "artisan-unavailable", "cancelledBy": "ana"}));
    assert_eq!((status, &again["cancellation"]), (200, &body["cancellation"]));
    let empty =
        block_on(Order::serve(&memory, Request { method: "POST".into(), target: path.clone(), ..Request::default() }));
    assert_eq!(empty.status, 200);
    assert_eq!(post(&memory, &path, &json!({"why": "x"})).1["errors"][0]["field"], "why");
    assert_eq!(post(&memory, &path, &json!({"cancelledBy": "a b"})).1["errors"][0]["field"], "cancelledBy");
}

#[test]
fn an_order_is_delivered_when_all_is_sold_and_then_not_cancelled() {
    let memory = memory();
    let id = placed(&memory);
    let deliver = format!("/api/v1/orders/{id}/deliver");
    let problem = post(&memory, &deliver, &json!({}));
    assert_eq!((problem.0, &problem.1["code"]), (409, &"order-not-confirmed".into()));
    report(&memory, &id, &id, 1, confirm());
    let problem = post(&memory, &deliver, &json!({}));
    assert_eq!((problem.0, &problem.1["code"]), (409, &"items-not-sold".into()));
    report(&memory, &id, "p1", 2, sold());
    let (status, body, _) =
        post(&memory, &deliver, &json!({"recipientName": "Lucía", "deliveryMethod": "direct", "qualityRating": 4.5}));
    assert_eq!((status, &body["status"]), (200, &"delivered".into()), "{body}");
    assert_eq!((&body["items"][0]["stock"], &body["delivery"]["recipientName"]), (&"sold".into(), &"Lucía".into()));
    assert_eq!(body["confirmation"]["paymentReference"], "txn-1");
    let problem = post(&memory, &format!("/api/v1/orders/{id}/cancel"), &json!({}));
    assert_eq!((problem.0, &problem.1["code"]), (409, &"order-delivered".into()));
    // Later events of the component's own source went before: only the state can tell, and it says no as well.
    block_on(Order::handle(&memory, meta(&id, "memory", 1_000), confirm())).unwrap();
    let problem = post(&memory, &format!("/api/v1/orders/{id}/cancel"), &json!({}));
    assert_eq!((problem.0, &problem.1["code"]), (409, &"order-delivered".into()));
    assert_eq!(post(&memory, &deliver, &json!({"qualityRating": 6})).0, 422);
    assert_eq!(post(&memory, &deliver, &json!({"deliveredAt": "noon"})).0, 422);
}

/// The request just published is delivered before its sender applies it, then this report, then a later request.
fn outrun(memory: &Memory, id: &str, between: Option<Event>) {
    let id = id.to_owned();
    memory.interrupt(move |memory| {
        deliver_published(memory);
        let later = memory.published().len() as u64;
        if let Some(event) = between {
            report(memory, &id, "p1", later, event);
        }
        let mut later = meta(&id, "memory", later + 1);
        later.event_id = "later".to_owned();
        block_on(Order::handle(memory, later, confirm())).unwrap();
    });
}

#[test]
fn a_refusal_is_told_as_such_however_late_and_again_with_its_key() {
    let memory = memory();
    let id = placed(&memory);
    report(&memory, &id, &id, 1, confirm());
    outrun(&memory, &id, Some(sold()));
    let path = format!("/api/v1/orders/{id}/deliver");
    let request = || Request::post(&path, "{}").with_header("idempotency-key", "k");
    let first = block_on(Order::serve(&memory, request()));
    let problem: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!((first.status, &problem["code"]), (409, &"items-not-sold".into()), "{problem}");
    assert_eq!(block_on(Order::serve(&memory, request())), first);
    assert_eq!(get(&memory, &format!("/api/v1/orders/{id}")).1["status"], "confirmed");
}

#[test]
fn a_refusal_that_is_not_kept_is_told_from_the_state_however_late() {
    let memory = memory();
    let id = placed(&memory);
    report(&memory, &id, &id, 1, confirm());
    report(&memory, &id, "p1", 2, sold());
    assert_eq!(post(&memory, &format!("/api/v1/orders/{id}/deliver"), &json!({})).0, 200);
    outrun(&memory, &id, None);
    let (status, problem, _) = post(&memory, &format!("/api/v1/orders/{id}/cancel"), &json!({}));
    assert_eq!((status, &problem["code"]), (409, &"order-delivered".into()), "{problem}");
}

#[test]
fn unknown_orders_and_routes_are_problems() {
    let memory = memory();
    // A report that came before its order does not make one.
    report(&memory, "o7", "p1", 1, sold());
    for (method, path, status) in [
        ("GET", "/api/v1/orders/o7", 404),
        ("GET", "/api/v1/orders/o%2F7", 422),
        ("POST", "/api/v1/orders/o7/cancel", 404),
        ("POST", "/api/v1/orders/o7/deliver", 404),
        ("DELETE", "/api/v1/orders/o7", 405),
        ("PUT", "/api/v1/orders", 405),
        ("GET", "/api/v1/orders/o7/cancel", 405),
        ("GET", "/api/v1/orders/o7/paint", 404),
    ] {
        let request = Request { method: method.into(), target: path.into(), ..Request::default() };
        let response = block_on(Order::serve(&memory, request));
        assert_eq!(response.status, status, "{method} {path}");
        let allow = match path {
            _ if status != 405 => None,
            "/api/v1/orders" => Some("GET, POST"),
            path => Some(if path.ends_with("cancel") { "POST" } else { "GET" }),
        };
        assert_eq!(response.header("allow"), allow, "{method} {path}");
    }
}
