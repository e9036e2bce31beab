//! The components by their names.

use crate::calls::GATEWAY;
use crate::ports::SimulatedPorts;
use crate::world::World;
use kit::Worker as _;
use kit::events::{Event, Failure, Metadata, Output};
use kit::http::{Problem, Request, Response};

/// The components that run in the processes; the gateway runs outside.
const NAMES: [&str; 7] = ["artisan", "product", "inventory", "order", "payment", "saga", "notification"];

/// The component of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

/// The component that serves a path.
#[must_use]
pub fn of_path(world: &World, path: &str) -> Option<&'static str> {
    let serves = |pattern: &Option<String>| {
        pattern.as_deref().is_some_and(|pattern| path.starts_with(pattern.trim_end_matches("/...")))
    };
    named(&world.application.routes.iter().find(|route| serves(&route.pattern))?.component)
}

/// A variable of a component: as the manifest says it, but for what the plan decides.
#[must_use]
pub fn variable(world: &World, component: &str, name: &str) -> Option<String> {
    match name {
        "gateway_url" => Some(GATEWAY.to_owned()),
        "reservation_expiry" => Some(world.plan.reservation_expiry.to_owned()),
        _ => {
            let found = world.application.components.iter().find(|known| known.id == component)?;
            found.variables.get(name).cloned()
        }
    }
}

/// Answers a request.
pub async fn serve(ports: &SimulatedPorts, request: Request) -> Response {
    match ports.component {
        "artisan" => artisan::Artisan::serve(ports, request).await,
        "product" => product::Product::serve(ports, request).await,
        "inventory" => inventory::Inventory::serve(ports, request).await,
        "order" => order::Order::serve(ports, request).await,
        "payment" => payment::Payment::serve(ports, request).await,
        "saga" => saga::Saga::serve(ports, request).await,
        "notification" => notification::Notification::serve(ports, request).await,
        other => Problem::not_found(&format!("there is no component {other}")).into(),
    }
}

/// Handles an event.
///
/// # Errors
/// The component's.
pub async fn handle(ports: &SimulatedPorts, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
    match ports.component {
        "artisan" => artisan::Artisan::handle(ports, meta, event).await,
        "product" => product::Product::handle(ports, meta, event).await,
        "inventory" => inventory::Inventory::handle(ports, meta, event).await,
        "order" => order::Order::handle(ports, meta, event).await,
        "payment" => payment::Payment::handle(ports, meta, event).await,
        "saga" => saga::Saga::handle(ports, meta, event).await,
        "notification" => notification::Notification::handle(ports, meta, event).await,
        other => Err(Failure::Reject(format!("there is no component {other}"))),
    }
}
