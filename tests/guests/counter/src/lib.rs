//! Counters: a second, unrelated application on the same host, with events of its own WIT package.
//!
//! `counter.add` changes the counter that its aggregate id names and says so with `counter.changed`; beside the value
//! lies which event made it, so that a repeat changes nothing and says the same. `counter.noop` does nothing, for
//! measuring what a handling costs at least.
#![cfg(target_family = "wasm")]

use generated::example::counter::delivery::{CounterChanged, Emission, Event, Failure, Metadata, Output, Retry};
use generated::exports::example::counter::event_handler::Guest;
use generated::wasi::keyvalue::atomics::{self, CasError};
use generated::wasi::keyvalue::store::{self, Error};

mod generated {
    wit_bindgen::generate!({ path: ["../../../wit/deps/keyvalue", "wit"], world: "example:counter/counter", generate_all });
}

struct Counter;

#[expect(unsafe_code, reason = "generated")]
mod component {
    use super::{Counter, generated};

    generated::export!(Counter with_types_in generated);
}

impl Guest for Counter {
    fn handle(meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        match event {
            Event::CounterAdd(add) => added(&meta, add.amount),
            Event::CounterNoop(_) => Ok(Vec::new()),
            Event::CounterChanged(_) => Err(Failure::Reject("counter does not hear its own facts".into())),
        }
    }
}

/// A value and the event that made it.
struct Count {
    value: i64,
    sequence: u64,
    source: String,
}

fn added(meta: &Metadata, amount: i64) -> Result<Vec<Output>, Failure> {
    let bucket = store::open("default").map_err(failed)?;
    loop {
        let token = atomics::Cas::new(&bucket, &meta.key).map_err(failed)?;
        let count = token.current().map_err(failed)?.map(|bytes| parse(&bytes)).transpose()?;
        let before = count.as_ref().map_or(0, |count| count.value);
        if count.is_some_and(|count| count.source == meta.source && count.sequence >= meta.sequence) {
            return Ok(changed(meta, before));
        }
        let overflow = || Failure::Reject(format!("{before} and {amount} are too much"));
        let value = before.checked_add(amount).ok_or_else(overflow)?;
        let bytes = format!("{value} {} {}", meta.sequence, meta.source);
        match atomics::swap(token, bytes.as_bytes()) {
            Ok(()) => return Ok(changed(meta, value)),
            Err(CasError::CasFailed(_)) => {}
            Err(CasError::StoreError(error)) => return Err(failed(error)),
        }
    }
}

fn changed(meta: &Metadata, value: i64) -> Vec<Output> {
    let event = Event::CounterChanged(CounterChanged { value });
    vec![Output::Emit(Emission { aggregate_id: meta.key.clone(), event })]
}

fn parse(bytes: &[u8]) -> Result<Count, Failure> {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(3, ' ');
    let number = parts.next().and_then(|value| value.parse().ok());
    let sequence = parts.next().and_then(|sequence| sequence.parse().ok());
    match (number, sequence, parts.next()) {
        (Some(value), Some(sequence), Some(source)) => Ok(Count { value, sequence, source: source.to_owned() }),
        _ => Err(Failure::Reject(format!("`{text}` is no counter"))),
    }
}

fn failed(error: Error) -> Failure {
    let reason = match error {
        Error::NoSuchStore => "there is no store `default`".to_owned(),
        Error::AccessDenied => "the store `default` is not granted".to_owned(),
        Error::Other(why) => why,
    };
    Failure::Retry(Retry { after: None, reason })
}
