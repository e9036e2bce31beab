//! From the manifest's stream to a server's configuration.

use super::{Discard, WantedStream};
use crate::nats::Nats;
use crate::subject::SubjectPattern;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use std::time::Duration;

/// How long a repeated event id is recognised, where the manifest does not say.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// What the server is asked for.
pub(super) fn config((stream, settings): &WantedStream, nats: &Nats) -> Config {
    let max_age = stream.max_age.unwrap_or_default();
    let window = settings.duplicate_window.unwrap_or(DUPLICATE_WINDOW);
    Config {
        name: stream.name.clone(),
        subjects: stream.subjects.iter().map(SubjectPattern::to_string).collect(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_messages: stream.max_messages.and_then(|most| i64::try_from(most).ok()).unwrap_or(-1),
        max_bytes: -1,
        max_age,
        discard: match settings.discard {
            Discard::New => DiscardPolicy::New,
            Discard::Old => DiscardPolicy::Old,
        },
        // A server takes no window that is longer than what it keeps.
        duplicate_window: if max_age.is_zero() { window } else { window.min(max_age) },
        num_replicas: settings.replicas.unwrap_or_else(|| nats.preset().replicas(nats.is_clustered())),
        ..Config::default()
    }
}
