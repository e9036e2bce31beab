//! HTTP: placing an order, looking at it, stocking the shelves. What is asked for is an event, durable before the answer.

use crate::state::read;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use spin_sdk::http::{Method, Request, Response};
use uuid::Uuid;

/// What is posted: whose it is, and the event's own data.
#[derive(Deserialize)]
struct Posted<'a> {
    id: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[expect(unsafe_code, reason = "generated bindings")]
mod component {
    use super::*;

    #[spin_sdk::http_component]
    async fn serve(request: Request) -> Response {
        super::serve(&request).await
    }
}

async fn serve(request: &Request) -> Response {
    let path = request.path().to_owned();
    match (request.method(), path.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice()) {
        (Method::Get, [kind @ ("orders" | "stock"), id]) => found(kind.trim_end_matches('s'), id),
        (Method::Post, ["orders"]) => publish("purchase.placed", "PurchasePlacedEvent", request.body()).await,
        (Method::Post, ["stock"]) => publish("stock.restock", "StockRestockRequestedEvent", request.body()).await,
        _ => text(404, "nothing is here"),
    }
}

fn found(kind: &str, id: &str) -> Response {
    match read(kind, id) {
        Ok(Some(json)) => Response::builder().status(200).header("content-type", "application/json").body(json).build(),
        Ok(None) => text(404, "it is not known yet"),
        Err(why) => text(503, &why),
    }
}

async fn publish(subject: &str, event_type: &str, body: &[u8]) -> Response {
    let posted: Posted<'_> = match serde_json::from_slice(body) {
        Ok(posted) => posted,
        Err(error) => return text(422, &error.to_string()),
    };
    let (event, now) = (Uuid::now_v7().to_string(), format!("{:.3}", Timestamp::now()));
    let Posted { id, data } = posted;
    let event = serde_json::json!({
        "eventId": event, "eventType": event_type, "aggregateId": id, "eventVersion": 1, "occurredOn": now,
        "eventData": data,
        "metadata": { "publishedAt": now, "version": "1.0", "correlationId": event, "causationId": event },
    });
    let request = Request::post(format!("http://events.spin.internal/{subject}"), event.to_string()).build();
    match spin_sdk::http::send::<_, Response>(request).await {
        Ok(answer) if *answer.status() < 300 => text(201, &id),
        Ok(answer) => text(*answer.status(), &String::from_utf8_lossy(answer.body())),
        Err(error) => text(503, &error.to_string()),
    }
}

fn text(status: u16, text: &str) -> Response {
    Response::builder().status(status).header("content-type", "text/plain").body(text.to_owned()).build()
}
