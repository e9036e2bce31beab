//! The counters of events: published, processed, how long it took.

use super::series::{Cache, Labels, Series};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;

/// Buckets of event processing, as designed.
const BUCKETS: [f64; 7] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0];
const NAMES: [&str; 3] = ["service", "event_type", "subject"];

/// How one handling of an event ended, as the label `status` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `success`: handled, or refused by the business.
    Success,
    /// `retried`: it comes back.
    Retried,
    /// `failed`: it went to the dead letters.
    Failed,
}

/// The counters of one (service, event type, subject). Counting on them takes no lookup.
#[derive(Debug)]
pub struct EventSeries {
    published: LateCounter,
    processed: [Counter; 3],
    duration: Histogram,
}

/// A counter made at its first use, so that services which never publish a subject have no series of it.
#[derive(Debug)]
struct LateCounter {
    family: Family<Labels<3>, Counter, fn() -> Counter>,
    labels: Labels<3>,
    counter: std::sync::OnceLock<Counter>,
}

impl EventSeries {
    /// The service published one.
    pub fn published(&self) {
        let LateCounter { family, labels, counter } = &self.published;
        counter.get_or_init(|| family.get_or_create_owned(labels)).inc();
    }

    /// The service handled one, to this end, in this time.
    pub fn processed(&self, outcome: Outcome, duration: Duration) {
        self.ended(outcome);
        self.took(duration);
    }

    /// The service's handler ran for this long.
    pub fn took(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }

    /// One handling came to this end.
    pub fn ended(&self, outcome: Outcome) {
        let [success, retried, failed] = &self.processed;
        match outcome {
            Outcome::Success => success.inc(),
            Outcome::Retried => retried.inc(),
            Outcome::Failed => failed.inc(),
        };
    }
}

#[derive(Debug)]
pub(super) struct Events {
    published: Family<Labels<3>, Counter, fn() -> Counter>,
    processed: Series<4, Counter>,
    duration: Series<3, Histogram>,
    cache: Cache<3, Arc<EventSeries>>,
}

impl Events {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let published: Family<Labels<3>, Counter, fn() -> Counter> = Family::new_with_constructor(Counter::default);
        let help = "Total number of domain events published";
        registry.register("microservices_events_published", help, published.clone());
        Self {
            published,
            processed: Series::new(
                registry,
                "microservices_events_processed",
                "Total number of domain events processed",
                (["service", "event_type", "subject", "status"], Counter::default),
            ),
            duration: Series::new(
                registry,
                "microservices_event_processing_duration_seconds",
                "Duration of event processing",
                (NAMES, || Histogram::new(BUCKETS)),
            ),
            cache: Cache::default(),
        }
    }

    pub(super) fn series(&self, service: &str, event_type: &str, subject: &str) -> Arc<EventSeries> {
        self.cache.get([service, event_type, subject], |owned| Arc::new(self.make(&owned)))
    }

    fn make(&self, owned: &[Arc<str>; 3]) -> EventSeries {
        let [service, event_type, subject] = owned;
        let processed = |status| self.processed.with([service, event_type, subject, status]);
        EventSeries {
            published: LateCounter {
                family: self.published.clone(),
                labels: Labels::new(NAMES, owned.clone()),
                counter: std::sync::OnceLock::new(),
            },
            processed: ["success", "retried", "failed"].map(processed),
            duration: self.duration.with([service, event_type, subject]),
        }
    }
}
