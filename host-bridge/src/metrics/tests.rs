//! The names, labels and bounds of what is scraped.

use super::{Metrics, Outcome};
use crate::bus::{ConsumerStatus, DeadLetterCause};
use crate::event::{Event, Headers};
use crate::observe::{BreakerState, Cause, Observer, SyncCall};
use crate::subject::Subject;
use crate::trigger::event::{About, DeliveryObserver, Happening};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

#[track_caller]
fn check_line(metrics: &Metrics, line: &str) {
    let text = metrics.encode();
    assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
}

#[test]
fn the_designed_metrics_have_their_names_labels_and_buckets() {
    let metrics = Metrics::new();
    let endpoint = "/api/v1/inventory/availability/{productId}";
    metrics.sync_call(SyncCall { source: "order", target: "inventory", endpoint, status: 200, duration: 3 * MS });
    metrics.event_published("order", "OrderCreatedEvent", "order.created");
    metrics.event_processed(["saga", "OrderCreatedEvent", "order.created"], Outcome::Success, MS);
    metrics.event_processed(["saga", "OrderCreatedEvent", "order.created"], Outcome::Failed, MS);
    let call = format!(r#"source_service="order",target_service="inventory",endpoint="{endpoint}""#);
    let event = r#"event_type="OrderCreatedEvent",subject="order.created""#;
    for line in [
        format!(r#"microservices_sync_requests_total{{{call},status="200"}} 1"#),
        format!(r#"microservices_sync_request_duration_seconds_bucket{{le="0.1",{call}}} 1"#),
        format!(r#"microservices_sync_request_duration_seconds_bucket{{le="10.0",{call}}} 1"#),
        format!(r#"microservices_events_published_total{{service="order",{event}}} 1"#),
        format!(r#"microservices_events_processed_total{{service="saga",{event},status="success"}} 1"#),
        format!(r#"microservices_events_processed_total{{service="saga",{event},status="failed"}} 1"#),
        format!(r#"microservices_event_processing_duration_seconds_bucket{{le="0.01",service="saga",{event}}} 2"#),
        format!(r#"microservices_event_processing_duration_seconds_bucket{{le="5.0",service="saga",{event}}} 2"#),
    ] {
        check_line(&metrics, &line);
    }
}

#[test]
fn a_service_that_only_handles_a_subject_publishes_none_of_it() {
    let metrics = Metrics::new();
    metrics.event_processed(["saga", "OrderCreatedEvent", "order.created"], Outcome::Success, MS);
    assert!(!metrics.encode().contains("microservices_events_published_total{"));
}

#[test]
fn the_host_counts_itself() {
    let metrics = Metrics::new();
    metrics.invocation("order", Cause::Event, "ok", MS);
    metrics.instance("order", true);
    metrics.breaker("order", "inventory", BreakerState::Open);
    metrics.retried("saga", "ORDERS");
    metrics.dead_lettered("saga", "ORDERS", "exhausted");
    metrics.flushed(MS, 32);
    metrics.set_sizes(&[("database", 4096)]);
    metrics.set_consumers(&[ConsumerStatus {
        component: "saga".into(),
        stream: "ORDERS".into(),
        settled_to: 7,
        pending: 3,
        oldest_pending_ms: 1500,
        paused: true,
    }]);
    for line in [
        r#"a4co_invocations_total{component="order",cause="event",outcome="ok"} 1"#,
        r#"a4co_instances_total{component="order",kind="fresh"} 1"#,
        r#"a4co_breaker_state{source="order",target="inventory"} 2"#,
        r#"a4co_retries_total{component="saga",stream="ORDERS"} 1"#,
        r#"a4co_dead_letters_total{component="saga",stream="ORDERS",kind="exhausted"} 1"#,
        r#"a4co_queue_depth{component="saga",stream="ORDERS"} 3"#,
        r#"a4co_queue_age_seconds{component="saga",stream="ORDERS"} 1.5"#,
        r#"a4co_consumer_paused{component="saga",stream="ORDERS"} 1"#,
        r#"a4co_store_bytes{part="database"} 4096"#,
        "a4co_flushed_operations_total 32",
    ] {
        check_line(&metrics, line);
    }
    assert!(metrics.encode().contains("a4co_build_info{version="));
}

#[test]
fn made_up_subjects_do_not_grow_the_scrape_without_end() {
    let metrics = Metrics::new();
    for n in 0..5_000 {
        metrics.event_published("order", "OrderCreatedEvent", &format!("order.{n}"));
    }
    let text = metrics.encode();
    let series = text.lines().filter(|line| line.starts_with("microservices_events_published_total{")).count();
    assert!(series <= 2_001, "{series}");
    check_line(
        &metrics,
        r#"microservices_events_published_total{service="other",event_type="other",subject="other"} 3000"#,
    );
}

#[test]
fn each_delivery_is_counted_once_by_how_it_ended() {
    let metrics = Metrics::new();
    let event = Event::new(Subject::new("order.created").unwrap(), "{}".into(), Headers::default());
    let about = About { component: "saga", source: "saga/ORDERS#1", sequence: 1, attempt: 1, event: &event };
    let cause = DeadLetterCause {
        kind: "exhausted".into(),
        reason: String::new(),
        path: None,
        deliveries: 2,
        component_digest: None,
    };
    let retry = Happening::Retry { about, wait: MS, failed: true, reason: "busy" };
    for happening in [
        Happening::Answered { about, verdict: "retry", took: MS },
        retry,
        Happening::Answered { about, verdict: "retry", took: MS },
        Happening::Dead { about, cause: &cause },
        Happening::Answered { about, verdict: "done", took: MS },
        Happening::OutageBegan { source: "saga/ORDERS#1", reason: "away" },
    ] {
        metrics.observe(&happening);
    }
    let labels = r#"service="saga",event_type="-",subject="order.created""#;
    for line in [
        format!(r#"microservices_events_processed_total{{{labels},status="success"}} 1"#),
        format!(r#"microservices_events_processed_total{{{labels},status="retried"}} 1"#),
        format!(r#"microservices_events_processed_total{{{labels},status="failed"}} 1"#),
        format!("microservices_event_processing_duration_seconds_count{{{labels}}} 3"),
        r#"a4co_retries_total{component="saga",stream="ORDERS"} 1"#.to_owned(),
        r#"a4co_dead_letters_total{component="saga",stream="ORDERS",kind="exhausted"} 1"#.to_owned(),
        r#"a4co_outage{component="saga",stream="ORDERS"} 1"#.to_owned(),
    ] {
        check_line(&metrics, &line);
    }
}
