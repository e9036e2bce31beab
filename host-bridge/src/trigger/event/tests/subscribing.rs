//! From the manifest's subscriptions to consumers and keys.

use super::stage::{event, pattern};
use crate::bus::{Start, StreamConfig};
use crate::manifest::{Component, Events, Limits, Subscription};
use crate::trigger::event::Subscriber;
use std::collections::BTreeMap;
use std::time::Duration;

fn component(subscribe: &[(&str, &str)]) -> Component {
    let subscription = |(subject, key): &(&str, &str)| Subscription {
        subject: pattern(subject),
        key: (*key).to_owned(),
        start: Start::New,
    };
    Component {
        id: "inventory".into(),
        source: "inventory.wasm".into(),
        build: None,
        key_value_stores: Vec::new(),
        allowed_outbound_hosts: Vec::new(),
        variables: BTreeMap::new(),
        environment: BTreeMap::new(),
        limits: Limits::default(),
        events: Some(Events {
            subscribe: subscribe.iter().map(subscription).collect(),
            publish: Vec::new(),
            concurrency: 16,
            max_attempts: 8,
            handler_timeout: Duration::from_secs(5),
            subjects: BTreeMap::new(),
        }),
    }
}

fn streams() -> Vec<StreamConfig> {
    let stream = |(name, subject): (&str, &str)| StreamConfig {
        name: name.into(),
        subjects: vec![pattern(subject)],
        max_age: None,
        max_messages: None,
    };
    [("ORDERS", "order.>"), ("INVENTORY", "inventory.>"), ("USERS", "user.>")].map(stream).into()
}

#[test]
fn one_consumer_a_stream_and_the_first_matching_key() {
    let component = component(&[
        ("order.created", "eventData.orderId"),
        ("order.*", "aggregateId"),
        ("inventory.stock.check", "sagaId"),
    ]);
    let subscriber = Subscriber::new(&component, None, &streams()).unwrap().unwrap();
    let names: Vec<_> = subscriber.consumers.iter().map(|(config, _)| config.name()).collect();
    assert_eq!(names, ["inventory/ORDERS", "inventory/INVENTORY"]);
    let keys = &subscriber.consumers[0].1;
    assert_eq!(keys.of(&event("order.cancelled", "e1", "a1")).as_deref(), Some("a1"));
    assert_eq!(keys.of(&event("order.created", "e1", "a1")), None, "it has no eventData.orderId");
}

#[test]
fn a_subject_of_no_stream_and_a_key_that_is_none_are_refused() {
    let refused =
        |subscribe: &[(&str, &str)]| Subscriber::new(&component(subscribe), None, &streams()).unwrap_err().to_string();
    let error = refused(&[("payment.failed", "aggregateId")]);
    assert!(error.starts_with("component inventory subscribes to payment.failed, which no stream takes"), "{error}");
    let error = refused(&[("order.created", "orderId")]);
    assert!(error.starts_with("component inventory, subscription order.created: `orderId` is no key"), "{error}");
}

#[test]
fn a_component_without_subscriptions_is_no_subscriber() {
    assert!(Subscriber::new(&component(&[]), None, &streams()).unwrap().is_none());
}
