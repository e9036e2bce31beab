//! What is found out when a component is loaded, and how it is said.

use super::{NOW, case, component, delivery, marketplace, record, returned};
use crate::dispatch::{Effect, HandlerPlan, Verdict};
use crate::manifest::Component;
use wasmtime::component::Val;
use wit_parser::{Resolve, WorldId};

/// A handler of an application that has nothing to do with the marketplace.
const COUNTER: &str = "
package tally:counter@0.3.0;
interface types {
  type json = string;
  record bump { by: s32, note: json }
  variant happening { counter-bump(bump), counter-reset }
  variant fact { counter-bumped(bump) }
  record about { key: string, unknown: option<u8>, subject: string }
  record emission { event: fact, aggregate-id: string }
  variant output { emit(emission) }
  record retry { after: option<u64>, reason: string }
  variant failure { retry(retry), reject(string) }
}
interface event-handler {
  use types.{about, happening, output, failure};
  handle: func(about: about, happening: happening) -> result<list<output>, failure>;
}
world w { export event-handler; }";

fn world(wit: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    (resolve, world)
}

fn load(wit: &str, component: &Component) -> Result<Option<HandlerPlan>, String> {
    let (resolve, world) = world(wit);
    HandlerPlan::compile(&resolve, world, component).map_err(|error| format!("{error:#}"))
}

fn counter() -> Component {
    component(&[("counter.*", "aggregateId")], &["counter.>"])
}

#[track_caller]
fn check_refused(from: &str, to: &str, expected: &str) {
    assert!(COUNTER.contains(from), "{from}");
    let error = load(&COUNTER.replace(from, to), &counter()).unwrap_err();
    assert!(error.starts_with("component `worker`: "), "{error}");
    assert!(error.contains(expected), "{error}");
}

#[test]
fn any_package_with_any_variants_is_a_handler() {
    let mut component = counter();
    if let Some(events) = &mut component.events {
        events.subjects.insert("counter-reset".into(), "counter.zero".into());
    }
    let plan = load(COUNTER, &component).unwrap().unwrap();
    assert_eq!(plan.export_name(), ("tally:counter/event-handler@0.3.0", "handle"));
    let body = |data: &str| {
        let metadata = r#"{"publishedAt":"","correlationId":"c","causationId":"a"}"#;
        format!(
            r#"{{"eventId":"e","eventType":"t","aggregateId":"a","eventVersion":1,"occurredOn":"","eventData":{data},"metadata":{metadata}}}"#
        )
    };
    let reset = delivery("counter.zero", body("{}").into_bytes());
    let [about, event] = plan.decode(&reset).unwrap();
    assert_eq!(event, Val::Variant("counter-reset".into(), None));
    let expected = record([
        ("key", Val::String("key-1".into())),
        ("unknown", Val::Option(None)),
        ("subject", Val::String("counter.zero".into())),
    ]);
    assert_eq!(about, expected);

    let bump = delivery("counter.bump", body(r#"{"by":-3,"note":[1]}"#).into_bytes());
    let [_, event] = plan.decode(&bump).unwrap();
    let Val::Variant(_, Some(payload)) = event else { panic!() };
    let emission = record([("event", case("counter-bumped", *payload)), ("aggregate-id", Val::String("a".into()))]);
    let verdict = plan.outcome(&returned(vec![case("emit", emission)]), &bump, NOW);
    let Verdict::Done(effects) = verdict else { panic!("{verdict:?}") };
    let [Effect::Publish(event)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(event.data(), Some(&br#"{"by":-3,"note":[1]}"#[..]));
    assert_eq!(event.envelope().unwrap().event_type, "BumpEvent");
}

#[test]
fn shapes_that_are_off_are_named() {
    check_refused("handle:", "act:", "it has no function `handle`");
    check_refused("about: about, ", "", "takes 1 parameters");
    check_refused("happening: happening", "happening: string", "second parameter of `handle`: it must be a variant");
    check_refused("unknown: option<u8>", "unknown: u8", "the host knows nothing to fill its field `unknown` with");
    check_refused("key: string", "key: u32", "its field `key` must be string");
    check_refused("subject: string", "saga-id: string", "its field `saga-id` must be option<string>");
    check_refused("-> result<list<output>, failure>", "-> list<output>", "it must be result<list<output>, failure>");
    check_refused("variant output { emit(emission) }", "variant output { send(emission) }", "does not know `send`");
    check_refused(", aggregate-id: string }", " }", "output: emit: it lacks the field `aggregate-id`");
    check_refused("aggregate-id: string }", "aggregate-id: u64 }", "aggregate-id: it must be string");
    check_refused("by: s32", "by: option<option<u8>>", "bump.by: an option of an option has no JSON form");
    check_refused("after: option<u64>, reason: string", "reason: string", "failure: retry: it must be a record of");
    check_refused("reject(string)", "reject(u8)", "failure: reject: it must be string");
}

#[test]
fn the_manifest_is_held_against_the_wit() {
    let refused = |component: &Component| load(COUNTER, component).unwrap_err();
    let error = refused(&component(&[("counter.bump", "aggregateId"), ("other.*", "aggregateId")], &[]));
    let expected = "component.worker.tool.events.subscribe[1].subject: `other.*` matches no event the component can handle; \
                    it can handle counter.bump, counter.reset";
    assert_eq!(error, expected);
    for (subject, key, why) in [
        ("counter.bump", "eventData.sum", "cannot order `counter.bump`: it has no field `sum`"),
        ("counter.bump", "eventData.by.x", "`x` lies in no record"),
        ("counter.*", "eventData.by", "cannot order `counter.reset`: the event has no payload"),
        ("counter.bump", "eventData.note", "a key is a string or an integer"),
        ("counter.bump", "sum", "`sum` is no key"),
    ] {
        let error = refused(&component(&[(subject, key)], &[]));
        assert!(error.starts_with("component.worker.tool.events.subscribe[0].key: "), "{error}");
        assert!(error.contains(why), "{error}");
    }
    assert!(load(COUNTER, &component(&[("counter.bump", "eventData.by")], &[])).is_ok());

    let (resolve, world) = marketplace();
    let optional = component(&[("order.created", "eventData.paymentMethodId")], &[]);
    let error = HandlerPlan::compile(&resolve, world, &optional).unwrap_err().to_string();
    assert!(error.ends_with("the field may be absent"), "{error}");
}

#[test]
fn subjects_of_the_manifest_must_fit() {
    let with = |case: &str, subject: &str| {
        let mut component = counter();
        component.events.as_mut().unwrap().subjects.insert(case.into(), subject.into());
        load(COUNTER, &component).unwrap_err()
    };
    assert!(with("nothing", "a.b").contains("tool.events.subjects.nothing: the event variant has no such case"));
    assert!(with("counter-bump", "counter.reset").contains("have the same subject `counter.reset`"));
    assert!(with("counter-bump", "a b").contains("`a b` is not a subject"));
}

#[test]
fn subscriptions_need_a_handler() {
    let without = "package t:t; world w { }";
    let error = load(without, &counter()).unwrap_err();
    assert_eq!(error, "component.worker.tool.events.subscribe: the component exports no event-handler");
    assert!(load(without, &component(&[], &[])).unwrap().is_none());
    assert!(load(COUNTER, &component(&[], &[])).unwrap().is_some());
}

#[test]
fn what_is_no_component_is_said_so() {
    let error = HandlerPlan::load(b"not wasm", &counter()).unwrap_err().to_string();
    assert_eq!(error, "component `worker`: cannot read its WIT");
}
