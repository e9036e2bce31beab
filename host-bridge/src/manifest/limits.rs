//! `[component.<id>.tool.host]`: what one invocation may use.

use super::application::Limits;
use super::reader::{Fields, Node};

const KEYS: [&str; 12] = [
    "memory",
    "table_elements",
    "handles",
    "hostcall_size",
    "host_calls",
    "emissions",
    "event_size",
    "request_body",
    "request_timeout",
    "http_concurrency",
    "reuse_events",
    "reuse_http",
];

/// The limits that `fields` sets, and the defaults for the others.
pub(super) fn read(fields: &Fields<'_>) -> Limits {
    fields.only(&KEYS);
    let default = Limits::default();
    Limits {
        memory_bytes: size(fields, "memory", default.memory_bytes),
        table_elements: number(fields, "table_elements", default.table_elements),
        handles: number(fields, "handles", default.handles),
        hostcall_bytes: size(fields, "hostcall_size", default.hostcall_bytes),
        host_calls: number(fields, "host_calls", default.host_calls),
        emissions: number(fields, "emissions", default.emissions),
        event_bytes: size(fields, "event_size", default.event_bytes),
        request_body_bytes: size(fields, "request_body", default.request_body_bytes),
        request_timeout: fields.get("request_timeout").and_then(|n| n.duration()).unwrap_or(default.request_timeout),
        http_concurrency: number(fields, "http_concurrency", default.http_concurrency),
        reuse_events: number(fields, "reuse_events", default.reuse_events),
        reuse_http: number(fields, "reuse_http", default.reuse_http),
    }
}

fn size<T: TryFrom<u64>>(fields: &Fields<'_>, key: &str, default: T) -> T {
    fields.get(key).as_ref().and_then(Node::size).unwrap_or(default)
}

fn number<T: TryFrom<u64>>(fields: &Fields<'_>, key: &str, default: T) -> T {
    fields.get(key).and_then(|node| node.integer(1)).unwrap_or(default)
}
