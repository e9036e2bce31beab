//! The components, and what they share: store, bus, clock, variables, each other.

use super::ports::NativePorts;
use super::typed::Typed;
use a4co_host::bus::embedded::EmbeddedBus;
use a4co_host::clock::Clock;
use a4co_host::durability::Watermark;
use a4co_host::keyvalue::embedded::EmbeddedKeyValue;
use a4co_host::manifest::Application;
use a4co_host::store::Store;
use futures::FutureExt as _;
use kit::Worker;
use kit::events::{Event, Failure, Metadata, Output};
use kit::http::{Problem, Request, Response};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What all components share.
pub struct World {
    /// The bus.
    pub bus: EmbeddedBus,
    /// The key-value store.
    pub key_value: EmbeddedKeyValue,
    /// What answers wait for.
    pub store: Arc<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Events beside the log.
    pub typed: Typed,
    variables: BTreeMap<String, BTreeMap<String, String>>,
    /// Prefix of the path, component.
    routes: Vec<(String, String)>,
}

/// Up to where the log must be on disk before an answer leaves; grows while the answer is made.
pub type Seen = Cell<Watermark>;

impl World {
    /// The application's world over a store.
    pub fn new(application: &Application, store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let components = application.components.iter();
        let routes = application.routes.iter();
        Self {
            bus: EmbeddedBus::new(store.clone()),
            key_value: EmbeddedKeyValue::new(store.clone()),
            store,
            clock,
            typed: Typed::default(),
            variables: components.map(|one| (one.id.clone(), one.variables.clone())).collect(),
            routes: routes
                .filter_map(|route| {
                    Some((route.pattern.as_ref()?.trim_end_matches("/...").to_owned(), route.component.clone()))
                })
                .collect(),
        }
    }

    /// The component that serves a path.
    pub fn route(&self, path: &str) -> Option<&str> {
        let found = self.routes.iter().find(|(prefix, _)| path.starts_with(prefix.as_str()));
        found.map(|(_, component)| component.as_str())
    }

    /// A variable of a component.
    pub fn variable(&self, component: &str, name: &str) -> Option<String> {
        self.variables.get(component)?.get(name).cloned()
    }

    /// Answers a request.
    pub fn serve(&self, component: &str, request: Request, seen: &Seen) -> Response {
        match component {
            "artisan" => self.served::<artisan::Artisan>(request, seen),
            "product" => self.served::<product::Product>(request, seen),
            "inventory" => self.served::<inventory::Inventory>(request, seen),
            "order" => self.served::<order::Order>(request, seen),
            "payment" => self.served::<payment::Payment>(request, seen),
            "gateway-sandbox" => self.served::<gateway_sandbox::GatewaySandbox>(request, seen),
            "saga" => self.served::<saga::Saga>(request, seen),
            "notification" => self.served::<notification::Notification>(request, seen),
            other => Problem::not_found(&format!("there is no component {other}")).into(),
        }
    }

    /// Handles an event.
    ///
    /// # Errors
    /// The component's.
    pub fn handle(&self, component: &str, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        match component {
            "artisan" => self.handled::<artisan::Artisan>(meta, event),
            "product" => self.handled::<product::Product>(meta, event),
            "inventory" => self.handled::<inventory::Inventory>(meta, event),
            "order" => self.handled::<order::Order>(meta, event),
            "payment" => self.handled::<payment::Payment>(meta, event),
            "saga" => self.handled::<saga::Saga>(meta, event),
            "notification" => self.handled::<notification::Notification>(meta, event),
            other => Err(Failure::Reject(format!("there is no component {other}"))),
        }
    }

    // Every port answers at once, so nothing here ever waits.
    fn served<W: Worker>(&self, request: Request, seen: &Seen) -> Response {
        let ports = NativePorts { world: self, component: W::COMPONENT, seen };
        let answer = W::serve(&ports, request).now_or_never();
        answer.unwrap_or_else(|| Problem::internal("the answer did not come at once").into())
    }

    fn handled<W: Worker>(&self, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        let seen = Seen::default();
        let ports = NativePorts { world: self, component: W::COMPONENT, seen: &seen };
        let handled = W::handle(&ports, meta, event).now_or_never();
        handled.unwrap_or_else(|| Err(Failure::Reject("the outcome did not come at once".to_owned())))
    }
}
