//! Tests of the dispatch: with the marketplace's own WIT, and with small ones written here.

mod emissions;
mod load;
mod mutations;
mod wire;

use super::{Delivery, HandlerPlan};
use crate::bus::Start;
use crate::clock::Millis;
use crate::event::{Event, Headers};
use crate::manifest::{Component, Events, Limits, Subscription};
use crate::subject::{Subject, SubjectPattern};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;
use wit_parser::{Resolve, WorldId};

/// 2026-02-01T00:00:00.000Z.
const NOW: Millis = Millis(1_769_904_000_000);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn marketplace() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace().join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some("worker")).unwrap();
    (resolve, world)
}

fn component(subscribe: &[(&str, &str)], publish: &[&str]) -> Component {
    let subscribe = subscribe.iter().map(|(subject, key)| Subscription {
        subject: SubjectPattern::new(subject).unwrap(),
        key: (*key).to_owned(),
        start: Start::New,
    });
    let events = Events {
        subscribe: subscribe.collect(),
        publish: publish.iter().map(|pattern| SubjectPattern::new(pattern).unwrap()).collect(),
        concurrency: 1,
        max_attempts: 1,
        handler_timeout: Duration::from_secs(1),
        subjects: BTreeMap::new(),
    };
    Component {
        id: "worker".into(),
        source: PathBuf::new(),
        build: None,
        key_value_stores: vec![],
        allowed_outbound_hosts: vec![],
        variables: BTreeMap::new(),
        environment: BTreeMap::new(),
        events: Some(events),
        limits: Limits::default(),
    }
}

/// A worker that hears and says everything.
fn worker() -> HandlerPlan {
    worker_limited(Limits::default())
}

fn worker_limited(limits: Limits) -> HandlerPlan {
    let (resolve, world) = marketplace();
    let mut component = component(&[("*.>", "aggregateId")], &["*.>"]);
    component.limits = limits;
    HandlerPlan::compile(&resolve, world, &component).unwrap().unwrap()
}

fn wire_file(subject: &str) -> Vec<u8> {
    std::fs::read(workspace().join(format!("tests/wire/{subject}.json"))).unwrap()
}

fn delivery(subject: &str, body: Vec<u8>) -> Delivery {
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let headers = Headers { aggregate_version: Some(7), traceparent };
    Delivery {
        event: Arc::new(Event::new(Subject::new(subject).unwrap(), body.into(), headers)),
        source: "worker/ORDERS#1".into(),
        sequence: 42,
        key: "key-1".into(),
        attempt: 2,
        delivered_at: NOW,
    }
}

fn record<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

fn option(value: Option<Val>) -> Val {
    Val::Option(value.map(Box::new))
}

fn case(name: &str, value: Val) -> Val {
    Val::Variant(name.to_owned(), Some(Box::new(value)))
}

fn emission(aggregate_id: &str, event: Val) -> Val {
    record([
        ("aggregate-id", text(aggregate_id)),
        ("aggregate-version", option(Some(Val::U64(8)))),
        ("saga-id", option(None)),
        ("event", event),
    ])
}

fn returned(outputs: Vec<Val>) -> [Val; 1] {
    [Val::Result(Ok(Some(Box::new(Val::List(outputs)))))]
}
