//! A guest of WASI 0.3: it gives a request's body back as it comes, so that streaming both ways can be seen.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "generated bindings")]

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_future;

struct Modern;

wasip3::http::service::export!(Modern);

impl wasip3::exports::http::handler::Guest for Modern {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        // Nothing is said of how the request's body was taken: that it was read is all.
        let (_taken, done) = wit_future::new(|| Ok(()));
        let (body, trailers) = Request::consume_body(request, done);
        let (response, _sent) = Response::new(Fields::new(), Some(body), trailers);
        Ok(response)
    }
}
