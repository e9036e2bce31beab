//! A guest that imports what the host has not: it must be refused when it is loaded, by name.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "generated bindings")]

use spin_sdk::http::{Request, Response};
use spin_sdk::sqlite::Connection;

#[spin_sdk::http_component]
fn handle(_: Request) -> Response {
    let opened = Connection::open_default().is_ok();
    Response::new(200, opened.to_string())
}
