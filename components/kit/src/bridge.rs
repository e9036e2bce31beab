//! Events over HTTP: how a component is driven by a host that has no event trigger, such as Spin, through a bridge.
//!
//! The bridge POSTs each event to `/events/<component>`, its wire JSON as the body and what is known of the delivery as
//! headers, and is answered with the verdict and what follows. The same handler runs as where the event comes by type.

mod answer;

use crate::events::Metadata;
use crate::http::{Problem, Request, Response, decode};
use crate::token::{self, BRIDGE, PublicKeys};
use crate::wire::{Incoming, read_incoming};
use crate::{Ports, Worker};

/// The variable with the bridge's public keys.
const KEYS: &str = "bridge_keys";
/// A key that nobody writes, to ask the store whether it is there.
const HARMLESS: &str = "is-it-there";

/// Whether a request is for this component's event route.
#[must_use]
pub fn is_delivery<W: Worker>(request: &Request) -> bool {
    request.path().strip_prefix("/events/") == Some(W::COMPONENT)
}

/// Handles the event in a request of the bridge. Nobody else gets further than the token.
pub async fn deliver<W: Worker, P: Ports>(ports: &P, request: &Request) -> Response {
    if let Err(problem) = admit(ports, request, W::COMPONENT) {
        return Response::from(problem).with_header("www-authenticate", "Bearer error=\"invalid_token\"");
    }
    if request.method != "POST" {
        return Problem::method_not_allowed(&request.method, "POST").into();
    }
    let Some(subject) = request.header("a4co-subject") else { return missing("A4co-Subject").into() };
    let incoming = match read_incoming(subject, &request.body) {
        Ok(incoming) => incoming,
        Err(fault) => return answer::undecodable(&fault),
    };
    let (meta, event) = match described(request, incoming) {
        Ok(read) => read,
        Err(problem) => return problem.into(),
    };
    // What a delivery before this one met is not this one's.
    let _earlier = ports.unanswered();
    let handled = W::handle(ports, meta, event).await;
    if handled.is_err()
        && let Some(why) = store_is_away(ports).await
    {
        return Problem::unavailable(format!("the store is away: {why}")).into();
    }
    answer::of(&handled)
}

/// Why the store is away, where it did not answer the handler and does not answer now either: the handler has not failed
/// then, and its attempts are not spent. Where it answers now, it may be this event that it did not take.
async fn store_is_away<P: Ports>(ports: &P) -> Option<String> {
    ports.unanswered()?;
    ports.get(HARMLESS).await.err().map(|error| error.0)
}

fn admit<P: Ports>(ports: &P, request: &Request, component: &str) -> Result<(), Problem> {
    let denied = |why: String| Problem::new(401, "not-authenticated", why);
    let Some(text) = ports.variable(KEYS).filter(|text| !text.is_empty()) else {
        return Err(denied(format!("the variable `{KEYS}` is not set: no bridge may deliver here")));
    };
    let keys = PublicKeys::read(&text).map_err(|error| denied(format!("the variable `{KEYS}`: {error}")))?;
    let parties = (BRIDGE, component);
    token::verify(request.header("authorization"), &keys, parties, ports.now())
        .map(|_| ())
        .map_err(|why| denied(why.to_string()))
}

fn described(request: &Request, incoming: Incoming) -> Result<(Metadata, crate::Event), Problem> {
    let meta = Metadata {
        event_id: incoming.event_id,
        event_version: incoming.event_version,
        aggregate_id: incoming.aggregate_id,
        aggregate_version: request
            .header("aggregate-version")
            .map(|text| number("Aggregate-Version", text))
            .transpose()?,
        occurred_at: incoming.occurred_on,
        correlation_id: incoming.correlation_id,
        causation_id: incoming.causation_id,
        saga_id: incoming.saga_id,
        source: text(request, "A4co-Source")?,
        sequence: number("A4co-Sequence", &text(request, "A4co-Sequence")?)?,
        key: text(request, "A4co-Key")?,
        attempt: number("A4co-Attempt", &text(request, "A4co-Attempt")?)?,
        delivered_at: number("A4co-Delivered-At", &text(request, "A4co-Delivered-At")?)?,
    };
    Ok((meta, incoming.event))
}

/// A header that every delivery has; percent-encoded, since a key may hold anything.
fn text(request: &Request, name: &str) -> Result<String, Problem> {
    request.header(name).map(|text| decode(text, false)).ok_or_else(|| missing(name))
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(400, "invalid-delivery", format!("the header {name} is no number: {text:?}")))
}

fn missing(name: &str) -> Problem {
    Problem::new(400, "invalid-delivery", format!("the header {name} is missing: deliveries come from a bridge"))
}

#[cfg(test)]
mod tests;
