//! A three-step saga and nothing else, to be compared with other engines: pieces are set aside, money is taken, the order
//! is confirmed; what was done is undone where a step is refused. `tests/bench/peers` has the same for Restate.
//!
//! Three kinds of aggregate (orders, products, charges) in one component. An event repeated changes nothing and says the
//! same: a product remembers what it answered last, an order and a charge know by their state.
#![cfg(target_family = "wasm")]

mod http;
mod order;
mod state;
mod stock;

use generated::example::purchase::delivery::{
    ChargeTakeRequested, Emission, Event, Failure, Metadata, Output, PurchasePaid, PurchaseRefused,
};
use generated::exports::example::purchase::event_handler::Guest;
use serde::{Deserialize, Serialize};
use state::change;

mod generated {
    wit_bindgen::generate!({ path: ["../../../wit/deps/keyvalue", "wit"], world: "example:purchase/purchase", generate_all });
}

struct Purchase;

#[expect(unsafe_code, reason = "generated")]
mod component {
    use super::{Purchase, generated};

    generated::export!(Purchase with_types_in generated);
}

impl Guest for Purchase {
    fn handle(meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        match event {
            Event::StockRestock(request) => stock::restock(&meta, request.quantity),
            Event::StockReserve(request) => stock::reserve(&meta, &request),
            Event::StockRelease(request) => stock::release(&meta, request.quantity),
            Event::ChargeTake(request) => charge(&meta, &request),
            Event::PurchasePlaced(_)
            | Event::PurchaseReserved(_)
            | Event::PurchaseRefused(_)
            | Event::PurchasePaid(_) => order::handle(&meta, event),
        }
    }
}

/// What was taken for an order.
#[derive(Default, Serialize, Deserialize)]
struct Charge {
    amount: Option<i64>,
}

fn charge(meta: &Metadata, request: &ChargeTakeRequested) -> Result<Vec<Output>, Failure> {
    if request.method == "tok_declined" {
        let code = "card-declined".to_owned();
        return Ok(vec![emit(&meta.key, Event::PurchaseRefused(PurchaseRefused { product_id: None, code }))]);
    }
    change("charge", &meta.key, |charge: &mut Charge| {
        let amount = *charge.amount.get_or_insert(request.amount);
        vec![emit(&meta.key, Event::PurchasePaid(PurchasePaid { amount }))]
    })
}

fn emit(aggregate_id: &str, event: Event) -> Output {
    Output::Emit(Emission { aggregate_id: aggregate_id.to_owned(), event })
}
