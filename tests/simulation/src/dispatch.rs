//! Events through the native components: what the host's own trigger drives here in the place of Wasm.

use crate::ailments::Symptom;
use crate::emission::Author;
use crate::mutation::{self, Mutation};
use crate::ports::SimulatedPorts;
use crate::process::Process;
use crate::workers;
use crate::world::World;
use a4co_host::bus::EventBus as _;
use a4co_host::dispatch::{Delivery, Dispatch, Effect, Rejection, Verdict};
use a4co_host::event::Envelope;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kit::events::{Event, Failure, Metadata};
use kit::json::{self, Value};
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub struct NativeDispatch {
    world: Arc<World>,
    process: Arc<Process>,
}

impl NativeDispatch {
    /// For the events of one process.
    #[must_use]
    pub fn new(world: Arc<World>, process: Arc<Process>) -> Self {
        Self { world, process }
    }
}

impl Dispatch for NativeDispatch {
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let (world, process) = (self.world.clone(), self.process.clone());
        let Some(component) = workers::named(component) else {
            let reason = format!("there is no component {component}");
            return std::future::ready(Verdict::Unavailable { reason }).boxed();
        };
        let ports = SimulatedPorts { world, process, component, only_reads: false };
        if ports.world.mutated(Mutation::AckBeforeHandling) {
            let process = ports.process.clone();
            process.requests.lock().spawn(async move { let_out(&ports, &delivery).await });
            return std::future::ready(Verdict::Done(Vec::new())).boxed();
        }
        async move {
            note_hand_out(&ports, &delivery);
            let verdict = in_its_health(&ports, &delivery).await;
            mutation::verdict(&ports.world, &delivery, verdict)
        }
        .boxed()
    }
}

/// Of a host that acknowledges before it handles: whatever follows is published without anybody's promise.
async fn let_out(ports: &SimulatedPorts, delivery: &Delivery) {
    if let Verdict::Done(effects) = handle(ports, delivery).await {
        for effect in effects {
            if let Effect::Publish(event) = effect {
                ports.world.step(&ports.process).await;
                // Nobody is told where it fails.
                let _published = ports.world.bus.publish(event).await;
                ports.world.wrote();
            }
        }
    }
}

/// Handles, as well as the component's health allows.
async fn in_its_health(ports: &SimulatedPorts, delivery: &Delivery) -> Verdict {
    let ailment = ports.world.ailment.lock().as_mut().and_then(|ailment| ailment.met(ports.component, &delivery.key));
    let Some(symptom) = ailment else { return handle(ports, delivery).await };
    ports.world.count(symptom.name());
    if symptom == Symptom::TrapsAfterwards {
        // What it answers is not heard.
        let _answer = handle(ports, delivery).await;
    }
    symptom.verdict()
}

fn note_hand_out(ports: &SimulatedPorts, delivery: &Delivery) {
    let (component, source, sequence) = (ports.component, &delivery.source, delivery.sequence);
    let place = (component.to_owned(), source.to_string(), sequence);
    ports.world.unsettled.lock().insert(place, delivery.key.clone());
    if matches!(component, "order" | "saga" | "inventory" | "payment") {
        ports.world.hands_out(&ports.process, (&**source, sequence), &key_of(component, delivery));
    }
    let (subject, key, attempt) = (&delivery.event.subject, &delivery.key, delivery.attempt);
    let again = if attempt > 1 { format!(" ({attempt}. time)") } else { String::new() };
    ports.world.note(&ports.process.name, &format_args!("{component} ← {subject} {source}:{sequence} {key}{again}"));
}

/// What an event is handled in order by, as the design says it: order by order where order and saga hear of others.
fn key_of(component: &str, delivery: &Delivery) -> String {
    let subject = delivery.event.subject.as_str();
    let by_order =
        matches!(component, "order" | "saga") && !subject.starts_with("order.") && !subject.starts_with("saga.");
    let data: Value = json::from_slice(delivery.event.data().unwrap_or_default()).unwrap_or_default();
    let aggregate = || delivery.event.envelope().map_or("-", |envelope| envelope.aggregate_id.as_str()).to_owned();
    data["orderId"].as_str().filter(|_| by_order).map_or_else(aggregate, str::to_owned)
}

async fn handle(ports: &SimulatedPorts, delivery: &Delivery) -> Verdict {
    let Ok(cause) = delivery.event.envelope() else { return reject("the event has no envelope".to_owned()) };
    let data = std::str::from_utf8(delivery.event.data().unwrap_or_default()).unwrap_or_default();
    let event = match Event::read(delivery.event.subject.as_str(), data) {
        Ok(event) => event,
        Err(error) => return reject(error.to_string()),
    };
    match workers::handle(ports, metadata(delivery, cause), event).await {
        Ok(outputs) => match Author::new(ports, delivery, cause).effects(outputs) {
            Ok(effects) => Verdict::Done(effects),
            Err(reason) => Verdict::Broken { reason },
        },
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
