//! What a handler answered, as the JSON a bridge reads: `{verdict, outputs}`, `{verdict, reason, …}`.

use crate::events::{Emission, Failure, Output};
use crate::http::{Problem, Response};
use crate::wire::Fault;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Answer<'a> {
    Ok {
        outputs: Vec<Written<'a>>,
    },
    Retry {
        /// Milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        reason: &'a str,
    },
    Reject {
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<&'a str>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Written<'a> {
    Emit(Emitted<'a>),
    #[serde(rename_all = "camelCase")]
    Timer {
        name: &'a str,
        fire_at: u64,
        emission: Emitted<'a>,
    },
    CancelTimer(&'a str),
}

/// An emission with its payload in the wire's form; the bridge derives the rest of the event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Emitted<'a> {
    subject: &'static str,
    event_type: &'static str,
    aggregate_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saga_id: Option<&'a str>,
    event_data: Box<RawValue>,
}

/// The response to a handled event.
pub(super) fn of(handled: &Result<Vec<Output>, Failure>) -> Response {
    match handled {
        Ok(outputs) => match outputs.iter().map(written).collect() {
            Ok(outputs) => Response::json(200, &Answer::Ok { outputs }),
            Err(why) => Problem::internal(&why).into(),
        },
        Err(Failure::Retry(retry)) => Response::json(200, &Answer::Retry { after: retry.after, reason: &retry.reason }),
        Err(Failure::Reject(reason)) => Response::json(200, &Answer::Reject { reason, path: None }),
    }
}

/// The response to an event that cannot be read.
pub(super) fn undecodable(fault: &Fault) -> Response {
    Response::json(200, &Answer::Reject { reason: &fault.reason, path: fault.path.as_deref() })
}

fn written(output: &Output) -> Result<Written<'_>, String> {
    Ok(match output {
        Output::Emit(emission) => Written::Emit(emitted(emission)?),
        Output::Timer(timer) => {
            Written::Timer { name: &timer.name, fire_at: timer.fire_at, emission: emitted(&timer.emission)? }
        }
        Output::CancelTimer(name) => Written::CancelTimer(name),
    })
}

fn emitted(emission: &Emission) -> Result<Emitted<'_>, String> {
    let event = &emission.event;
    let invalid = |error: &dyn std::fmt::Display| format!("emitted an invalid `{}`: {error}", event.subject());
    let data = event.data().map_err(|error| invalid(&error))?;
    let data = RawValue::from_string(data).map_err(|error| invalid(&error))?;
    Ok(Emitted {
        subject: event.subject(),
        event_type: event.event_type(),
        aggregate_id: &emission.aggregate_id,
        aggregate_version: emission.aggregate_version,
        saga_id: emission.saga_id.as_deref(),
        event_data: data,
    })
}
