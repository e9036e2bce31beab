//! The state of one part: what its component has stored, and the shipped worker that changes it.
//!
//! What cannot matter to the future is left out, so that the number of states stays finite: inboxes (every event meets
//! an empty one, the worst that may happen), versions, and the order of a saga's history.

use crate::message::{Message, Part};
use crate::plan::NOW;
use kit::aggregate::{Stored, parse};
use kit::http::Request;
use kit::inbox::Inbox;
use kit::json::{self, Value};
use kit::memory::{Memory, block_on};
use kit::ports::CallError;
use kit::{Failure, Metadata, Output, Ports, Worker};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Where the payment finds the gateway.
const GATEWAY: &str = "http://gateway";

/// Keys and values.
pub type Store = BTreeMap<String, Vec<u8>>;

/// The state of one part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Local {
    /// What the component has stored.
    pub store: Store,
    /// What the gateway has stored; of the payment alone.
    pub gateway: Store,
}

/// How the gateway's call fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Line {
    /// It is answered.
    #[default]
    Answered,
    /// It is carried out, and the answer is lost.
    Silent,
    /// It does not arrive.
    Dead,
}

/// All of them.
pub const LINES: [Line; 3] = [Line::Answered, Line::Silent, Line::Dead];

/// What came of a message.
#[derive(Debug)]
pub struct Handled {
    /// The state after it.
    pub local: Local,
    /// What follows, or why it failed.
    pub outputs: Result<Vec<Output>, Failure>,
    /// Whether the gateway was called.
    pub called: bool,
}

/// Hands a message to the part's worker.
#[must_use]
pub fn handle(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    let gateway = Rc::new(filled(&local.gateway));
    let called = Rc::new(Cell::new(false));
    let (there, rang) = (Rc::clone(&gateway), Rc::clone(&called));
    let memory = filled(&local.store).with_variable("gateway_url", GATEWAY).with_callee(move |request| {
        rang.set(true);
        let target = request.target.trim_start_matches(GATEWAY).to_owned();
        let request = Request { target, ..request.clone() };
        match line {
            Line::Answered => Ok(ask(&there, &request)),
            Line::Silent => {
                ask(&there, &request);
                Err(CallError::Timeout)
            }
            Line::Dead => Err(CallError::Unavailable("not reached".to_owned())),
        }
    });
    let (meta, event) = (metadata(message), message.event.clone());
    let outputs = match part {
        Part::Order => block_on(order::Order::handle(&memory, meta, event)),
        Part::Saga => block_on(saga::Saga::handle(&memory, meta, event)),
        Part::First | Part::Second => block_on(inventory::Inventory::handle(&memory, meta, event)),
        Part::Payment => block_on(payment::Payment::handle(&memory, meta, event)),
    };
    let local = Local { store: essence(memory.snapshot()), gateway: gateway.snapshot() };
    Handled { local, outputs, called: called.get() }
}

/// Asks the gateway.
pub fn ask(gateway: &Memory, request: &Request) -> kit::http::Response {
    block_on(gateway_sandbox::serve(gateway, &gateway_sandbox::UntilGivenUp, request))
}

/// The ports in memory with this in store.
#[must_use]
pub fn filled(store: &Store) -> Memory {
    let memory = Memory::at(NOW);
    for (key, value) in store {
        // Memory does not fail.
        let _done = block_on(memory.set(key, value.clone()));
    }
    memory
}

fn metadata(message: &Message) -> Metadata {
    Metadata {
        event_id: message.id.clone(),
        event_version: 1,
        aggregate_id: message.of.clone(),
        aggregate_version: None,
        occurred_at: NOW.rfc3339(),
        correlation_id: "correlation".to_owned(),
        causation_id: "cause".to_owned(),
        saga_id: message.saga_id.clone(),
        source: "exploration".to_owned(),
        sequence: 1,
        key: message.of.clone(),
        attempt: 1,
        delivered_at: NOW.0,
    }
}

fn essence(store: Store) -> Store {
    store
        .into_iter()
        .map(|(key, bytes)| essential(&key, &bytes).map_or((key.clone(), bytes), |bytes| (key, bytes)))
        .collect()
}

/// An aggregate without its inbox and its version; a saga also without the order of what happened and without what led
/// to nothing. `None` of other values.
fn essential(key: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if key.starts_with("saga/") {
        let stored = parse::<saga::domain::Saga>(bytes).ok()?;
        let mut state = stored.state;
        state.history.retain(|turn| !turn.led.is_empty());
        state.history.sort_by_key(|turn| turn.by);
        return json::to_vec(&Stored { version: 0, state, inbox: Inbox::default(), ..stored }).ok();
    }
    let mut value: json::Map<String, Value> = json::from_slice(bytes).ok()?;
    value.contains_key("format").then_some(())?;
    value.remove("inbox");
    value.insert("version".to_owned(), 0.into());
    json::to_vec(&value).ok()
}
