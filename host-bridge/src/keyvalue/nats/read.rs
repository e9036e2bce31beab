//! Reading one key, by the shorter way where it is as fresh.

use super::bucket::Bucket;
use super::unread;
use crate::durability::Watermark;
use crate::keyvalue::{Entry, KeyValueError};
use crate::nats::{ApiError, Nats};
use async_nats::jetstream::ErrorCode;
use async_nats::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

/// What a client says it did, where it did not put a value: `DEL`, `PURGE`.
pub(super) const OPERATION: &str = "KV-Operation";
/// Why the server itself put a marker where a value was.
const MARKER: &str = "Nats-Marker-Reason";
/// Where a directly read message lies.
const SEQUENCE: &str = "Nats-Sequence";

/// What is there under `key`.
pub(super) async fn entry(nats: &Nats, bucket: &Bucket, key: &str) -> Result<Entry, KeyValueError> {
    if bucket.direct { direct(nats, bucket, key).await } else { from_leader(nats, bucket, key).await }
}

/// From the one replica there is, without the API's JSON.
async fn direct(nats: &Nats, bucket: &Bucket, key: &str) -> Result<Entry, KeyValueError> {
    let subject = format!("$JS.API.DIRECT.GET.{}.{}", bucket.stream, bucket.subject(key));
    let message = nats.ask(subject, None, Bytes::new()).await.map_err(unread)?;
    match message.status {
        Some(StatusCode::NOT_FOUND) => return Ok(Entry::absent()),
        Some(status) => {
            let why = message.description.as_deref().unwrap_or_default();
            return Err(KeyValueError::Unavailable(format!("{} answered {status} {why}", bucket.stream)));
        }
        None => {}
    }
    let headers = message.headers.unwrap_or_default();
    let sequence = headers.get(SEQUENCE).and_then(|value| value.as_str().parse().ok());
    let revision =
        sequence.ok_or_else(|| KeyValueError::Unavailable(format!("{} answered without {SEQUENCE}", bucket.stream)))?;
    Ok(found(revision, &headers, message.payload))
}

#[derive(Deserialize)]
struct Got {
    message: Stored,
}

#[derive(Deserialize)]
struct Stored {
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

/// From the leader of several replicas.
async fn from_leader(nats: &Nats, bucket: &Bucket, key: &str) -> Result<Entry, KeyValueError> {
    let wanted = json!({ "last_by_subj": bucket.subject(key) });
    let stored = match nats.api::<Got>(&format!("STREAM.MSG.GET.{}", bucket.stream), &wanted).await {
        Ok(got) => got.message,
        Err(error) if error.is(ErrorCode::NO_MESSAGE_FOUND) => return Ok(Entry::absent()),
        Err(ApiError::NoAnswer(error)) => return Err(unread(error)),
        Err(error) => return Err(KeyValueError::Unavailable(format!("{}: {error}", bucket.stream))),
    };
    let unreadable = |_| KeyValueError::Unavailable(format!("{} answered what is no base64", bucket.stream));
    let headers = BASE64.decode(stored.hdrs).map_err(unreadable)?;
    let payload = BASE64.decode(stored.data).map_err(unreadable)?;
    Ok(found(stored.seq, &fields(&headers), payload.into()))
}

fn found(revision: u64, headers: &HeaderMap, payload: Bytes) -> Entry {
    let value = Some(payload).filter(|_| !is_marker(headers));
    Entry { value, revision, watermark: Watermark(0) }
}

/// Whether a message says that there is no value.
pub(super) fn is_marker(headers: &HeaderMap) -> bool {
    let operation = headers.get(OPERATION).map(|value| value.as_str());
    matches!(operation, Some("DEL" | "PURGE")) || headers.get(MARKER).is_some()
}

/// The header lines of a stored message: `NATS/1.0`, then `Name: value` each.
fn fields(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(text).lines().skip(1) {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.trim(), value.trim());
        }
    }
    headers
}
