//! One store's bucket: a stream that other NATS clients read as a key-value bucket too.

use super::keys;
use crate::keyvalue::{Expiries, KeyValueError};
use crate::nats::{ApiError, Nats, Remembered};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, StorageType};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;

/// First server that keeps a delete marker for a bounded time only.
const MARKER_AGE_SINCE: (u64, u64) = (2, 11);
/// First server that publishes a batch in one step.
const ATOMIC_SINCE: (u64, u64) = (2, 12);
/// Bytes of the values that are remembered for certain; as many again may be.
const REMEMBERED: usize = 4 << 20;
/// Where the bucket says whose it is: two applications that share one would read each other's values.
const OWNER: &str = "a4co.application";

/// Where the values of one application lie.
#[derive(Debug, Clone)]
pub struct Place {
    /// What the names of its buckets begin with.
    pub prefix: String,
    /// The application's name; another one's buckets are refused.
    pub application: String,
}

/// One store's bucket, as it was found or made.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The stream's name, `KV_…`.
    pub(super) stream: String,
    /// What a key's subject begins with: `$KV.….`.
    pub(super) subjects: String,
    /// Whether reads go to the one replica directly; else its leader is asked through the API, because a follower may
    /// not know yet what was written.
    pub(super) direct: bool,
    /// Whether several keys can be written in one step.
    pub(super) atomic: bool,
    /// Whether single messages may go by age: delete markers, and values that are garbage some time later.
    pub(super) ageing: bool,
    /// What this process wrote by compare-and-swap.
    pub(super) remembered: Remembered<String, Bytes>,
    store: String,
    expiries: Expiries,
}

impl Bucket {
    /// Finds the bucket of `store`, or makes it.
    pub(super) async fn open(
        nats: &Nats,
        place: &Place,
        store: &str,
        expiries: &Expiries,
    ) -> Result<Self, KeyValueError> {
        let wanted = config(nats, place, store);
        let name = &wanted.name;
        let found = match nats.api::<Info>(&format!("STREAM.INFO.{name}"), &()).await {
            Err(error) if error.is(ErrorCode::STREAM_NOT_FOUND) => {
                tracing::info!(bucket = %name, replicas = wanted.num_replicas, "a bucket is created");
                create(nats, &wanted).await
            }
            answered => answered,
        };
        let found = found.map_err(|error| unusable(name, &error.to_string()))?.config;
        if let Some(fault) = fault(&wanted, &found) {
            return Err(unusable(name, &fault));
        }
        Ok(Self {
            subjects: subjects(name),
            direct: found.allow_direct && found.num_replicas <= 1,
            atomic: found.allow_atomic_publish,
            ageing: found.allow_message_ttl,
            remembered: Remembered::new(REMEMBERED),
            store: store.to_owned(),
            expiries: expiries.clone(),
            stream: found.name,
        })
    }

    /// The age at which a value of that key goes, as the server is told it.
    pub(super) fn age(&self, key: &str) -> Option<String> {
        let after = self.expiries.after(&self.store, key).filter(|_| self.ageing)?;
        Some(format!("{}s", after.as_secs().max(1)))
    }

    /// The subject of a key.
    pub(super) fn subject(&self, key: &str) -> String {
        format!("{}{}", self.subjects, keys::encode(key))
    }
}

/// Creates it; where another process was first, that one's counts.
async fn create(nats: &Nats, wanted: &Config) -> Result<Info, ApiError> {
    match nats.api(&format!("STREAM.CREATE.{}", wanted.name), wanted).await {
        Err(error) if error.is(ErrorCode::STREAM_NAME_EXIST) => {
            nats.api(&format!("STREAM.INFO.{}", wanted.name), &()).await
        }
        answered => answered,
    }
}

fn config(nats: &Nats, place: &Place, store: &str) -> Config {
    let name = format!("KV_{}", keys::bucket(&place.prefix, store));
    let replicas = nats.preset().replicas(nats.is_clustered());
    Config {
        subjects: vec![format!("{}>", subjects(&name))],
        name,
        description: Some(format!("The store `{store}` of {}", place.application)),
        max_messages_per_subject: 1,
        max_bytes: -1,
        max_messages: -1,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: replicas,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: replicas == 1,
        allow_message_ttl: nats.is_at_least(MARKER_AGE_SINCE),
        allow_atomic_publish: nats.is_at_least(ATOMIC_SINCE),
        metadata: HashMap::from([(OWNER.to_owned(), place.application.clone())]),
        ..Config::default()
    }
}

/// What a key's subject begins with in the bucket of this stream.
fn subjects(stream: &str) -> String {
    format!("$KV.{}.", stream.trim_start_matches("KV_"))
}

/// What makes a bucket that is there unfit to hold values.
fn fault(wanted: &Config, found: &Config) -> Option<String> {
    let owner = found.metadata.get(OWNER);
    if owner.is_some() && owner != wanted.metadata.get(OWNER) {
        let theirs = owner.map(String::as_str).unwrap_or_default();
        return Some(format!("it belongs to the application `{theirs}`: give this one other names with --nats-prefix"));
    }
    if found.subjects != wanted.subjects {
        return Some(format!("it takes {:?} where {:?} was expected", found.subjects, wanted.subjects));
    }
    if found.max_age != Duration::ZERO {
        return Some("its values expire (max_age): aggregates would be lost; set it to 0".to_owned());
    }
    if found.num_replicas < wanted.num_replicas {
        return Some(format!(
            "it has {} replicas, `--durability safe` needs {}: nats stream edit {} --replicas {1}",
            found.num_replicas, wanted.num_replicas, wanted.name
        ));
    }
    None
}

fn unusable(name: &str, why: &str) -> KeyValueError {
    KeyValueError::Unavailable(format!("the bucket {name} cannot be used: {why}"))
}
