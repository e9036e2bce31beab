//! `tool.events`: the application's streams, and what a component subscribes to and publishes.

use super::application::{Events, Subscription};
use super::problem::nearest;
use super::reader::{Fields, Node};
use crate::bus::{Start, StreamConfig};
use crate::nats::streams::{Discard, StreamSettings, WantedStream};
use crate::subject::{Subject, SubjectPattern};
use std::collections::BTreeMap;
use std::time::Duration;

/// Events handled at once, where the manifest does not say.
const DEFAULT_CONCURRENCY: usize = 16;
/// Failures until an event is dead, where the manifest does not say.
const DEFAULT_MAX_ATTEMPTS: u32 = 8;
/// Longest handling, where the manifest does not say.
const DEFAULT_HANDLER_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads `[application.tool.events.streams]`.
pub(super) fn streams(application: &Fields<'_>) -> Vec<WantedStream> {
    let Some(events) = application.table("tool").and_then(|tool| tool.table("events")) else { return Vec::new() };
    events.only(&["streams"]);
    let mut streams: Vec<WantedStream> = Vec::new();
    for (name, node) in events.table("streams").iter().flat_map(Fields::entries) {
        if let Some(stream) = read_stream(name, &node, &streams) {
            streams.push(stream);
        }
    }
    streams
}

fn read_stream(name: &str, node: &Node<'_>, others: &[WantedStream]) -> Option<WantedStream> {
    let fields = node.table()?;
    fields.only(&["subjects", "max_age", "max_messages", "replicas", "duplicate_window", "discard"]);
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        node.fault("not a stream's name", "use letters, digits, `-` and `_`: ORDERS");
    }
    let subjects = patterns(&fields.require("subjects", "subjects = [\"order.>\"]")?);
    for (place, subject) in &subjects {
        let others = others.iter().map(|(other, _)| other);
        for other in others.filter(|other| other.subjects.iter().any(|theirs| theirs.overlaps(subject))) {
            place.value_fault(
                format!("`{subject}` overlaps the subjects of stream {}", other.name),
                "an event lies in one stream: let no two streams take the same subject",
            );
        }
    }
    let stream = StreamConfig {
        name: name.to_owned(),
        subjects: subjects.into_iter().map(|(_, subject)| subject).collect(),
        max_age: fields.get("max_age").and_then(|node| node.duration()),
        max_messages: fields.get("max_messages").and_then(|node| node.integer(1)),
    };
    let settings = StreamSettings {
        replicas: fields.get("replicas").and_then(|node| read_replicas(&node)),
        duplicate_window: fields.get("duplicate_window").and_then(|node| node.duration()),
        discard: fields.get("discard").and_then(|node| read_discard(&node)).unwrap_or_default(),
    };
    Some((stream, settings))
}

fn read_replicas(node: &Node<'_>) -> Option<usize> {
    let replicas = node.integer(1)?;
    if ![1, 3, 5].contains(&replicas) {
        node.value_fault(format!("{replicas} is no number of replicas"), "write 1, 3 or 5: a majority decides");
    }
    Some(replicas)
}

fn read_discard(node: &Node<'_>) -> Option<Discard> {
    match node.string()? {
        "new" => Some(Discard::New),
        "old" => Some(Discard::Old),
        other => {
            node.value_fault(
                format!("`{other}` is not what a full stream can do"),
                "write \"new\" (refuse) or \"old\" (drop the oldest, consumed or not)",
            );
            None
        }
    }
}

/// The subject patterns of a list, each with its place.
fn patterns<'a>(node: &Node<'a>) -> Vec<(Node<'a>, SubjectPattern)> {
    let strings = node.strings();
    if strings.is_empty() && node.is_empty() {
        node.value_fault("the list is empty", "name at least one subject, such as \"order.>\"");
    }
    strings.into_iter().filter_map(|(place, text)| Some((pattern(&place, text)?, place))).map(|(p, n)| (n, p)).collect()
}

fn pattern(place: &Node<'_>, text: &str) -> Option<SubjectPattern> {
    let parsed = SubjectPattern::new(text);
    if let Err(error) = &parsed {
        place.value_fault(error.to_string(), "write tokens between dots, `*` for one, a last `>` for the rest");
    }
    parsed.ok()
}

