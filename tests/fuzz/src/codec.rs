//! The codec, by the marketplace's own types and one with every other kind.
//!
//! The input is a subject and a payload. What is accepted is written as the same JSON, and read again as the same value;
//! and a component's own codec, which is other code made from the same WIT, says the same: the same verdict, path, words
//! and bytes.

use crate::{first_line, same};
use a4co_host::codec::{CodecError, Compiler, Plan, Sink, subject_of_case};
use kit::events::Event;
use kit::wire::conform;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use wasmtime::component::Val;
use wit_parser::{Resolve, Type, TypeDefKind};

/// The head of every path.
const ROOT: &str = "eventData";
/// The name of the type with every kind.
const KINDS: &str = "kinds";
/// More than any input becomes.
const LIMIT: usize = 1 << 24;

/// Plans by subject.
static PLANS: LazyLock<Vec<(String, Arc<Plan>)>> = LazyLock::new(plans);

/// See the module.
///
/// # Panics
/// Where the property does not hold.
pub fn check(input: &[u8]) {
    let Some((name, json)) = first_line(input) else { return };
    let Some((subject, plan)) = chosen(name) else { return };
    let read = plan.decode(json, ROOT);
    if subject != KINDS {
        as_a_component_says(subject, json, &read.as_ref().map(|value| text(plan, value)));
    }
    let Ok(value) = read else { return };
    let written = text(plan, &value);
    match plan.decode(written.as_bytes(), ROOT) {
        Ok(again) => assert!(again == value && text(plan, &again) == written, "another value comes back: {written}"),
        Err(error) => panic!("{written} was written and is not read: {error}"),
    }
    assert!(serde_json::from_str::<IgnoredAny>(&written).is_ok(), "{written} is no JSON");
    // By its grammar JSON may hold more than a plain reader takes: a number past all doubles, half a surrogate pair.
    if let [Ok(was), Ok(is)] = [json, written.as_bytes()].map(serde_json::from_slice::<Value>) {
        same::check(plan, &was, &is);
    }
}

/// The plan of a subject; of what is none, one that it stands for.
fn chosen(name: &str) -> Option<&'static (String, Arc<Plan>)> {
    PLANS.iter().find(|(subject, _)| subject == name).or_else(|| {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let place = hasher.finish() % (PLANS.len() as u64);
        PLANS.get(usize::try_from(place).ok()?)
    })
}

fn text(plan: &Plan, value: &Val) -> String {
    let mut sink = Sink::new(256, LIMIT);
    match plan.encode(value, &mut sink, ROOT) {
        Ok(()) => String::from_utf8_lossy(&sink.into_bytes()).into_owned(),
        Err(error) => panic!("what was read cannot be written: {error}"),
    }
}

/// The component's codec: made from the same WIT when it was built, where the host reads the types in a binary.
fn as_a_component_says(subject: &str, json: &[u8], host: &Result<String, &CodecError>) {
    let shape = Event::shape(subject).unwrap_or_else(|| panic!("a component knows no {subject}"));
    match (conform(shape, json, ROOT), host) {
        (Ok(nodes), Ok(written)) => {
            let event = Event::of_nodes(subject, nodes).unwrap_or_else(|error| panic!("{subject}: {error}"));
            let data = event.data().unwrap_or_else(|error| panic!("{subject}: {error}"));
            assert!(data == *written, "the host writes {written}, a component {data}");
        }
        (Err(fault), Err(error)) => {
            let (path, reason) = (fault.path.as_deref(), &fault.reason);
            assert_eq!((path, reason), (Some(error.path.as_str()), &error.reason), "{subject}");
        }
        (Ok(_), Err(error)) => panic!("{subject}: a component takes what the host refuses: {error}"),
        (Err(fault), Ok(_)) => panic!("{subject}: a component refuses what the host takes: {fault:?}"),
    }
}

fn plans() -> Vec<(String, Arc<Plan>)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    for folder in [here.join("../../wit"), here.join("wit")] {
        resolve.push_dir(&folder).unwrap_or_else(|error| panic!("{}: {error:#}", folder.display()));
    }
    let mut compiler = Compiler::new(&resolve);
    let mut plan = |ty: &Type| compiler.plan(ty).unwrap_or_else(|error| panic!("{error}"));
    let mut plans = Vec::new();
    for (id, def) in resolve.types.iter() {
        match (&def.kind, def.name.as_deref()) {
            (TypeDefKind::Variant(events), Some("event")) => {
                let payloads = events.cases.iter().filter_map(|case| Some((case.ty.as_ref()?, &case.name)));
                plans.extend(payloads.map(|(ty, name)| (subject_of_case(name), plan(ty))));
            }
            (TypeDefKind::Record(_), Some(KINDS)) => plans.push((KINDS.to_owned(), plan(&Type::Id(id)))),
            _ => {}
        }
    }
    assert!(plans.len() > 20, "the marketplace has more events than {}", plans.len());
    plans
}
