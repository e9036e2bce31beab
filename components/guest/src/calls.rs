//! Outgoing HTTP: calls of other components and of the world, and the publishing of events.

use crate::convert;
use kit::http::{Request, Response};
use kit::ports::{CallError, PublishError, Receipt};

/// Sends a request and waits for the whole answer.
pub(crate) async fn call(request: Request) -> Result<Response, CallError> {
    let sent = spin_sdk::http::send(convert::request_out(request)).await;
    sent.map(convert::response_in).map_err(|error: spin_sdk::http::SendError| classify(&error.to_string()))
}

/// The SDK hands the host's error code over as text.
fn classify(error: &str) -> CallError {
    let lower = error.to_ascii_lowercase();
    if lower.contains("timeout") {
        CallError::Timeout
    } else if lower.contains("denied") || lower.contains("prohibited") {
        CallError::Denied(error.to_owned())
    } else {
        CallError::Unavailable(error.to_owned())
    }
}

/// Publishes through `events_url`; the answer tells where the event lies.
pub(crate) async fn publish(url: &str, subject: &str, wire: String) -> Result<Receipt, PublishError> {
    let request = Request::post(format!("{}/{subject}", url.trim_end_matches('/')), wire);
    let response = match call(request).await {
        Ok(response) => response,
        Err(CallError::Denied(why)) => return Err(PublishError::Refused(why)),
        Err(CallError::Timeout) => return Err(PublishError::Unavailable("no answer in time".to_owned())),
        Err(CallError::Unavailable(why)) => return Err(PublishError::Unavailable(why)),
    };
    let text = String::from_utf8_lossy(&response.body);
    match response.status {
        200 => receipt(&text).ok_or_else(|| PublishError::Unavailable(format!("not a receipt: {text}"))),
        400..=499 => Err(PublishError::Refused(text.into_owned())),
        _ => Err(PublishError::Unavailable(text.into_owned())),
    }
}

fn receipt(text: &str) -> Option<Receipt> {
    let answer: kit::json::Value = kit::json::from_str(text).ok()?;
    Some(Receipt { source: answer.get("source")?.as_str()?.to_owned(), sequence: answer.get("sequence")?.as_u64()? })
}