/// Reads `[component.<id>.tool.events]`.
pub(super) fn component(fields: &Fields<'_>, streams: &[StreamConfig]) -> Events {
    fields.only(&["subscribe", "publish", "concurrency", "max_attempts", "handler_timeout", "subjects"]);
    let number = |key| fields.get(key);
    Events {
        subscribe: fields.get("subscribe").map(|node| subscriptions(&node, streams)).unwrap_or_default(),
        publish: fields.get("publish").map(|node| grants(&node, streams)).unwrap_or_default(),
        concurrency: number("concurrency").and_then(|node| node.integer(1)).unwrap_or(DEFAULT_CONCURRENCY),
        max_attempts: number("max_attempts").and_then(|node| node.integer(1)).unwrap_or(DEFAULT_MAX_ATTEMPTS),
        handler_timeout: number("handler_timeout").and_then(|node| node.duration()).unwrap_or(DEFAULT_HANDLER_TIMEOUT),
        subjects: fields.table("subjects").map(|table| subjects(&table)).unwrap_or_default(),
    }
}

fn subscriptions(node: &Node<'_>, streams: &[StreamConfig]) -> Vec<Subscription> {
    let mut read: Vec<Subscription> = Vec::new();
    for entry in node.list() {
        let Some((place, subscription)) = entry.table().and_then(|fields| read_subscription(&fields)) else { continue };
        check_taken(&place, &subscription.subject, streams);
        if let Some(other) = read.iter().find(|other| other.subject.overlaps(&subscription.subject)) {
            place.value_fault(
                format!("an event can match both `{}` and `{}`", other.subject, subscription.subject),
                "an event is handled once by a component: let no two of its subscriptions overlap",
            );
        }
        read.push(subscription);
    }
    read
}

fn read_subscription<'a>(fields: &Fields<'a>) -> Option<(Node<'a>, Subscription)> {
    fields.only(&["subject", "key", "start"]);
    let place = fields.require("subject", "subject = \"order.created\"")?;
    let subject = pattern(&place, place.string()?)?;
    let key = fields.get("key").and_then(|node| read_key(&node)).unwrap_or_else(|| "aggregateId".to_owned());
    let start = fields.get("start").and_then(|node| read_start(&node)).unwrap_or_default();
    Some((place, Subscription { subject, key, start }))
}

fn read_key(node: &Node<'_>) -> Option<String> {
    let key = node.string()?;
    let step =
        |step: &str| !step.is_empty() && step.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !key.split('.').all(step) {
        node.value_fault(
            format!("`{key}` is not a key"),
            "write \"aggregateId\", or a path such as \"eventData.orderId\"",
        );
    }
    Some(key.to_owned())
}

fn read_start(node: &Node<'_>) -> Option<Start> {
    match node.string()? {
        "new" => Some(Start::New),
        "all" => Some(Start::All),
        other => {
            node.value_fault(
                format!("`{other}` is not a start"),
                "write \"new\" (from now on) or \"all\" (the oldest kept)",
            );
            None
        }
    }
}

fn grants(node: &Node<'_>, streams: &[StreamConfig]) -> Vec<SubjectPattern> {
    let strings = node.strings();
    let parsed = strings.into_iter().filter_map(|(place, text)| Some((pattern(&place, text)?, place)));
    parsed.inspect(|(granted, place)| check_taken(place, granted, streams)).map(|(granted, _)| granted).collect()
}

/// Notes a pattern that no stream takes anything of.
fn check_taken(place: &Node<'_>, pattern: &SubjectPattern, streams: &[StreamConfig]) {
    let taken = |stream: &StreamConfig| stream.subjects.iter().any(|subject| subject.overlaps(pattern));
    if streams.iter().any(taken) {
        return;
    }
    let subjects = streams.iter().flat_map(|stream| &stream.subjects).map(SubjectPattern::as_str);
    let remedy = match nearest(pattern.as_str(), subjects) {
        Some(near) => format!("did you mean `{near}`? Else add it to a stream under [application.tool.events.streams]"),
        None => "add it to a stream under [application.tool.events.streams]".to_owned(),
    };
    place.value_fault(format!("no stream takes `{pattern}`"), remedy);
}

fn subjects(table: &Fields<'_>) -> BTreeMap<String, String> {
    let mut mapped = BTreeMap::new();
    for (case, node) in table.entries() {
        let Some(text) = node.string() else { continue };
        if let Err(error) = Subject::new(text) {
            node.value_fault(error.to_string(), "write the subject this case of the event variant stands for");
        }
        mapped.insert(case.to_owned(), text.to_owned());
    }
    mapped
}
