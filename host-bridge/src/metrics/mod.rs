//! What the host counts, in Prometheus's terms. The five `microservices_*` metrics have the names, labels and buckets
//! of the marketplace's design; the others begin with `a4co_`.

mod deliveries;
mod events;
mod observer;
mod series;
#[cfg(test)]
mod tests;

pub use deliveries::CountedDispatch;
pub use events::{EventSeries, Outcome};

use crate::bus::ConsumerStatus;
use events::Events;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use series::Series;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Buckets of invocations: from a reused instance (10 µs) to a handler's timeout.
const INVOCATION_BUCKETS: [f64; 10] = [0.000_05, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];
/// Buckets of flushes: one fdatasync takes about a millisecond on an SSD.
const FLUSH_BUCKETS: [f64; 8] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0];
/// Buckets of calls between services, as designed.
const SYNC_BUCKETS: [f64; 6] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0];

type FloatGauge = Gauge<f64, AtomicU64>;

/// All metrics of one host.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: Events,
    sync_requests: Series<4, Counter>,
    sync_duration: Series<3, Histogram>,
    invocations: Series<3, Counter>,
    invocation_duration: Series<2, Histogram>,
    instances: Series<2, Counter>,
    breakers: Series<2, Gauge>,
    retries: Series<2, Counter>,
    dead_letters: Series<3, Counter>,
    queue_depth: Series<2, Gauge>,
    queue_age: Series<2, FloatGauge>,
    limit_share: Series<2, FloatGauge>,
    paused: Series<2, Gauge>,
    outages: Series<2, Gauge>,
    store_bytes: Series<1, Gauge>,
    flush_duration: Histogram,
    flushed_operations: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let r = &mut registry;
        let consumer = ["component", "stream"];
        let flush_duration = Histogram::new(FLUSH_BUCKETS);
        let flushed_operations = Counter::default();
        r.register("a4co_flush_duration_seconds", "Duration of one flush to disk", flush_duration.clone());
        r.register("a4co_flushed_operations", "State changes flushed to disk", flushed_operations.clone());
        r.register("a4co_build", "The running host", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self {
            events: Events::new(r),
            sync_requests: Series::new(
                r,
                "microservices_sync_requests",
                "Total number of synchronous requests between microservices",
                (["source_service", "target_service", "endpoint", "status"], Counter::default),
            ),
            sync_duration: Series::new(
                r,
                "microservices_sync_request_duration_seconds",
                "Duration of synchronous requests between microservices",
                (["source_service", "target_service", "endpoint"], || Histogram::new(SYNC_BUCKETS)),
            ),
            invocations: Series::new(
                r,
                "a4co_invocations",
                "Invocations of components",
                (["component", "cause", "outcome"], Counter::default),
            ),
            invocation_duration: Series::new(
                r,
                "a4co_invocation_duration_seconds",
                "Duration of invocations of components",
                (["component", "cause"], || Histogram::new(INVOCATION_BUCKETS)),
            ),
            instances: Series::new(r, "a4co_instances", "Instances used", (["component", "kind"], Counter::default)),
            breakers: Series::new(
                r,
                "a4co_breaker_state",
                "Circuit breakers: 0 closed, 1 half open, 2 open",
                (["source", "target"], Gauge::default),
            ),
            retries: Series::new(r, "a4co_retries", "Deliveries that come back", (consumer, Counter::default)),
            dead_letters: Series::new(
                r,
                "a4co_dead_letters",
                "Events that went to the dead letters",
                (["component", "stream", "kind"], Counter::default),
            ),
            queue_depth: Series::new(r, "a4co_queue_depth", "Events not settled yet", (consumer, Gauge::default)),
            queue_age: Series::new(
                r,
                "a4co_queue_age_seconds",
                "Age of the oldest event not settled yet",
                (consumer, FloatGauge::default),
            ),
            limit_share: Series::new(
                r,
                "a4co_backlog_share_of_limit",
                "Share of its stream's limit, in number or age, that a consumer's backlog takes; events are lost at 1",
                (consumer, FloatGauge::default),
            ),
            paused: Series::new(r, "a4co_consumer_paused", "1 where hand-outs are stopped", (consumer, Gauge::default)),
            outages: Series::new(r, "a4co_outage", "1 where what handlers need is away", (consumer, Gauge::default)),
            store_bytes: Series::new(r, "a4co_store_bytes", "Size on disk", (["part"], Gauge::default)),
            flush_duration,
            flushed_operations,
            registry,
        }
    }

    /// The counters of one component's handling of one kind of event: a caller on the hot path keeps them.
    #[must_use]
    pub fn event_series(&self, service: &str, event_type: &str, subject: &str) -> Arc<EventSeries> {
        self.events.series(service, event_type, subject)
    }

    /// A component (or `admin`, or `timer`) published an event.
    pub fn event_published(&self, service: &str, event_type: &str, subject: &str) {
        self.event_series(service, event_type, subject).published();
    }

    /// A component handled an event.
    pub fn event_processed(&self, key: [&str; 3], outcome: Outcome, duration: Duration) {
        let [service, event_type, subject] = key;
        self.event_series(service, event_type, subject).processed(outcome, duration);
    }

    /// A delivery will come back.
    pub fn retried(&self, component: &str, stream: &str) {
        self.retries.with([component, stream]).inc();
    }

    /// An event went to the dead letters; `kind` as in the cause.
    pub fn dead_lettered(&self, component: &str, stream: &str, kind: &str) {
        self.dead_letters.with([component, stream, kind]).inc();
    }

    /// One flush of `operations` state changes took `duration`.
    pub fn flushed(&self, duration: Duration, operations: u64) {
        self.flush_duration.observe(duration.as_secs_f64());
        self.flushed_operations.inc_by(operations);
    }

    /// Takes over how the consumers stand, just before a scrape.
    pub fn set_consumers(&self, consumers: &[ConsumerStatus]) {
        for status in consumers {
            let labels = [status.component.as_str(), status.stream.as_str()];
            self.queue_depth.with(labels).set(i64::try_from(status.pending).unwrap_or(i64::MAX));
            self.queue_age.with(labels).set(Duration::from_millis(status.oldest_pending_ms).as_secs_f64());
            self.paused.with(labels).set(i64::from(status.paused));
        }
    }

    /// A consumer's backlog takes this share of its stream's limits.
    pub fn set_limit_share(&self, component: &str, stream: &str, share: f64) {
        self.limit_share.with([component, stream]).set(share);
    }

    /// Takes over the sizes on disk, in bytes, just before a scrape.
    pub fn set_sizes(&self, sizes: &[(&str, u64)]) {
        for (part, bytes) in sizes {
            self.store_bytes.with([part]).set(i64::try_from(*bytes).unwrap_or(i64::MAX));
        }
    }

    /// Everything in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}
