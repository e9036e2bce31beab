//! What a component is: it handles events and serves HTTP requests, and knows both ports only.

use crate::events::{Event, Failure, Metadata, Output};
use crate::http::{Problem, Request, Response};
use crate::ports::Ports;

/// A component. `guest::export!` makes one of it; natively it is called as it is.
#[expect(async_fn_in_trait, reason = "a component runs on one thread; the simulation too")]
pub trait Worker {
    /// The component's id in `spin.toml`; its keys in the store begin with it.
    const COMPONENT: &'static str;

    /// Handles one event. `Ok` settles it.
    ///
    /// # Errors
    /// `Retry` brings the event back, `Reject` sends it to the dead letters.
    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure>;

    /// Answers one HTTP request.
    async fn serve<P: Ports>(_ports: &P, request: Request) -> Response {
        Problem::not_found(&format!("nothing is served at {}", request.path())).into()
    }
}

/// An event nobody should have sent this component: a wrong subscription, so a person has to look at it.
///
/// # Errors
/// Always `Reject`.
pub fn unexpected(component: &str, event: &Event) -> Result<Vec<Output>, Failure> {
    Err(Failure::Reject(format!("{component} does not handle {}: check its subscriptions", event.subject())))
}
