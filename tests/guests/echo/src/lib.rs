//! A guest that shows what the host gives it: its request, its stores, its variables, and where it can call.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "generated bindings")]

use spin_sdk::http::{Request, Response};
use spin_sdk::key_value::Store;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

mod cas;

/// Requests under `/used` that this instance has served.
static USED: AtomicU32 = AtomicU32::new(0);

#[spin_sdk::http_component]
async fn handle(request: Request) -> Response {
    let path = request.header("spin-path-info").and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    match path.split_once('?').map_or(path.as_str(), |(path, _)| path) {
        "/request" => text(200, headers(&request)),
        "/body" => Response::new(200, request.body().to_vec()),
        "/get" => text(200, read(query(&request))),
        "/set" => written(query(&request), request.body()),
        "/open" => text(200, format!("{:?}", Store::open(query(&request)).map(drop))),
        "/variable" => text(200, format!("{:?}", spin_sdk::variables::get(query(&request)))),
        "/cas" => text(200, cas::races()),
        "/call" => call(query(&request)).await,
        "/tell" => tell(query(&request)).await,
        "/publish" => publish(query(&request), request.body()).await,
        "/used" => text(200, (USED.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
        "/loop" => endless(),
        "/trap" => std::process::abort(),
        _ => text(404, "echo knows no such path".into()),
    }
}

fn text(status: u16, text: String) -> Response {
    Response::builder().status(status).header("content-type", "text/plain").body(text).build()
}

fn query(request: &Request) -> &str {
    request.uri().split_once('?').map_or("", |(_, query)| query)
}

fn headers(request: &Request) -> String {
    let mut shown = String::new();
    for (name, value) in request.headers() {
        let _ = writeln!(shown, "{name}: {}", value.as_str().unwrap_or("?"));
    }
    shown
}

fn read(key: &str) -> String {
    let value = Store::open_default().and_then(|store| store.get(key));
    format!("{:?}", value.map(|value| value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())))
}

fn written(key: &str, value: &[u8]) -> Response {
    match Store::open_default().and_then(|store| store.set(key, value)) {
        Ok(()) => text(200, String::new()),
        Err(error) => text(500, format!("{error:?}")),
    }
}

async fn call(url: &str) -> Response {
    answered(spin_sdk::http::send::<_, Response>(Request::get(url)).await)
}

/// Writes, then calls: what it calls must not hear of a write that could still be lost.
async fn tell(url: &str) -> Response {
    match Store::open_default().and_then(|store| store.set("told", url.as_bytes())) {
        Ok(()) => call(url).await,
        Err(error) => text(500, format!("{error:?}")),
    }
}

async fn publish(subject: &str, event: &[u8]) -> Response {
    let url = format!("http://events.spin.internal/{subject}");
    answered(spin_sdk::http::send::<_, Response>(Request::post(url, event.to_vec())).await)
}

fn answered(result: Result<Response, spin_sdk::http::SendError>) -> Response {
    match result {
        Ok(response) => {
            let body = String::from_utf8_lossy(response.body()).into_owned();
            text(200, format!("{} {body}", response.status()))
        }
        Err(error) => text(200, format!("error: {error:?}")),
    }
}

fn endless() -> Response {
    loop {
        std::hint::black_box(0);
    }
}
