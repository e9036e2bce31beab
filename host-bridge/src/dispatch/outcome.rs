//! From what `handle` returned to a verdict.

use super::emission::{Author, check_name};
use super::shape::TimerShape;
use super::typed::{Emissions, field, foreign, some, text};
use super::{Effect, Rejection, Verdict};
use crate::clock::Millis;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

/// Longest reason kept of what a guest says, in characters: it goes to logs and dead letters.
const REASON_CHARACTERS: usize = 1_000;

/// Reads the results of `handle`.
pub(super) struct Reader<'a> {
    pub(super) author: Author<'a>,
    pub(super) emissions: Emissions<'a>,
    /// `None` where the handler knows no timers.
    pub(super) timer: Option<TimerShape>,
    /// Most outputs of one handling.
    pub(super) outputs: usize,
    /// When they are published.
    pub(super) now: Millis,
}

impl Reader<'_> {
    pub(super) fn verdict(&self, results: &[Val]) -> Verdict {
        let verdict = match results {
            [Val::Result(Ok(Some(outputs)))] => self.done(outputs),
            [Val::Result(Err(Some(failure)))] => failed(failure),
            _ => Err(foreign("a result")),
        };
        verdict.unwrap_or_else(|reason| Verdict::Broken { reason })
    }

    fn done(&self, outputs: &Val) -> Result<Verdict, String> {
        let Val::List(outputs) = outputs else { return Err(foreign("outputs")) };
        if outputs.len() > self.outputs {
            return Err(format!("returned {} outputs, at most {} are allowed", outputs.len(), self.outputs));
        }
        let effects = outputs.iter().enumerate().map(|(index, output)| self.effect(index, output));
        effects.collect::<Result<_, _>>().map(Verdict::Done)
    }

    fn effect(&self, index: usize, output: &Val) -> Result<Effect, String> {
        let Val::Variant(case, Some(carried)) = output else { return Err(foreign("an output")) };
        match (case.as_str(), &**carried) {
            ("emit", emission) => {
                let event = self.author.event(index, &self.emissions.read(emission)?, self.now)?;
                Ok(Effect::Publish(Arc::new(event)))
            }
            ("timer", Val::Record(fields)) => self.timer(index, fields),
            ("cancel-timer", Val::String(name)) => {
                check_name("a timer's name", name)?;
                Ok(Effect::CancelTimer { aggregate: self.author.delivery.key.clone(), name: name.clone() })
            }
            _ => Err(foreign("an output")),
        }
    }

    fn timer(&self, index: usize, fields: &[(String, Val)]) -> Result<Effect, String> {
        let shape = self.timer.ok_or_else(|| foreign("a timer"))?;
        let name = text(fields, shape.name).ok_or_else(|| foreign("a timer"))?;
        let Some(Val::U64(fire_at)) = field(fields, shape.fire_at) else { return Err(foreign("a timer")) };
        let emission = field(fields, shape.emission).ok_or_else(|| foreign("a timer"))?;
        let emission = self.emissions.read(emission)?;
        self.author.timer(index, name, Millis(*fire_at), &emission).map(Effect::SetTimer)
    }
}

fn failed(failure: &Val) -> Result<Verdict, String> {
    let Val::Variant(case, carried) = failure else { return Err(foreign("a failure")) };
    match (case.as_str(), carried.as_deref()) {
        ("retry", Some(Val::Record(fields))) => {
            let after = match some(fields, 0) {
                Some(Val::U64(milliseconds)) => Some(Duration::from_millis(*milliseconds)),
                _ => None,
            };
            Ok(Verdict::Retry { after, reason: readable(text(fields, 1).unwrap_or_default()) })
        }
        ("retry", None) => Ok(Verdict::Retry { after: None, reason: "the handler gave no reason".into() }),
        ("reject", Some(Val::String(reason))) => {
            Ok(Verdict::Reject(Rejection { reason: readable(reason), path: None }))
        }
        ("reject", None) => Ok(Verdict::Reject(Rejection { reason: "the handler gave no reason".into(), path: None })),
        _ => Err(foreign("a failure")),
    }
}

/// A guest's words, fit for a log line: cut, and without control characters.
pub(crate) fn readable(text: &str) -> String {
    text.chars().take(REASON_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
