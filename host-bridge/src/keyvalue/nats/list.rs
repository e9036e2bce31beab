//! Listing keys. NATS keeps no order of subjects, so every page walks the whole bucket, headers only: its cost grows
//! with the number of keys, not of those on the page. What lists often keeps an index of its own.

use super::bucket::Bucket;
use super::{keys, read};
use crate::keyvalue::{KeyPage, KeyValueError};
use crate::nats::Nats;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use futures::StreamExt as _;
use std::collections::BTreeSet;
use std::time::Duration;

/// Messages asked for at once.
const BATCH: usize = 1_000;
/// How long the server may take over one batch.
const EXPIRES: Duration = Duration::from_secs(3);
/// When the server drops a walk that nobody goes on with.
const ABANDONED: Duration = Duration::from_secs(10);

/// The smallest keys after `cursor`, at most `limit`.
pub(super) async fn page(
    nats: &Nats,
    bucket: &Bucket,
    cursor: Option<&str>,
    limit: usize,
) -> Result<KeyPage, KeyValueError> {
    if let Some(why) = nats.why_down() {
        return Err(KeyValueError::Unavailable(why));
    }
    let config = Config {
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::None,
        headers_only: true,
        filter_subject: format!("{}>", bucket.subjects),
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: ABANDONED,
        ..Config::default()
    };
    let made = nats.jetstream().create_consumer_on_stream(config, bucket.stream.as_str()).await;
    let consumer: PullConsumer = made.map_err(|error| interrupted(bucket, &error))?;
    let left = consumer.cached_info().num_pending;
    let mut walk = Walk { bucket, cursor, most: limit.saturating_add(1), smallest: BTreeSet::new(), left, seen: 0 };
    let walked = walk.all(&consumer).await;
    // The server drops it soon anyway.
    let _dropped = nats.jetstream().delete_consumer_from_stream(&consumer.cached_info().name, &bucket.stream).await;
    walked?;
    let mut keys: Vec<String> = walk.smallest.into_iter().collect();
    let more = keys.len() > limit;
    keys.truncate(limit);
    let cursor = keys.last().filter(|_| more).cloned();
    Ok(KeyPage { keys, cursor })
}

/// One walk over all keys that keeps only those of the page, and one more.
struct Walk<'a> {
    bucket: &'a Bucket,
    cursor: Option<&'a str>,
    most: usize,
    smallest: BTreeSet<String>,
    /// Messages still to come.
    left: u64,
    /// Messages that came.
    seen: u64,
}

impl Walk<'_> {
    async fn all(&mut self, consumer: &PullConsumer) -> Result<(), KeyValueError> {
        while self.left > 0 {
            let batch = consumer.fetch().max_messages(BATCH).expires(EXPIRES).messages().await;
            let mut batch = batch.map_err(|error| interrupted(self.bucket, &error))?;
            let before = self.seen;
            while let Some(message) = batch.next().await {
                self.take(&message.map_err(|error| interrupted(self.bucket, &error))?)?;
            }
            if self.seen == before {
                // What was still to come has been overwritten or deleted meanwhile, or did not come.
                let info = consumer.get_info().await.map_err(|error| interrupted(self.bucket, &error))?;
                if info.num_pending > 0 {
                    return Err(interrupted(self.bucket, &"the server sent nothing"));
                }
                return Ok(());
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &Message) -> Result<(), KeyValueError> {
        let info = message.info().map_err(|error| interrupted(self.bucket, &error))?;
        self.seen += 1;
        if info.consumer_sequence != self.seen {
            // What was sent while the connection was away does not come again: the page would have a gap.
            return Err(interrupted(self.bucket, &"messages were lost on the way"));
        }
        self.left = info.pending;
        if message.headers.as_ref().is_some_and(read::is_marker) {
            return Ok(());
        }
        let key = message.subject.strip_prefix(self.bucket.subjects.as_str()).and_then(keys::decode);
        if let Some(key) = key.filter(|key| self.cursor.is_none_or(|cursor| key.as_str() > cursor)) {
            self.smallest.insert(key);
            if self.smallest.len() > self.most {
                self.smallest.pop_last();
            }
        }
        Ok(())
    }
}

fn interrupted(bucket: &Bucket, error: &impl std::fmt::Display) -> KeyValueError {
    KeyValueError::Unavailable(format!("listing {}: {error}", bucket.stream))
}
