//! A guest that answers every request with the same text and imports nothing but WASI: what serving HTTP costs, by any host.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "generated bindings")]

use spin_sdk::http::{Request, Response};

#[spin_sdk::http_component]
fn handle(_: Request) -> Response {
    Response::builder()
        .status(200)
        .header("content-type", "application/json")
        .body(r#"{"available":1000000,"reserved":0,"sold":0}"#)
        .build()
}
