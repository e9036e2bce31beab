//! What a component answers to a delivery, and what becomes of it: the same checks and the same ids as in process.

use crate::clock::Millis;
use crate::codec::Sink;
use crate::dispatch::emission::{Author, Emission, Payload, check_name};
use crate::dispatch::outcome::readable;
use crate::dispatch::typed::not_granted;
use crate::dispatch::{Delivery, Effect, Rejection, Verdict};
use crate::manifest::{Component, Events};
use crate::subject::Subject;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Longest `eventType`.
const MAX_TYPE_BYTES: usize = 128;

/// An answer with what is needed to judge it.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// Who answered.
    pub component: &'a Component,
    /// What was delivered.
    pub delivery: &'a Delivery,
    /// The body of the response.
    pub body: &'a [u8],
    /// When what follows is published.
    pub now: Millis,
}

#[derive(Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Tag {
    Ok,
    Retry { after: Option<u64>, reason: String },
    Reject { reason: String, path: Option<String> },
}

#[derive(Deserialize)]
struct Outputs<'a> {
    #[serde(borrow, default)]
    outputs: Vec<Output<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Output<'a> {
    #[serde(borrow)]
    Emit(Emitted<'a>),
    #[serde(rename_all = "camelCase")]
    Timer {
        #[serde(borrow)]
        name: Cow<'a, str>,
        fire_at: u64,
        #[serde(borrow)]
        emission: Emitted<'a>,
    },
    CancelTimer(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Emitted<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    aggregate_id: Cow<'a, str>,
    aggregate_version: Option<u64>,
    #[serde(borrow)]
    saga_id: Option<Cow<'a, str>>,
    event_version: Option<u32>,
    #[serde(borrow)]
    event_data: &'a RawValue,
}

/// The verdict of an answer. One that breaks a rule is a defect of the component, as it is in process.
#[must_use]
pub fn read(answered: Answered<'_>) -> Verdict {
    let verdict = match serde_json::from_slice(answered.body) {
        Ok(Tag::Retry { after, reason }) => {
            Ok(Verdict::Retry { after: after.map(Duration::from_millis), reason: readable(&reason) })
        }
        Ok(Tag::Reject { reason, path }) => {
            Ok(Verdict::Reject(Rejection { reason: readable(&reason), path: path.as_deref().map(readable) }))
        }
        Ok(Tag::Ok) => answered.done(),
        Err(error) => Err(format!("its answer is no verdict: {error}")),
    };
    verdict.unwrap_or_else(|reason| Verdict::Broken { reason })
}

impl Answered<'_> {
    fn done(&self) -> Result<Verdict, String> {
        let Outputs { outputs } =
            serde_json::from_slice(self.body).map_err(|error| format!("its outputs are malformed: {error}"))?;
        let limits = &self.component.limits;
        if outputs.len() > limits.emissions {
            return Err(format!("returned {} outputs, at most {} are allowed", outputs.len(), limits.emissions));
        }
        if outputs.is_empty() {
            return Ok(Verdict::Done(Vec::new()));
        }
        let Ok(cause) = self.delivery.event.envelope() else {
            return Err("returned outputs for an event without an envelope".to_owned());
        };
        let (component, delivery) = (self.component.id.as_str(), self.delivery);
        let author = Author { component, delivery, cause, event_bytes: limits.event_bytes };
        let effects = outputs.iter().enumerate().map(|(index, output)| self.effect(&author, index, output));
        effects.collect::<Result<_, _>>().map(Verdict::Done)
    }

    fn effect(&self, author: &Author<'_>, index: usize, output: &Output<'_>) -> Result<Effect, String> {
        match output {
            Output::Emit(emitted) => {
                let subject = self.granted(emitted)?;
                Ok(Effect::Publish(Arc::new(author.event(index, &emission(emitted, &subject), self.now)?)))
            }
            Output::Timer { name, fire_at, emission: emitted } => {
                let subject = self.granted(emitted)?;
                author.timer(index, name, Millis(*fire_at), &emission(emitted, &subject)).map(Effect::SetTimer)
            }
            Output::CancelTimer(name) => {
                check_name("a timer's name", name)?;
                Ok(Effect::CancelTimer { aggregate: self.delivery.key.clone(), name: name.clone().into_owned() })
            }
        }
    }

    fn granted(&self, emitted: &Emitted<'_>) -> Result<Subject, String> {
        let subject = Subject::new(&emitted.subject).map_err(|error| format!("emitted under no subject: {error}"))?;
        let publish = self.component.events.as_ref().map(|events: &Events| events.publish.as_slice());
        if !publish.unwrap_or_default().iter().any(|pattern| pattern.matches(subject.as_str())) {
            return Err(not_granted(&self.component.id, subject.as_str()));
        }
        // It is written into the event as it is.
        let plain = emitted.event_type.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || emitted.event_type.is_empty() || emitted.event_type.len() > MAX_TYPE_BYTES {
            return Err(format!("emitted `{subject}` with an eventType that is none"));
        }
        Ok(subject)
    }
}

fn emission<'a>(emitted: &'a Emitted<'_>, subject: &'a Subject) -> Emission<'a, Raw<'a>> {
    Emission {
        aggregate_id: &emitted.aggregate_id,
        aggregate_version: emitted.aggregate_version,
        saga_id: emitted.saga_id.as_deref(),
        event_version: emitted.event_version.unwrap_or(1),
        subject,
        event_type: &emitted.event_type,
        payload: Raw { subject: subject.as_str(), data: emitted.event_data.get() },
    }
}

/// A payload that came as JSON already.
struct Raw<'a> {
    subject: &'a str,
    data: &'a str,
}

impl Payload for Raw<'_> {
    fn write(&self, body: &mut Sink) -> Result<(), String> {
        body.json(self.data).map_err(|error| format!("emitted an invalid `{}`: {}", self.subject, error.reason))
    }
}
