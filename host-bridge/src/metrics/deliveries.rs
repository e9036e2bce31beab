//! The metrics as the event trigger's observer, and the count of what handlers publish.

use super::{EventSeries, Metrics, Outcome};
use crate::dispatch::{Delivery, Dispatch, Effect, Verdict};
use crate::event::Event;
use crate::trigger::event::{About, DeliveryObserver, Happening};
use futures::future::{BoxFuture, FutureExt};
use std::sync::Arc;

impl DeliveryObserver for Metrics {
    fn observe(&self, happening: &Happening<'_>) {
        match *happening {
            // How it ended is counted once it is decided: a retry or a dead letter follows, or nothing does.
            Happening::Answered { about, verdict, took } => {
                let series = self.series_of(about.component, about.event);
                series.took(took);
                if verdict == "done" {
                    series.ended(Outcome::Success);
                }
            }
            Happening::Retry { about, .. } => {
                self.series_of(about.component, about.event).ended(Outcome::Retried);
                self.retried(about.component, stream_of(about.source));
            }
            Happening::Dead { about, cause } => self.dead(about, &cause.kind),
            Happening::OutageBegan { source, .. } => self.outage(source, 1),
            Happening::OutageEnded { source, .. } | Happening::Left { source, .. } => self.outage(source, 0),
            _ => {}
        }
    }
}

impl Metrics {
    /// `service` (a component, `admin` or `timer`) published `event`.
    pub fn published_by(&self, service: &str, event: &Event) {
        self.series_of(service, event).published();
    }

    fn series_of(&self, service: &str, event: &Event) -> Arc<EventSeries> {
        let event_type = event.envelope().map_or("-", |envelope| envelope.event_type.as_str());
        self.event_series(service, event_type, event.subject.as_str())
    }

    fn dead(&self, about: About<'_>, kind: &str) {
        self.series_of(about.component, about.event).ended(Outcome::Failed);
        self.dead_lettered(about.component, stream_of(about.source), kind);
    }

    fn outage(&self, source: &str, state: i64) {
        let component = source.split('/').next().unwrap_or_default();
        self.outages.with([component, stream_of(source)]).set(state);
    }
}

/// `ORDERS` of `saga/ORDERS#1`.
fn stream_of(source: &str) -> &str {
    let consumer = source.split('#').next().unwrap_or_default();
    consumer.split_once('/').map_or("-", |(_, stream)| stream)
}

/// A dispatch that counts the events its handlers publish.
pub struct CountedDispatch {
    inner: Arc<dyn Dispatch>,
    metrics: Arc<Metrics>,
}

impl CountedDispatch {
    /// Around `inner`.
    pub fn new(inner: Arc<dyn Dispatch>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

impl Dispatch for CountedDispatch {
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let (metrics, component) = (Arc::clone(&self.metrics), component.to_owned());
        let running = self.inner.dispatch(&component, delivery);
        let counted = async move {
            let verdict = running.await;
            let effects = if let Verdict::Done(effects) = &verdict { effects.as_slice() } else { &[] };
            for effect in effects {
                if let Effect::Publish(event) = effect {
                    metrics.published_by(&component, event);
                }
            }
            verdict
        };
        counted.boxed()
    }
}
