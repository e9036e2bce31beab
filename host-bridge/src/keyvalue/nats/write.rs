//! Writing: one key against its revision, one whatever it holds, or several in one step.

use super::bucket::Bucket;
use super::read::OPERATION;
use crate::keyvalue::KeyValueError;
use crate::nats::{Nats, NoAnswer};
use async_nats::HeaderMap;
use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL,
};
use async_nats::jetstream::ErrorCode;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;

/// Keys of one step at most: what a server takes in one batch.
const MAX_WRITES: usize = 1_000;
/// Writes of one step under way at once, where the server knows no batches.
const WRITES_AT_ONCE: usize = 64;
/// How long a delete marker is kept: longer than anybody sits on a revision they have read.
const MARKER_AGE: &str = "1h";
/// How often a write is tried while the server cannot judge it: another one of the same key is on its way.
const TRIES: u32 = 20;
/// Wait between two of these.
const UNDECIDED: Duration = Duration::from_millis(5);

/// How a conditional write ended.
pub(super) enum Published {
    /// It lies at this sequence.
    At(u64),
    /// The key has another revision.
    Conflict,
}

/// The server's answer to a publish.
#[derive(Deserialize)]
struct Ack {
    #[serde(default)]
    seq: u64,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl Refusal {
    fn is(&self, code: ErrorCode) -> bool {
        self.err_code == code.0
    }

    /// The key's revision is another one.
    fn is_conflict(&self) -> bool {
        self.is(ErrorCode::STREAM_WRONG_LAST_SEQUENCE) || self.is(ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)
    }

    /// The server cannot tell yet.
    fn is_undecided(&self) -> bool {
        self.is(ErrorCode::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY)
            || self.is(ErrorCode::STREAM_TOO_MANY_REQUESTS)
            || self.is(ErrorCode::ATOMIC_PUBLISH_INCOMPLETE_BATCH)
    }

    fn explain(&self, bucket: &Bucket) -> KeyValueError {
        KeyValueError::Unavailable(format!("{} refuses: {} (error {})", bucket.stream, self.description, self.err_code))
    }
}

/// Writes `value` if the last message of the key has the sequence `expected`.
pub(super) async fn expecting(
    nats: &Nats,
    bucket: &Bucket,
    key: &str,
    (expected, value): (u64, Bytes),
) -> Result<Published, KeyValueError> {
    let subject = bucket.subject(key);
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
    if let Some(age) = bucket.age(key) {
        headers.insert(NATS_MESSAGE_TTL, age);
    }
    let ack = decided(|| publish(nats, bucket, (subject.clone(), Some(headers.clone()), value.clone()))).await?;
    match ack.error {
        None => Ok(Published::At(ack.seq)),
        Some(refusal) if refusal.is_conflict() => Ok(Published::Conflict),
        Some(refusal) => Err(refusal.explain(bucket)),
    }
}

/// Writes all of `writes`, whatever the keys hold; of several writes of one key the last holds.
///
/// One is a plain publish. Several are one step on a server that publishes batches atomically (2.12); on an older one
/// they are published side by side, and a crash between them leaves some undone: the port's callers write only values
/// whose write is idempotent by itself, and write them again.
pub(super) async fn all(
    nats: &Nats,
    bucket: &Bucket,
    writes: Vec<(String, Option<Bytes>)>,
) -> Result<(), KeyValueError> {
    let mut last: HashMap<String, Option<Bytes>> = HashMap::with_capacity(writes.len());
    last.extend(writes);
    if last.len() > MAX_WRITES {
        return Err(KeyValueError::TooLarge(format!(
            "one step writes at most {MAX_WRITES} keys, this one {}",
            last.len()
        )));
    }
    let mut messages: Vec<Outgoing> = last.into_iter().map(|(key, value)| outgoing(bucket, &key, value)).collect();
    if let Some(too_large) = messages.iter().find_map(|message| too_large(nats, message)) {
        return Err(too_large);
    }
    if messages.len() > 1 && bucket.atomic {
        return batch(nats, bucket, messages).await;
    }
    if messages.len() == 1 {
        let Some(message) = messages.pop() else { return Ok(()) };
        return plain(nats, bucket, message).await;
    }
    let writes = messages.into_iter().map(|message| plain(nats, bucket, message));
    futures::stream::iter(writes).buffer_unordered(WRITES_AT_ONCE).try_collect().await
}

type Outgoing = (String, Option<HeaderMap>, Bytes);

fn outgoing(bucket: &Bucket, key: &str, value: Option<Bytes>) -> Outgoing {
    let subject = bucket.subject(key);
    match value {
        Some(value) => {
            let aged = |age: String| HeaderMap::from_iter([(NATS_MESSAGE_TTL, age.into())]);
            (subject, bucket.age(key).map(aged), value)
        }
        None => {
            let mut headers = HeaderMap::new();
            headers.insert(OPERATION, "DEL");
            if bucket.ageing {
                headers.insert(NATS_MESSAGE_TTL, MARKER_AGE);
            }
            (subject, Some(headers), Bytes::new())
        }
    }
}

/// All checks come first: nothing of a step is written where a part of it cannot be.
fn too_large(nats: &Nats, (_, _, payload): &Outgoing) -> Option<KeyValueError> {
    let most = nats.client().max_payload();
    (payload.len() > most).then(|| {
        KeyValueError::TooLarge(format!(
            "a value has {} bytes, the NATS server takes messages of at most {most} (its `max_payload`)",
            payload.len()
        ))
    })
}

async fn plain(nats: &Nats, bucket: &Bucket, message: Outgoing) -> Result<(), KeyValueError> {
    let ack = decided(|| publish(nats, bucket, message.clone())).await?;
    ack.error.map_or(Ok(()), |refusal| Err(refusal.explain(bucket)))
}

/// All or none: the server takes what came before only with the message that commits it.
async fn batch(nats: &Nats, bucket: &Bucket, messages: Vec<Outgoing>) -> Result<(), KeyValueError> {
    let ack = decided(|| send_batch(nats, bucket, messages.clone())).await?;
    ack.error.map_or(Ok(()), |refusal| Err(refusal.explain(bucket)))
}

async fn send_batch(nats: &Nats, bucket: &Bucket, mut messages: Vec<Outgoing>) -> Result<Ack, KeyValueError> {
    nats.why_down().map_or(Ok(()), |why| Err(KeyValueError::Unavailable(why)))?;
    let Some((subject, headers, payload)) = messages.pop() else { return Ok(Ack { seq: 0, error: None }) };
    let id = nats.client().new_inbox();
    let id = id.rsplit('.').next().unwrap_or(&id).to_owned();
    let mut sequence = 0_u64;
    for (subject, headers, payload) in messages {
        sequence += 1;
        let headers = of_batch(headers, &id, sequence);
        let sent = nats.client().publish_with_headers(subject, headers, payload).await;
        sent.map_err(|error| KeyValueError::Unavailable(error.to_string()))?;
    }
    let mut headers = of_batch(headers, &id, sequence + 1);
    headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
    publish(nats, bucket, (subject, Some(headers), payload)).await
}

fn of_batch(headers: Option<HeaderMap>, id: &str, sequence: u64) -> HeaderMap {
    let mut headers = headers.unwrap_or_default();
    headers.insert(NATS_BATCH_ID, id);
    headers.insert(NATS_BATCH_SEQUENCE, sequence.to_string());
    headers
}

/// Publishes once.
async fn publish(nats: &Nats, bucket: &Bucket, message: Outgoing) -> Result<Ack, KeyValueError> {
    let (subject, headers, payload) = message;
    let answer = nats.ask(subject, headers, payload).await.map_err(unwritten)?;
    serde_json::from_slice(&answer.payload)
        .map_err(|error| KeyValueError::Unknown(format!("the answer of {} cannot be read: {error}", bucket.stream)))
}

/// Publishes until the server can tell how it ended.
async fn decided<F>(publish: impl Fn() -> F) -> Result<Ack, KeyValueError>
where
    F: Future<Output = Result<Ack, KeyValueError>>,
{
    for _ in 1..TRIES {
        let ack = publish().await?;
        if !ack.error.as_ref().is_some_and(Refusal::is_undecided) {
            return Ok(ack);
        }
        tokio::time::sleep(UNDECIDED).await;
    }
    publish().await
}

fn unwritten(error: NoAnswer) -> KeyValueError {
    match error {
        NoAnswer::Lost(why) => KeyValueError::Unknown(why),
        NoAnswer::TooLarge(why) => KeyValueError::TooLarge(why),
        NoAnswer::Away(why) | NoAnswer::Forbidden(why) => KeyValueError::Unavailable(why),
    }
}
