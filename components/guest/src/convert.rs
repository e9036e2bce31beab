//! Requests and responses between the host's resources and kit's values.

use crate::bodies;
use kit::http::{Problem, Request, Response};
use kit::ports::CallError;
use spin_sdk::wit::wasi::http0_2_0::types;
use wasi::io::streams::StreamError;

/// A request that came in, with its body.
///
/// # Errors
/// What its sender is told where the body broke off.
pub(crate) fn request_in(request: &types::IncomingRequest) -> Result<Request, Problem> {
    let headers = headers_in(&request.headers());
    let method = method_in(request.method());
    let target = request.path_with_query().unwrap_or_default();
    let length = bodies::length(&headers);
    let empty = length == Some(0) || (length.is_none() && matches!(method.as_str(), "GET" | "HEAD"));
    let body = if empty { Vec::new() } else { body_in(request, length).map_err(|why| broken_off(&why))? };
    Ok(Request { method, target, headers, body, timeout: None })
}

fn body_in(request: &types::IncomingRequest, length: Option<u64>) -> Result<Vec<u8>, String> {
    let body = request.consume().map_err(|()| "it was read before".to_owned())?;
    let stream = body.stream().map_err(|()| "it was read before".to_owned())?;
    bodies::read(&stream, length).map_err(|error| error.to_string())
}

fn broken_off(why: &str) -> Problem {
    Problem::new(400, "body-broken-off", format!("the request's body could not be read: {why}"))
}

/// Answers a request.
pub(crate) fn answer(out: types::ResponseOutparam, response: Response) -> Result<(), String> {
    let Response { status, headers, body } = response;
    let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    if status >= 200 && !matches!(status, 204 | 304) {
        headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    }
    let headers = types::Fields::from_list(&headers).map_err(|error| format!("a header: {error}"))?;
    let outgoing = types::OutgoingResponse::new(headers);
    outgoing.set_status_code(status).map_err(|()| format!("{status} is no status code"))?;
    let sink = outgoing.body().map_err(|()| "its body was taken".to_owned())?;
    types::ResponseOutparam::set(out, Ok(outgoing));
    let stream = sink.write().map_err(|()| "its body cannot be written".to_owned())?;
    match bodies::write(&stream, &body) {
        // The client is gone; what was done stays done.
        Ok(()) | Err(StreamError::Closed) => {}
        Err(error) => return Err(error.to_string()),
    }
    drop(stream);
    types::OutgoingBody::finish(sink, None).map_err(|error| error.to_string())
}

/// A request that goes out, and the body to write to it.
pub(crate) fn request_out(request: Request) -> Result<(types::OutgoingRequest, Vec<u8>), CallError> {
    let Request { method: name, target, headers, body, timeout: _ } = request;
    let malformed = || CallError::Denied(format!("not a URL to call: {target}"));
    let (scheme, rest) = target.split_once("://").ok_or_else(malformed)?;
    let (authority, path) = match rest.find('/') {
        Some(place) => rest.split_at(place),
        None => (rest, "/"),
    };
    let scheme = match scheme {
        "http" => types::Scheme::Http,
        "https" => types::Scheme::Https,
        other => types::Scheme::Other(other.to_owned()),
    };
    let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    if !body.is_empty() {
        headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    }
    let headers = types::Fields::from_list(&headers)
        .map_err(|error| CallError::Denied(format!("a header of {target}: {error}")))?;
    let outgoing = types::OutgoingRequest::new(headers);
    outgoing.set_method(&method(&name)).map_err(|()| malformed())?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| malformed())?;
    outgoing.set_authority(Some(authority)).map_err(|()| malformed())?;
    outgoing.set_path_with_query(Some(path)).map_err(|()| malformed())?;
    Ok((outgoing, body))
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

fn method_in(method: types::Method) -> String {
    let name = match method {
        types::Method::Get => "GET",
        types::Method::Head => "HEAD",
        types::Method::Post => "POST",
        types::Method::Put => "PUT",
        types::Method::Delete => "DELETE",
        types::Method::Connect => "CONNECT",
        types::Method::Options => "OPTIONS",
        types::Method::Trace => "TRACE",
        types::Method::Patch => "PATCH",
        types::Method::Other(name) => return name.to_ascii_uppercase(),
    };
    name.to_owned()
}

/// Headers of what came in, names in lower case.
pub(crate) fn headers_in(fields: &types::Fields) -> Vec<(String, String)> {
    let lowered = |(mut name, value): (String, Vec<u8>)| {
        name.make_ascii_lowercase();
        (name, text(value))
    };
    fields.entries().into_iter().map(lowered).collect()
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8(value).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
