//! Outgoing HTTP: calls of other components and of the world, and the publishing of events.

use crate::{bodies, convert, manners};
use kit::http::{Request, Response};
use kit::ports::{CallError, PublishError, Receipt};
use spin_sdk::wit::wasi::http0_2_0::{outgoing_handler, types};
use wasi::clocks::monotonic_clock;
use wasi::io::poll::poll;
use wasi::io::streams::{OutputStream, StreamError};

/// Sends a request and waits for the whole answer; until it begins, at most as long as the request says.
pub(crate) async fn call(request: Request) -> Result<Response, CallError> {
    let timeout = request.timeout;
    let (outgoing, body) = convert::request_out(request)?;
    let answer = send(outgoing, timeout.map(patience), &body)?;
    wait(&answer, timeout)?;
    let response = answer.get().and_then(Result::ok).ok_or_else(|| broken("the host gave no answer"))?;
    read(&response.map_err(classify)?)
}

/// At most so many milliseconds. A host that cannot keep one of them has its own.
fn patience(milliseconds: u64) -> types::RequestOptions {
    let (options, nanoseconds) = (types::RequestOptions::new(), milliseconds.saturating_mul(1_000_000));
    let _unsupported = options.set_connect_timeout(Some(nanoseconds));
    let _unsupported = options.set_first_byte_timeout(Some(nanoseconds));
    options
}

/// Until there is an answer, at most so many milliseconds.
fn wait(answer: &types::FutureIncomingResponse, timeout: Option<u64>) -> Result<(), CallError> {
    let ready = answer.subscribe();
    let Some(timeout) = timeout.filter(|_| !manners::keeps_time()) else {
        ready.block();
        return Ok(());
    };
    let late = monotonic_clock::subscribe_duration(timeout.saturating_mul(1_000_000));
    if poll(&[&ready, &late]).contains(&0) { Ok(()) } else { Err(CallError::Timeout) }
}

fn send(
    outgoing: types::OutgoingRequest,
    options: Option<types::RequestOptions>,
    body: &[u8],
) -> Result<types::FutureIncomingResponse, CallError> {
    if body.is_empty() {
        return outgoing_handler::handle(outgoing, options).map_err(classify);
    }
    let sink = outgoing.body().map_err(|()| broken("the request has no body"))?;
    let stream = sink.write().map_err(|()| broken("the request's body cannot be written"))?;
    // Most bodies are with the host before it begins to send: then nobody waits for the other.
    let left = bodies::offer(&stream, body).map_err(|_| broken("the request's body cannot be written"))?;
    if left.is_empty() {
        drop(stream);
        types::OutgoingBody::finish(sink, None).map_err(classify)?;
        return outgoing_handler::handle(outgoing, options).map_err(classify);
    }
    let answer = outgoing_handler::handle(outgoing, options).map_err(classify)?;
    write(sink, stream, left)?;
    Ok(answer)
}

fn broken(why: &str) -> CallError {
    CallError::Unavailable(why.to_owned())
}

/// The rest of a body that is longer than what the host takes at once.
fn write(sink: types::OutgoingBody, stream: OutputStream, bytes: &[u8]) -> Result<(), CallError> {
    match bodies::write(&stream, bytes) {
        Ok(()) => {}
        // The callee may have answered without reading; the answer tells.
        Err(StreamError::Closed) => return Ok(()),
        Err(_) => return Err(broken("the request broke off")),
    }
    drop(stream);
    types::OutgoingBody::finish(sink, None).map_err(classify)
}

fn read(response: &types::IncomingResponse) -> Result<Response, CallError> {
    let (status, headers) = (response.status(), convert::headers_in(&response.headers()));
    let length = bodies::length(&headers);
    if length == Some(0) {
        return Ok(Response { status, headers, body: Vec::new() });
    }
    let body = response.consume().map_err(|()| broken("the answer has no body"))?;
    let stream = body.stream().map_err(|()| broken("the answer's body cannot be read"))?;
    match bodies::read(&stream, length) {
        Ok(body) => Ok(Response { status, headers, body }),
        Err(StreamError::LastOperationFailed(error)) => Err(failed(&error.to_debug_string())),
        Err(StreamError::Closed) => Err(broken("the answer's body broke off")),
    }
}

fn classify(error: types::ErrorCode) -> CallError {
    use types::ErrorCode;
    match error {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => CallError::Denied(error.to_string()),
        other => failed(&format!("{other:?}")),
    }
}

/// By its text: hosts name the many kinds of time-out differently.
fn failed(error: &str) -> CallError {
    if error.to_ascii_lowercase().contains("timeout") {
        CallError::Timeout
    } else {
        CallError::Unavailable(error.to_owned())
    }
}

/// Publishes through `events_url`; the answer tells where the event lies.
/// `authorization` is for a bridge; the host itself knows who calls.
pub(crate) async fn publish(
    url: &str,
    subject: &str,
    wire: String,
    authorization: Option<String>,
) -> Result<Receipt, PublishError> {
    let mut request = Request::post(format!("{}/{subject}", url.trim_end_matches('/')), wire);
    if let Some(authorization) = authorization {
        request = request.with_header("authorization", &authorization);
    }
    let response = match call(request).await {
        Ok(response) => response,
        Err(CallError::Denied(why)) => return Err(PublishError::Refused(why)),
        Err(CallError::Timeout) => return Err(PublishError::Unavailable("no answer in time".to_owned())),
        Err(CallError::Unavailable(why)) => return Err(PublishError::Unavailable(why)),
    };
    let text = String::from_utf8_lossy(&response.body);
    match response.status {
        200 => receipt(&text).ok_or_else(|| PublishError::Unavailable(format!("not a receipt: {text}"))),
        // A key or a clock is wrong, not the event.
        401 => Err(PublishError::Unavailable(format!("the bridge does not know us: {text}"))),
        400..=499 => Err(PublishError::Refused(text.into_owned())),
        _ => Err(PublishError::Unavailable(text.into_owned())),
    }
}

fn receipt(text: &str) -> Option<Receipt> {
    let answer: kit::json::Value = kit::json::from_str(text).ok()?;
    Some(Receipt { source: answer.get("source")?.as_str()?.to_owned(), sequence: answer.get("sequence")?.as_u64()? })
}
