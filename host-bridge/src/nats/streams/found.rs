//! A server's configuration of a stream against the wanted one.

use super::Difference;
use crate::manifest::measure::spelled;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

/// What differs of that which delivery depends on. What else somebody has set on the stream is theirs.
pub(super) fn differences(wanted: &Config, found: &Config) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut compare = |what, expected: String, there: String, fixed: Option<&'static str>| {
        if expected != there {
            differences.push(Difference { what, expected, found: there, fixed });
        }
    };
    compare("subjects", sorted(&wanted.subjects), sorted(&found.subjects), None);
    compare("max_age", age(wanted), age(found), None);
    compare("max_messages", limit(wanted.max_messages), limit(found.max_messages), None);
    compare("discard", discard(wanted).into(), discard(found).into(), None);
    compare("replicas", wanted.num_replicas.to_string(), found.num_replicas.to_string(), None);
    let window = |config: &Config| spelled(config.duplicate_window);
    compare("duplicate_window", window(wanted), window(found), None);
    let per_subject = |config: &Config| limit(config.max_messages_per_subject);
    compare("messages per subject", per_subject(wanted), per_subject(found), None);
    let storage = |config: &Config| match config.storage {
        StorageType::File => "file".to_owned(),
        StorageType::Memory => "memory".to_owned(),
    };
    compare("storage", storage(wanted), storage(found), Some("a stream's storage never changes"));
    compare("retention", retention(wanted).into(), retention(found).into(), Some("a stream's retention is its nature"));
    let acknowledged = |config: &Config| if config.no_ack { "no" } else { "yes" }.to_owned();
    compare("acknowledges publishers", acknowledged(wanted), acknowledged(found), None);
    let source = |config: &Config| if config.mirror.is_some() { "a mirror" } else { "none" }.to_owned();
    compare("origin", source(wanted), source(found), Some("a mirror takes no events of its own"));
    let open = |config: &Config| if config.sealed { "sealed" } else { "open" }.to_owned();
    compare("state", open(wanted), open(found), Some("a sealed stream stays sealed"));
    differences
}

/// `found` with what differs set right; what somebody else has set stays.
pub(super) fn corrected(wanted: &Config, found: &Config) -> Config {
    Config {
        subjects: wanted.subjects.clone(),
        max_age: wanted.max_age,
        max_messages: wanted.max_messages,
        discard: wanted.discard,
        num_replicas: wanted.num_replicas,
        duplicate_window: wanted.duplicate_window,
        max_messages_per_subject: wanted.max_messages_per_subject,
        no_ack: wanted.no_ack,
        ..found.clone()
    }
}

/// What a plan shows of a stream that is to be created.
pub(super) fn summary(wanted: &Config) -> String {
    let replicas =
        if wanted.num_replicas == 1 { "1 replica".into() } else { format!("{} replicas", wanted.num_replicas) };
    format!(
        "subjects {}, max_age {}, max_messages {}, discard {}, duplicate_window {}, {replicas}, storage file",
        sorted(&wanted.subjects),
        age(wanted),
        limit(wanted.max_messages),
        discard(wanted),
        spelled(wanted.duplicate_window),
    )
}

fn sorted(subjects: &[String]) -> String {
    let mut subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    subjects.sort_unstable();
    subjects.join(" ")
}

fn age(config: &Config) -> String {
    if config.max_age.is_zero() { "none".to_owned() } else { spelled(config.max_age) }
}

/// A limit as the server has it: 0 and -1 are none.
fn limit(value: i64) -> String {
    if value <= 0 { "none".to_owned() } else { value.to_string() }
}

fn discard(config: &Config) -> &'static str {
    match config.discard {
        DiscardPolicy::New => "new",
        DiscardPolicy::Old => "old",
    }
}

fn retention(config: &Config) -> &'static str {
    match config.retention {
        RetentionPolicy::Limits => "limits",
        RetentionPolicy::Interest => "interest",
        RetentionPolicy::WorkQueue => "work queue",
    }
}
