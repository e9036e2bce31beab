//! Requests and responses between the SDK's types and kit's.

use kit::http::{Request, Response};
use kit::ports::CallError;
use spin_sdk::wit::wasi::http0_2_0::types;

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

/// A request that goes out, and the body to write to it.
pub(crate) fn request_out(request: Request) -> Result<(types::OutgoingRequest, Vec<u8>), CallError> {
    let malformed = || CallError::Denied(format!("not a URL to call: {}", request.target));
    let (scheme, rest) = request.target.split_once("://").ok_or_else(malformed)?;
    let (authority, path) = match rest.find('/') {
        Some(place) => rest.split_at(place),
        None => (rest, "/"),
    };
    let scheme = match scheme {
        "http" => types::Scheme::Http,
        "https" => types::Scheme::Https,
        other => types::Scheme::Other(other.to_owned()),
    };
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let headers = types::Fields::from_list(&headers)
        .map_err(|error| CallError::Denied(format!("a header of {}: {error}", request.target)))?;
    let outgoing = types::OutgoingRequest::new(headers);
    outgoing.set_method(&method(&request.method)).map_err(|()| malformed())?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| malformed())?;
    outgoing.set_authority(Some(authority)).map_err(|()| malformed())?;
    outgoing.set_path_with_query(Some(path)).map_err(|()| malformed())?;
    Ok((outgoing, request.body))
}

fn method(name: &str) -> types::Method {
    match name {
        "GET" => types::Method::Get,
        "HEAD" => types::Method::Head,
        "POST" => types::Method::Post,
        "PUT" => types::Method::Put,
        "PATCH" => types::Method::Patch,
        "DELETE" => types::Method::Delete,
        other => types::Method::Other(other.to_owned()),
    }
}

/// Headers of an answer that came in, names in lower case.
pub(crate) fn headers_in(fields: &types::Fields) -> Vec<(String, String)> {
    let text =
        |(name, value): (String, Vec<u8>)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned());
    fields.entries().into_iter().map(text).collect()
}
