//! Everything a component may reach, as one port. Adapters: the Wasm guest, and memory for tests and simulation.

use crate::http::{Request, Response};
use crate::time::Millis;

/// A value and what a swap of it needs.
#[derive(Debug)]
pub struct Entry<T> {
    /// The value; `None` where the key is absent.
    pub value: Option<Vec<u8>>,
    /// Consumed by [`Ports::swap`].
    pub token: T,
}

/// Why the store did not do what it was asked. The caller retries the whole delivery or answers 503.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

/// Why a swap did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwapError {
    /// Someone else was first: load again and decide again.
    Conflict,
    /// It may or may not have happened: load again and look for your own event.
    Unknown(String),
}

/// Where a published event lies, as the component's own consumer will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// As `metadata.source` of its delivery.
    pub source: String,
    /// As `metadata.sequence` of its delivery.
    pub sequence: u64,
}

/// Why an event was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishError {
    /// Never will be: malformed, or not granted.
    Refused(String),
    /// May work later; it may also have happened.
    Unavailable(String),
}

/// Why a call got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// No answer in time: it may or may not have had its effect.
    Timeout,
    /// Not reached, or the circuit is open.
    Unavailable(String),
    /// The manifest does not grant it. A defect of the application.
    Denied(String),
}

/// Everything a component may reach. Keys are the component's own: the adapter keeps components apart.
#[expect(async_fn_in_trait, reason = "a component runs on one thread; the simulation too")]
pub trait Ports {
    /// What a swap needs.
    type Token;

    /// Reads a key in order to swap it.
    async fn read(&self, key: &str) -> Result<Entry<Self::Token>, StoreError>;

    /// Writes if nobody wrote since the read.
    async fn swap(&self, token: Self::Token, value: Vec<u8>) -> Result<(), SwapError>;

    /// Reads a key.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads several keys, in their order.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Writes a key, whatever it holds.
    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError>;

    /// Deletes a key.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Publishes an event under a subject: its complete wire JSON, with an id of the caller's choice.
    async fn publish(&self, subject: &str, wire: String) -> Result<Receipt, PublishError>;

    /// Calls over HTTP. `request.target` is the whole URL.
    async fn call(&self, request: Request) -> Result<Response, CallError>;

    /// A variable of the manifest.
    fn variable(&self, name: &str) -> Option<String>;

    /// The time, for HTTP requests. A decision takes it from the event.
    fn now(&self) -> Millis;

    /// A new id, later ones sorting after earlier ones.
    fn new_id(&self) -> String;

    /// Why the store did not answer, where it did not since this was asked last. By default nobody knows.
    fn unanswered(&self) -> Option<String> {
        None
    }

    /// Tells the operators, in the log. By default nobody listens.
    fn warn(&self, _text: &str) {}
}

/// A duration variable such as `30s`, or its default in milliseconds where it is unset or malformed.
pub fn duration_variable<P: Ports>(ports: &P, name: &str, default: u64) -> u64 {
    ports.variable(name).and_then(|text| crate::time::parse_duration(&text)).unwrap_or(default)
}
