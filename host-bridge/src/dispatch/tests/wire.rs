//! Every file of the wire contract goes into the WIT types and comes out as the same JSON.

use super::{NOW, delivery, emission, option, record, returned, text, wire_file, worker, workspace};
use crate::dispatch::{Effect, Verdict};
use crate::event::Envelope;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use wasmtime::component::Val;

fn subjects(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_copy_is_the_contract() {
    let contract = workspace().join("../shared/wire");
    if contract.exists() {
        let copy = workspace().join("tests/wire");
        assert_eq!(subjects(&contract), subjects(&copy));
        for subject in subjects(&contract) {
            let file = format!("{subject}.json");
            assert_eq!(
                std::fs::read(contract.join(&file)).unwrap(),
                std::fs::read(copy.join(&file)).unwrap(),
                "{file}"
            );
        }
    }
}

#[test]
fn every_event_survives_the_way_through_a_component() {
    let worker = worker();
    let subjects = subjects(&workspace().join("tests/wire"));
    assert!(subjects.len() >= 25, "{subjects:?}");
    for subject in subjects {
        let original: Value = serde_json::from_slice(&wire_file(&subject)).unwrap();
        let delivery = delivery(&subject, wire_file(&subject));
        let [_, event] = worker.decode(&delivery).unwrap_or_else(|error| panic!("{subject}: {error:?}"));
        let output = emission_of(&original, event);
        let verdict =
            worker.outcome(&returned(vec![Val::Variant("emit".into(), Some(Box::new(output)))]), &delivery, NOW);
        let Verdict::Done(effects) = verdict else { panic!("{subject}: {verdict:?}") };
        let [Effect::Publish(event)] = effects.as_slice() else { panic!("{effects:?}") };

        let written: Value = serde_json::from_slice(&event.body).unwrap();
        let envelope = Envelope::parse(&event.body).unwrap();
        assert_eq!(event.envelope().unwrap(), &envelope, "the envelope says what the body says");
        assert_eq!(event.subject.as_str(), subject);
        assert_eq!(written, expected(original, &envelope.event_id));
    }
}

fn emission_of(original: &Value, event: Val) -> Val {
    let mut emitted = emission(original["aggregateId"].as_str().unwrap(), event);
    if let Val::Record(fields) = &mut emitted {
        fields[2].1 = option(original["sagaId"].as_str().map(text));
    }
    emitted
}

/// The original, but for what the host derives.
fn expected(mut original: Value, id: &str) -> Value {
    original["metadata"]["causationId"] = original["eventId"].take();
    original["eventId"] = json!(id);
    original["occurredOn"] = json!("2026-02-01T00:00:00.000Z");
    original["metadata"]["publishedAt"] = json!("2026-02-01T00:00:00.000Z");
    original
}

#[test]
fn the_metadata_is_what_the_host_knows() {
    let delivery = delivery("order.created", wire_file("order.created"));
    let [metadata, _] = worker().decode(&delivery).unwrap();
    let expected = record([
        ("event-id", text("0197c3a1-7f00-7000-8000-000000000001")),
        ("event-version", Val::U32(1)),
        ("aggregate-id", text("0197c3a1-7e00-7000-8000-0000000000a1")),
        ("aggregate-version", option(Some(Val::U64(7)))),
        ("occurred-at", text("2026-01-15T10:30:00.000Z")),
        ("correlation-id", text("0197c3a1-7e00-7000-8000-0000000000aa")),
        ("causation-id", text("0197c3a1-7f00-7000-8000-000000000002")),
        ("saga-id", option(None)),
        ("source", text("worker/ORDERS#1")),
        ("sequence", Val::U64(42)),
        ("key", text("key-1")),
        ("attempt", Val::U32(2)),
        ("delivered-at", Val::U64(NOW.0)),
    ]);
    assert_eq!(metadata, expected);
}
