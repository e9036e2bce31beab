//! Requests and responses between the SDK's types and kit's.

use kit::http::{Request, Response};

/// A request that came in.
pub(crate) fn request_in(request: spin_sdk::http::Request) -> Request {
    let headers = request
        .headers()
        .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let query = request.query();
    let target = if query.is_empty() { request.path().to_owned() } else { format!("{}?{query}", request.path()) };
    let method = request.method().to_string().to_ascii_uppercase();
    Request { method, target, headers, body: request.into_body(), timeout: None }
}

/// A response that goes out.
pub(crate) fn response_out(response: Response) -> spin_sdk::http::Response {
    let mut builder = spin_sdk::http::Response::builder();
    builder.status(response.status);
    for (name, value) in response.headers {
        builder.header(name, value);
    }
    builder.body(response.body).build()
}

/// A request that goes out.
pub(crate) fn request_out(request: Request) -> spin_sdk::http::Request {
    let method = match request.method.as_str() {
        "GET" => spin_sdk::http::Method::Get,
        "PUT" => spin_sdk::http::Method::Put,
        "DELETE" => spin_sdk::http::Method::Delete,
        "HEAD" => spin_sdk::http::Method::Head,
        "PATCH" => spin_sdk::http::Method::Patch,
        _ => spin_sdk::http::Method::Post,
    };
    let mut builder = spin_sdk::http::Request::builder();
    builder.method(method).uri(request.target);
    for (name, value) in request.headers {
        builder.header(name, value);
    }
    builder.body(request.body).build()
}

/// A response that came in.
pub(crate) fn response_in(response: spin_sdk::http::Response) -> Response {
    let headers = response
        .headers()
        .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Response { status: *response.status(), headers, body: response.into_body() }
}
