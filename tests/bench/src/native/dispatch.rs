//! Events through native components: typed in, typed out, and the log's JSON written once.

use super::world::World;
use a4co_host::clock::Millis;
use a4co_host::dispatch::{Delivery, Dispatch, Effect, Rejection, Timer, Verdict};
use a4co_host::event::{Envelope, Event as Logged, Headers};
use a4co_host::subject::Subject;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kit::events::{Emission, Failure, Metadata, Output};
use kit::json;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Runs events through the components of a world.
pub struct NativeDispatch {
    world: Arc<World>,
}

impl NativeDispatch {
    /// Of this world.
    pub fn new(world: Arc<World>) -> Self {
        Self { world }
    }
}

impl Dispatch for NativeDispatch {
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let (world, component) = (self.world.clone(), component.to_owned());
        async move { handle(&world, &component, &delivery) }.boxed()
    }
}

fn handle(world: &World, component: &str, delivery: &Delivery) -> Verdict {
    let Ok(cause) = delivery.event.envelope() else { return reject("the event has no envelope".to_owned()) };
    let event = match world.typed.of(&delivery.event) {
        Ok(event) => event,
        Err(why) => return reject(why),
    };
    match world.handle(component, metadata(delivery, cause), (*event).clone()) {
        Ok(outputs) => {
            let author = Author { world, component, delivery, cause, now: world.clock.now() };
            let effects = outputs.into_iter().enumerate().map(|(index, output)| author.effect(index, output));
            match effects.collect() {
                Ok(effects) => Verdict::Done(effects),
                Err(reason) => Verdict::Broken { reason },
            }
        }
        Err(Failure::Retry(retry)) => {
            Verdict::Retry { after: retry.after.map(Duration::from_millis), reason: retry.reason }
        }
        Err(Failure::Reject(why)) => reject(why),
    }
}

fn reject(reason: String) -> Verdict {
    Verdict::Reject(Rejection { reason, path: None })
}

fn metadata(delivery: &Delivery, envelope: &Envelope) -> Metadata {
    Metadata {
        event_id: envelope.event_id.clone(),
        event_version: envelope.event_version,
        aggregate_id: envelope.aggregate_id.clone(),
        aggregate_version: delivery.event.headers.aggregate_version,
        occurred_at: envelope.occurred_on.clone(),
        correlation_id: envelope.correlation_id.clone(),
        causation_id: envelope.causation_id.clone(),
        saga_id: envelope.saga_id.clone(),
        source: delivery.source.to_string(),
        sequence: delivery.sequence,
        key: delivery.key.clone(),
        attempt: delivery.attempt,
        delivered_at: delivery.delivered_at.0,
    }
}

/// Writes the events that one delivery leads to.
struct Author<'a> {
    world: &'a World,
    component: &'a str,
    delivery: &'a Delivery,
    cause: &'a Envelope,
    now: Millis,
}

impl Author<'_> {
    fn effect(&self, index: usize, output: Output) -> Result<Effect, String> {
        let aggregate = self.delivery.key.clone();
        Ok(match output {
            Output::Emit(emission) => Effect::Publish(Arc::new(self.event(index, "", emission, self.now)?)),
            Output::CancelTimer(name) => Effect::CancelTimer { aggregate, name },
            Output::Timer(timer) => {
                let (fire_at, set_at) = (Millis(timer.fire_at), self.delivery.delivered_at);
                let event = Arc::new(self.event(index, &timer.name, timer.emission, fire_at.max(set_at))?);
                let cause = self.cause.event_id.clone();
                Effect::SetTimer(Timer { aggregate, name: timer.name, cause, fire_at, set_at, event })
            }
        })
    }

    fn event(&self, index: usize, timer: &str, emission: Emission, at: Millis) -> Result<Logged, String> {
        let cause = self.cause;
        let index = index.to_string();
        let id = kit::ids::derived("event", &[self.component, &self.delivery.key, &cause.event_id, &index, timer]);
        let subject = Subject::new(emission.event.subject()).map_err(|error| error.to_string())?;
        let envelope = Envelope {
            event_id: id,
            event_type: emission.event.event_type().to_owned(),
            aggregate_id: emission.aggregate_id,
            event_version: 1,
            occurred_on: at.rfc3339(),
            saga_id: emission.saga_id,
            published_at: at.rfc3339(),
            correlation_id: cause.correlation_id.clone(),
            causation_id: cause.event_id.clone(),
            data: 0..0,
        };
        let data = emission.event.data().map_err(|error| error.to_string())?;
        let (body, envelope) = body(envelope, &data).map_err(|error| error.to_string())?;
        // A timer may lie for long: it is read from the log's JSON when it fires.
        if timer.is_empty() {
            self.world.typed.keep(&envelope.event_id, Arc::new(emission.event));
        }
        let headers = Headers { aggregate_version: emission.aggregate_version, traceparent: None };
        Ok(Logged::written(subject, body.into(), headers, envelope))
    }
}

fn body(mut envelope: Envelope, data: &str) -> json::Result<(String, Envelope)> {
    let quoted = |text: &str| json::to_string(text);
    let saga = envelope.saga_id.as_deref().map(quoted).transpose()?;
    let (id, kind, time) = (&envelope.event_id, &envelope.event_type, &envelope.occurred_on);
    let mut body = String::with_capacity(512 + data.len());
    // Writing to a string cannot fail.
    let _infallible = write!(
        body,
        r#"{{"eventId":"{id}","eventType":"{kind}","aggregateId":{},"eventVersion":1,"occurredOn":"{time}""#,
        quoted(&envelope.aggregate_id)?
    );
    if let Some(saga) = saga {
        let _infallible = write!(body, r#","sagaId":{saga}"#);
    }
    body.push_str(r#","eventData":"#);
    let start = body.len();
    body.push_str(data);
    let end = body.len();
    let _infallible = write!(
        body,
        r#","metadata":{{"publishedAt":"{time}","version":"1.0","correlationId":{},"causationId":{}}}}}"#,
        quoted(&envelope.correlation_id)?,
        quoted(&envelope.causation_id)?
    );
    envelope.data = start..end;
    Ok((body, envelope))
}
