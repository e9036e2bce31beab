//! The metrics as the engine's observer.

use super::Metrics;
use crate::event::Event;
use crate::observe::{BreakerState, Cause, Observer, SyncCall};
use http::StatusCode;
use std::time::Duration;

impl Observer for Metrics {
    fn invocation(&self, component: &str, cause: Cause, outcome: &'static str, duration: Duration) {
        self.invocations.with([component, cause.as_str(), outcome]).inc();
        self.invocation_duration.with([component, cause.as_str()]).observe(duration.as_secs_f64());
    }

    fn instance(&self, component: &str, fresh: bool) {
        self.instances.with([component, if fresh { "fresh" } else { "reused" }]).inc();
    }

    fn sync_call(&self, call: SyncCall<'_>) {
        let status = StatusCode::from_u16(call.status).ok();
        let status = status.as_ref().map_or("none", StatusCode::as_str);
        self.sync_requests.with([call.source, call.target, call.endpoint, status]).inc();
        self.sync_duration.with([call.source, call.target, call.endpoint]).observe(call.duration.as_secs_f64());
    }

    fn published(&self, component: &str, event: &Event) {
        self.published_by(component, event);
    }

    fn breaker(&self, source: &str, target: &str, state: BreakerState) {
        let value = match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        self.breakers.with([source, target]).set(value);
    }
}
