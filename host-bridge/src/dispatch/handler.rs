//! One component's event handler, compiled at load: deliveries become parameters, results become verdicts.
//!
//! How an engine calls it (wasmtime 48). Once, on the compiled component:
//! ```text
//! let (interface, function) = plan.export_name();
//! let interface = component.get_export_index(None, interface)?;
//! let function = component.get_export_index(Some(&interface), function)?;     // valid for every instance of it
//! ```
//! For each delivery:
//! ```text
//! let func = instance.get_func(&mut store, &function)?;                       // an index, no string lookup
//! let params = plan.decode(&delivery)?;                                       // Err: Verdict::Reject, no call
//! let mut results = [Val::Bool(false)];                                       // one result, overwritten
//! func.call_async(&mut store, &params, &mut results).await?;                  // Err: trap, drop the store
//! let verdict = plan.outcome(&results, &delivery, now);
//! ```
//! `post_return` is gone: since wasmtime 46 the call runs it itself and the function of that name does nothing. The
//! lifting of results is paid from `Store::set_hostcall_fuel`, which is what stops a 100 MB emission before it is a
//! `Val`; [`HandlerPlan::outcome`] then holds each event against its own limit. With `Config::concurrency_support` on,
//! `call_async` goes through the concurrent machinery, which costs a little more than the plain fiber.

use super::checks;
use super::contract::Contract;
use super::emission::Author;
use super::outcome::Reader;
use super::typed::{Emissions, Grants};
use super::wire;
use super::{Delivery, Rejection, Verdict};
use crate::clock::Millis;
use crate::codec::CodecError;
use crate::manifest::Component;
use anyhow::{Context, Result, bail};
use wasmtime::component::Val;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

/// What is known at load of one component's event handler.
#[derive(Debug)]
pub struct HandlerPlan {
    component: String,
    contract: Contract,
    grants: Grants,
    /// Most outputs of one handling.
    outputs: usize,
}

impl HandlerPlan {
    /// Reads the WIT of a component binary and compiles its handler; `None` where it exports none. Also checks what
    /// `spin.toml` says of its events against that WIT.
    ///
    /// # Errors
    /// Where the binary is no component, its handler's shape is off, a type has no JSON form, or the manifest and the
    /// WIT disagree: the message names the component, and the key of the manifest.
    pub fn load(wasm: &[u8], component: &Component) -> Result<Option<Self>> {
        let decoded = wit_component::decode(wasm);
        let decoded = decoded.with_context(|| format!("component `{}`: cannot read its WIT", component.id))?;
        match decoded {
            DecodedWasm::Component(resolve, world) => Self::compile(&resolve, world, component),
            DecodedWasm::WitPackage(..) => bail!("component `{}`: the file is a WIT package, not code", component.id),
        }
    }

    /// The same, of a world that is read already.
    ///
    /// # Errors
    /// As [`HandlerPlan::load`].
    pub fn compile(resolve: &Resolve, world: WorldId, component: &Component) -> Result<Option<Self>> {
        let id = &component.id;
        let events = component.events.as_ref();
        let subjects = events.map(|events| events.subjects.clone()).unwrap_or_default();
        let world = resolve.worlds.get(world).with_context(|| format!("component `{id}`: its world is missing"))?;
        let contract = Contract::find(resolve, world, &subjects).with_context(|| format!("component `{id}`"))?;
        let subscribes = events.is_some_and(|events| !events.subscribe.is_empty());
        let Some(contract) = contract else {
            if subscribes {
                bail!("component.{id}.tool.events.subscribe: the component exports no event-handler");
            }
            return Ok(None);
        };
        match events {
            Some(events) if subscribes => {
                checks::check_subscriptions(id, events, &contract.incoming)?;
                checks::warn_of_unused_grants(component, events, &contract.outgoing);
            }
            _ => tracing::debug!("component `{id}` exports an event handler, but subscribes to nothing"),
        }
        let granted = checks::granted(events, &contract.outgoing);
        let grants = Grants { granted, event_bytes: component.limits.event_bytes };
        Ok(Some(Self { component: id.clone(), contract, grants, outputs: component.limits.emissions }))
    }

    /// The exported interface and the function in it: `("a4co:marketplace/event-handler@1.0.0", "handle")`.
    #[must_use]
    pub fn export_name(&self) -> (&str, &str) {
        (&self.contract.interface, self.contract.function)
    }

    /// The parameters of `handle` for one delivery.
    ///
    /// # Errors
    /// Where the event is none of those the handler knows, too large, or not as its type says, with the JSON path.
    pub fn decode(&self, delivery: &Delivery) -> Result<[Val; 2], Rejection> {
        let event = &delivery.event;
        let Some(case) = self.contract.incoming.of_subject(event.subject.as_str()) else {
            return Err(rejection(format!("the handler knows no event of the subject `{}`", event.subject)));
        };
        if event.body.len() > self.grants.event_bytes {
            let (size, limit) = (event.body.len(), self.grants.event_bytes);
            return Err(rejection(format!("the event is {size} bytes large, at most {limit} are allowed")));
        }
        let envelope = event.envelope().map_err(|error| wire::diagnose(&event.body, case, error))?;
        let payload = match &case.payload {
            Some(plan) => {
                let data = event.data().unwrap_or_default();
                Some(Box::new(plan.decode(data, "eventData").map_err(undecodable)?))
            }
            None => None,
        };
        let metadata = self.contract.metadata.value(delivery, envelope)?;
        Ok([metadata, Val::Variant(case.name.clone(), payload)])
    }

    /// What the results of `handle` for `delivery` lead to. `now` is when the effects are published. Results that break
    /// a rule (an event not granted, too many, too large, not valid) are [`Verdict::Broken`]: a defect of the component.
    #[must_use]
    pub fn outcome(&self, results: &[Val], delivery: &Delivery, now: Millis) -> Verdict {
        let Ok(cause) = delivery.event.envelope() else {
            return Verdict::Reject(rejection("the event has no envelope".into()));
        };
        let component = &self.component;
        let author = Author { component, delivery, cause, event_bytes: self.grants.event_bytes };
        let emissions = Emissions {
            component,
            cases: &self.contract.outgoing,
            grants: &self.grants,
            shape: self.contract.outputs.emission,
        };
        let reader = Reader { author, emissions, timer: self.contract.outputs.timer, outputs: self.outputs, now };
        reader.verdict(results)
    }
}

fn rejection(reason: String) -> Rejection {
    Rejection { reason, path: None }
}

fn undecodable(error: CodecError) -> Rejection {
    Rejection { reason: error.reason, path: Some(error.path) }
}
