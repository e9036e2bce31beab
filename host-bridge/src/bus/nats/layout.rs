//! The streams and buckets of the host itself: created where they are missing, refused where somebody changed them.

use super::BusError;
use super::bucket::Bucket;
use super::names::Names;
use crate::nats::{Nats, Preset};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use std::time::Duration;

/// Dead letters are kept this long.
const LETTER_AGE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Replicas on a cluster that is to keep things safe.
const SAFE_REPLICAS: usize = 3;
/// The code of "there is no such stream".
const NOT_FOUND: u64 = 10_059;

/// The buckets of one application.
#[derive(Debug)]
pub(super) struct Buckets {
    pub positions: Bucket,
    pub timers: Bucket,
    pub control: Bucket,
}

/// Creates or verifies all of it.
pub(super) async fn ensure(nats: &Nats, names: &Names) -> Result<Buckets, BusError> {
    let replicas = replicas(nats);
    let letters = Config { max_age: LETTER_AGE, max_messages_per_subject: 1, ..stream(names.letters(), replicas) };
    ensure_stream(nats, Config { subjects: vec![names.all_letters()], ..letters }).await?;
    let replays = Config { subjects: vec![names.all_replays()], ..stream(names.replays(), replicas) };
    ensure_stream(nats, replays).await?;
    Ok(Buckets {
        positions: bucket(nats, names.positions(), replicas).await?,
        timers: bucket(nats, names.timers(), replicas).await?,
        control: bucket(nats, names.control(), replicas).await?,
    })
}

/// What a stream says of itself, asked of its leader.
pub(super) async fn info(nats: &Nats, stream: &str) -> Result<Info, BusError> {
    let asked = nats.answer(nats.jetstream().get_stream(stream)).await;
    let lost = || BusError::Unavailable(format!("stream {stream}: NATS did not answer in time"));
    match asked.ok_or_else(lost)? {
        Ok(found) => Ok(found.cached_info().clone()),
        Err(error) => Err(match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code().0 == NOT_FOUND => {
                BusError::NotFound(format!("stream {stream} on the NATS server"))
            }
            _ => BusError::Unavailable(format!("stream {stream}: {error}")),
        }),
    }
}

/// The incarnation of a stream: when it was created, in milliseconds.
pub(super) fn incarnation(info: &Info) -> u64 {
    u64::try_from(info.created.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

fn replicas(nats: &Nats) -> usize {
    let clustered = nats.client().server_info().cluster.is_some();
    if clustered && nats.preset() == Preset::Safe { SAFE_REPLICAS } else { 1 }
}

fn stream(name: String, replicas: usize) -> Config {
    Config {
        name,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        ..Config::default()
    }
}

async fn bucket(nats: &Nats, name: String, replicas: usize) -> Result<Bucket, BusError> {
    let config = Config {
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        // What decisions read comes from the leader.
        allow_direct: false,
        ..stream(format!("KV_{name}"), replicas)
    };
    ensure_stream(nats, config).await?;
    let store = nats.jetstream().get_key_value(&name).await;
    store
        .map(|store| Bucket::new(nats.clone(), store))
        .map_err(|error| BusError::Unavailable(format!("bucket {name}: {error}")))
}

async fn ensure_stream(nats: &Nats, wanted: Config) -> Result<(), BusError> {
    let found = match info(nats, &wanted.name).await {
        Err(BusError::NotFound(_)) => {
            let name = wanted.name.clone();
            let created = nats.jetstream().create_stream(wanted).await;
            return created
                .map(|_| ())
                .map_err(|error| BusError::Unavailable(format!("stream {name} cannot be created: {error}")));
        }
        found => found?.config,
    };
    let drift = drift(&wanted, &found);
    if drift.is_empty() {
        return Ok(());
    }
    let name = &wanted.name;
    Err(BusError::Unavailable(format!(
        "stream {name} is not as it must be: {drift}; somebody changed it: change it back, or remove it if nothing in it \
         is needed"
    )))
}

/// What of `found` breaks what is relied on, in words.
fn drift(wanted: &Config, found: &Config) -> String {
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: String, actual: String| {
        if expected != actual {
            differences.push(format!("{what} is {actual}, expected {expected}"));
        }
    };
    compare("subjects", format!("{:?}", wanted.subjects), format!("{:?}", found.subjects));
    compare("retention", format!("{:?}", wanted.retention), format!("{:?}", found.retention));
    compare(
        "messages per subject",
        wanted.max_messages_per_subject.to_string(),
        found.max_messages_per_subject.to_string(),
    );
    compare("direct reads", wanted.allow_direct.to_string(), found.allow_direct.to_string());
    compare("storage", format!("{:?}", wanted.storage), format!("{:?}", found.storage));
    if found.num_replicas < wanted.num_replicas {
        compare("replicas", wanted.num_replicas.to_string(), found.num_replicas.to_string());
    }
    differences.join(", ")
}
