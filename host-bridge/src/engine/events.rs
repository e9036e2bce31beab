//! An event through a component: instance, decode, call, verdict.

use super::component::Loaded;
use super::http::GRACE;
use super::instance::{self, Instance};
use super::load::App;
use super::{Failure, Invocation, Origin};
use crate::dispatch::handler::HandlerPlan;
use crate::dispatch::{Delivery, Dispatch, Rejection, Verdict};
use crate::manifest;
use crate::observe::Cause;
use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::component::{Component as Compiled, ComponentExportIndex, Func, Val};

/// What a component that subscribes to nothing would get for one event.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// A component's event handler: what it takes and gives, and where it is found in every instance.
pub(super) struct Handler {
    plan: HandlerPlan,
    export: ComponentExportIndex,
}

impl Handler {
    /// The event handler a component exports, if it does.
    pub(super) fn find(
        wasm: &[u8],
        compiled: &Compiled,
        component: &manifest::Component,
    ) -> anyhow::Result<Option<Self>> {
        let Some(plan) = HandlerPlan::load(wasm, component)? else { return Ok(None) };
        let (interface, function) = plan.export_name();
        let interface = compiled.get_export_index(None, interface).context("its event handler is not exported")?;
        let export = compiled.get_export_index(Some(&interface), function);
        let export = export.with_context(|| format!("its event handler has no function `{function}`"))?;
        Ok(Some(Self { plan, export }))
    }
}

/// Runs events through Wasm components.
#[derive(Clone)]
pub struct WasmDispatch {
    app: Arc<App>,
}

impl WasmDispatch {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { app }
    }
}

impl Dispatch for WasmDispatch {
    fn dispatch(&self, component: &str, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let Some(loaded) = self.app.component(component).cloned() else {
            let reason = format!("there is no component `{component}`");
            return std::future::ready(Verdict::Unavailable { reason }).boxed();
        };
        async move {
            let handled = AssertUnwindSafe(loaded.handle_event(&delivery)).catch_unwind().await;
            handled
                .unwrap_or_else(|_| Verdict::Broken { reason: "the host panicked while the event was handled".into() })
        }
        .boxed()
    }
}

impl Loaded {
    /// Runs the event handler. Dropping the future ends the guest.
    async fn handle_event(&self, delivery: &Delivery) -> Verdict {
        let Some(handler) = &self.handler else {
            return Verdict::Reject(Rejection { reason: "the component exports no event handler".into(), path: None });
        };
        let started = Instant::now();
        let timeout = self.manifest().events.as_ref().map_or(DEFAULT_TIMEOUT, |events| events.handler_timeout);
        let invocation = Invocation::believing(Arc::clone(self.id()), timeout, origin(delivery));
        let mut verdict = self.run(handler, delivery, &invocation).await;
        if !matches!(verdict, Verdict::Unavailable { .. }) {
            match invocation.beliefs().hold_true(&*self.services.key_value, None).await {
                Ok(true) => {}
                Ok(false) => {
                    // As after a crash before anything was settled; this time it asks, in what is left of the time.
                    let asking = Invocation::root(Arc::clone(self.id()), invocation.remaining(), origin(delivery));
                    verdict = self.run(handler, delivery, &asking).await;
                }
                Err(error) => verdict = Verdict::Unavailable { reason: error.to_string() },
            }
        }
        self.services.observer.invocation(self.id(), Cause::Event, outcome(&verdict), started.elapsed());
        verdict
    }

    async fn run(&self, handler: &Handler, delivery: &Delivery, invocation: &Arc<Invocation>) -> Verdict {
        let params = match handler.plan.decode(delivery) {
            Ok(params) => params,
            Err(rejection) => return Verdict::Reject(rejection),
        };
        let verdict = match self.call_handler(handler, params, Arc::clone(invocation)).await {
            Ok(results) => handler.plan.outcome(&results, delivery, self.services.clock.now()),
            Err(failure) => Verdict::Broken { reason: failure.to_string() },
        };
        in_outage(verdict, invocation.outage())
    }

    async fn call_handler(
        &self,
        handler: &Handler,
        params: [Val; 2],
        invocation: Arc<Invocation>,
    ) -> Result<[Val; 1], Failure> {
        let deadline = invocation.deadline() + GRACE;
        let call = async {
            let mut instance = self.event_instance(handler, invocation).await?;
            let mut results = [Val::Bool(false)];
            instance.entry.call_async(&mut instance.store, &params, &mut results).await?;
            wasmtime::Result::Ok((instance, results))
        };
        match tokio::time::timeout_at(deadline, call).await {
            Ok(Ok((instance, results))) => {
                self.event_idle.put(instance);
                Ok(results)
            }
            Ok(Err(error)) => Err(Failure::from_wasmtime(self.id(), &error)),
            Err(_) => Err(Failure::Timeout(self.id().to_string())),
        }
    }

    async fn event_instance(&self, handler: &Handler, invocation: Arc<Invocation>) -> wasmtime::Result<Instance<Func>> {
        if let Some(mut instance) = self.event_idle.take() {
            instance.begin(invocation);
            self.services.observer.instance(self.id(), false);
            return Ok(instance);
        }
        let mut store = instance::store(self.pre.engine(), &self.guest, invocation);
        let exports = self.pre.instantiate_async(&mut store).await?;
        let Some(function) = exports.get_func(&mut store, handler.export) else {
            wasmtime::bail!("the instance lacks the event handler its component has");
        };
        self.services.observer.instance(self.id(), true);
        Ok(Instance::fresh(store, function))
    }
}

/// A handler that could not reach what it needs has not failed, whatever it says: its attempts are not spent and its
/// event is not dead. One that coped is done.
fn in_outage(verdict: Verdict, outage: Option<&str>) -> Verdict {
    match (verdict, outage) {
        (Verdict::Retry { .. } | Verdict::Reject(_) | Verdict::Broken { .. }, Some(reason)) => {
            Verdict::Unavailable { reason: reason.to_owned() }
        }
        (verdict, _) => verdict,
    }
}

/// What an event's handling belongs to: the correlation it came with.
fn origin(delivery: &Delivery) -> Origin {
    let correlation_id = delivery.event.envelope().ok().map(|envelope| envelope.correlation_id.as_str().into());
    Origin { correlation_id, traceparent: delivery.event.headers.traceparent.as_deref().map(Arc::from) }
}

fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done(_) => "ok",
        Verdict::Retry { .. } => "retry",
        Verdict::Reject(_) => "reject",
        Verdict::Broken { .. } => "trap",
        Verdict::Unavailable { .. } => "unavailable",
    }
}
