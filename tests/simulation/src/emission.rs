//! From what a native handler emits to complete events, by the host's rules: ids derived, correlation passed on, only
//! what the manifest grants.

use crate::mutation::Mutation;
use crate::ports::SimulatedPorts;
use a4co_host::clock::{Clock as _, Millis};
use a4co_host::dispatch::{Delivery, Effect, Timer};
use a4co_host::event::{Envelope, Event as Logged, Headers};
use a4co_host::subject::Subject;
use kit::events::{Emission, Output};
use kit::json::{self, value::RawValue};
use kit::wire::{WireEvent, WireMetadata};
use std::sync::Arc;

/// Writes the events that one delivery leads to.
pub struct Author<'a> {
    ports: &'a SimulatedPorts,
    delivery: &'a Delivery,
    cause: &'a Envelope,
    now: Millis,
}

impl<'a> Author<'a> {
    /// Of what a delivery leads to.
    #[must_use]
    pub fn new(ports: &'a SimulatedPorts, delivery: &'a Delivery, cause: &'a Envelope) -> Self {
        Self { ports, delivery, cause, now: ports.process.clock.now() }
    }

    /// The effects of outputs.
    ///
    /// # Errors
    /// Where one is not granted or cannot be written: a defect of the component.
    pub fn effects(&self, outputs: Vec<Output>) -> Result<Vec<Effect>, String> {
        outputs.into_iter().enumerate().map(|(index, output)| self.effect(index, output)).collect()
    }

    fn effect(&self, index: usize, output: Output) -> Result<Effect, String> {
        let aggregate = self.delivery.key.clone();
        Ok(match output {
            Output::Emit(emission) => Effect::Publish(Arc::new(self.event(&self.id(index, ""), emission, self.now)?)),
            Output::CancelTimer(name) => Effect::CancelTimer { aggregate, name },
            Output::Timer(timer) => {
                let (fire_at, set_at) = (Millis(timer.fire_at), self.delivery.delivered_at);
                let id = self.id(index, &timer.name);
                let event = Arc::new(self.event(&id, timer.emission, fire_at.max(set_at))?);
                let cause = self.cause.event_id.clone();
                Effect::SetTimer(Timer { aggregate, name: timer.name, cause, fire_at, set_at, event })
            }
        })
    }

    /// The same for every repetition of the same cause, another for any other.
    fn id(&self, index: usize, timer: &str) -> String {
        if self.ports.world.mutated(Mutation::RandomIds) {
            return self.ports.world.new_id();
        }
        let index = index.to_string();
        let parts = [self.ports.component, &self.delivery.key, &self.cause.event_id, &index, timer];
        kit::ids::derived("event", &parts)
    }

    fn event(&self, id: &str, emission: Emission, at: Millis) -> Result<Logged, String> {
        let subject = Subject::new(emission.event.subject()).map_err(|error| error.to_string())?;
        self.granted(subject.as_str())?;
        let data = emission.event.data().map_err(|error| error.to_string())?;
        let data = RawValue::from_string(data).map_err(|error| error.to_string())?;
        let wire = WireEvent {
            event_id: id.to_owned(),
            event_type: emission.event.event_type().to_owned(),
            aggregate_id: emission.aggregate_id,
            event_version: 1,
            occurred_on: at.rfc3339(),
            event_data: data,
            saga_id: emission.saga_id,
            metadata: WireMetadata {
                published_at: at.rfc3339(),
                version: "1.0".to_owned(),
                correlation_id: self.cause.correlation_id.clone(),
                causation_id: self.cause.event_id.clone(),
            },
        };
        let body = json::to_vec(&wire).map_err(|error| error.to_string())?;
        let headers = Headers { aggregate_version: emission.aggregate_version, traceparent: None };
        Ok(Logged::new(subject, body.into(), headers))
    }

    fn granted(&self, subject: &str) -> Result<(), String> {
        let component = self.ports.component;
        let known = self.ports.world.application.components.iter().find(|known| known.id == component);
        let granted = known.and_then(|known| known.events.as_ref()).map(|events| &events.publish);
        match granted.is_some_and(|granted| granted.iter().any(|pattern| pattern.matches(subject))) {
            true => Ok(()),
            false => Err(format!("{component} emitted {subject}, which it may not publish")),
        }
    }
}
