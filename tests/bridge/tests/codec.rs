//! One corpus through both codecs: the host's, led by the types in a built component, and the component's own over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests")]

use a4co_host::bridge::{Answered, headers, read};
use a4co_host::bus::Start;
use a4co_host::clock::Millis;
use a4co_host::dispatch::{Delivery, Effect, HandlerPlan, Verdict};
use a4co_host::event::{Event, Headers};
use a4co_host::manifest::{Component, Events, Limits, Subscription};
use a4co_host::subject::{Subject, SubjectPattern};
use a4co_host::tokens::{BRIDGE, KeySet, Signer};
use bridge::corpus::{Case, corpus};
use kit::events::{Emission, Failure, Metadata, Output};
use kit::http::{Request, Response};
use kit::memory::{Memory, block_on};
use kit::{Ports, Worker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

/// 2026-02-01T00:00:00.000Z.
const NOW: u64 = 1_769_904_000_000;

/// Emits what it hears.
struct Echo;

impl Worker for Echo {
    const COMPONENT: &'static str = "worker";

    async fn handle<P: Ports>(_ports: &P, meta: Metadata, event: kit::Event) -> Result<Vec<Output>, Failure> {
        let emission = Emission {
            aggregate_id: told(&meta),
            aggregate_version: Some(8),
            saga_id: meta.saga_id.filter(|id| !id.is_empty()),
            event,
        };
        Ok(vec![Output::Emit(emission)])
    }
}

/// All that a handler is told beside the event, as one text.
fn told(meta: &Metadata) -> String {
    let version = meta.aggregate_version.map_or("-".to_owned(), |version| version.to_string());
    let (source, key, attempt, at) = (&meta.source, &meta.key, meta.attempt, meta.delivered_at);
    format!(
        "{} {version} {source} {} {key} {attempt} {at} {}",
        meta.event_version,
        meta.sequence,
        meta.causation_id.len()
    )
}

fn component() -> Component {
    let pattern = || SubjectPattern::new("*.>").unwrap();
    let events = Events {
        subscribe: vec![Subscription { subject: pattern(), key: "aggregateId".to_owned(), start: Start::All }],
        publish: vec![pattern()],
        concurrency: 1,
        max_attempts: 1,
        handler_timeout: Duration::from_secs(1),
        subjects: BTreeMap::new(),
    };
    Component {
        id: Echo::COMPONENT.to_owned(),
        source: "worker.wasm".into(),
        build: None,
        key_value_stores: vec![],
        allowed_outbound_hosts: vec![],
        variables: BTreeMap::new(),
        environment: BTreeMap::new(),
        events: Some(events),
        limits: Limits::default(),
    }
}

fn delivery(case: &Case) -> Delivery {
    let headers = Headers { aggregate_version: Some(7), traceparent: None };
    let subject = Subject::new(&case.subject).unwrap();
    Delivery {
        event: Arc::new(Event::new(subject, case.body.clone().into(), headers)),
        source: "worker/ORDERS#1".into(),
        sequence: 42,
        key: "Úbeda \"1\" 100% \u{1}".to_owned(),
        attempt: 3,
        delivered_at: Millis(NOW),
    }
}

/// The host's way: by type, through the plan of a component's binary.
fn by_type(plan: &HandlerPlan, delivery: &Delivery) -> Verdict {
    let [meta, event] = match plan.decode(delivery) {
        Ok(parameters) => parameters,
        Err(rejection) => return Verdict::Reject(rejection),
    };
    let Val::Record(fields) = meta else { panic!("{meta:?}") };
    let field = |name: &str| fields.iter().find(|(there, _)| there == name).map(|(_, value)| value.clone()).unwrap();
    let text = |name: &str| if let Val::String(text) = field(name) { text } else { panic!("{name}") };
    let Val::String(causation) = field("causation-id") else { panic!() };
    let (Val::U32(version), Val::U64(sequence)) = (field("event-version"), field("sequence")) else { panic!() };
    let (Val::U32(attempt), Val::U64(at)) = (field("attempt"), field("delivered-at")) else { panic!() };
    let Val::Option(Some(aggregate_version)) = field("aggregate-version") else { panic!() };
    let Val::U64(aggregate_version) = *aggregate_version else { panic!() };
    let told = format!(
        "{version} {aggregate_version} {} {sequence} {} {attempt} {at} {}",
        text("source"),
        text("key"),
        causation.len()
    );
    let saga_id = match field("saga-id") {
        Val::Option(Some(id)) if *id != Val::String(String::new()) => Val::Option(Some(id)),
        _ => Val::Option(None),
    };
    let emission = Val::Record(vec![
        ("aggregate-id".to_owned(), Val::String(told)),
        ("aggregate-version".to_owned(), Val::Option(Some(Box::new(Val::U64(8))))),
        ("saga-id".to_owned(), saga_id),
        ("event".to_owned(), event),
    ]);
    let outputs = Val::List(vec![Val::Variant("emit".to_owned(), Some(Box::new(emission)))]);
    plan.outcome(&[Val::Result(Ok(Some(Box::new(outputs))))], delivery, Millis(NOW))
}

/// The bridge's way: as HTTP, through the component's own code.
fn over_http(ports: &Memory, signer: &Signer, component: &Component, delivery: &Delivery) -> Verdict {
    let mut request = Request::post("/events/worker", delivery.event.body.to_vec());
    for (name, value) in &headers(delivery) {
        request = request.with_header(name.as_str(), value.to_str().unwrap());
    }
    request = request.with_header("authorization", &signer.authorization(Echo::COMPONENT, Millis(NOW)));
    assert!(kit::bridge::is_delivery::<Echo>(&request));
    let response: Response = block_on(kit::bridge::deliver::<Echo, _>(ports, &request));
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    read(Answered { component, delivery, body: &response.body, now: Millis(NOW) })
}

/// What matters of a verdict: what is published, byte by byte; or where and why not.
fn told_of(verdict: Verdict) -> Vec<String> {
    match verdict {
        Verdict::Done(effects) => effects.iter().map(published).collect(),
        Verdict::Reject(rejection) => vec![format!("{:?}: {}", rejection.path, rejection.reason)],
        other => vec![format!("{other:?}")],
    }
}

fn published(effect: &Effect) -> String {
    let Effect::Publish(event) = effect else { panic!("{effect:?}") };
    format!("{} {:?} {}", event.subject, event.headers, std::str::from_utf8(&event.body).unwrap())
}

#[test]
fn both_codecs_give_the_same_verdict_and_the_same_bytes() {
    let wasm = artifacts::build(&["order"]).join("order.wasm");
    let component = component();
    let plan = HandlerPlan::load(&std::fs::read(wasm).unwrap(), &component).unwrap().unwrap();
    let keys = KeySet::generate().unwrap();
    let signer = Signer::new(BRIDGE, &keys).unwrap();
    let ports = Memory::at(kit::time::Millis(NOW)).with_variable("bridge_keys", &keys.public().to_json());

    let (cases, mut accepted, mut differences) = (corpus(), 0, Vec::new());
    for case in &cases {
        let delivery = delivery(case);
        let expected = told_of(by_type(&plan, &delivery));
        let found = told_of(over_http(&ports, &signer, &component, &delivery));
        accepted += usize::from(expected.iter().any(|said| said.contains("eventId")));
        if expected != found {
            differences.push(format!("{}\n  by type:   {expected:?}\n  over HTTP: {found:?}", case.name));
        }
    }
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), cases.len(), differences.join("\n"));
    assert!(cases.len() > 5_000, "only {} cases", cases.len());
    assert!(accepted > 400 && cases.len() - accepted > 5_000, "{accepted} of {} accepted", cases.len());
}
