//! An emission as a handler returns it by type: read from its record, held against the grants.

use super::cases::{Case, Cases};
use super::emission::{Emission, Payload};
use super::shape::EmissionShape;
use crate::codec::Sink;
use wasmtime::component::Val;

/// What may be emitted by one component.
#[derive(Debug)]
pub(super) struct Grants {
    /// By the position of the case in its variant.
    pub(super) granted: Vec<bool>,
    /// Bytes of one event's JSON.
    pub(super) event_bytes: usize,
}

/// Reads the emissions of one component.
pub(super) struct Emissions<'a> {
    pub(super) component: &'a str,
    pub(super) cases: &'a Cases,
    pub(super) grants: &'a Grants,
    pub(super) shape: EmissionShape,
}

/// A payload as the guest's value, with the plan that writes it.
pub(super) struct Typed<'a> {
    case: &'a Case,
    value: Option<&'a Val>,
}

impl Emissions<'_> {
    /// The emission that `value` is.
    pub(super) fn read<'v>(&'v self, value: &'v Val) -> Result<Emission<'v, Typed<'v>>, String> {
        let Val::Record(fields) = value else { return Err(foreign("an emission")) };
        let shape = self.shape;
        let (case, payload) = match field(fields, shape.event) {
            Some(Val::Variant(name, payload)) => (self.granted(name)?, payload.as_deref()),
            _ => return Err(foreign("an event")),
        };
        let aggregate_id = text(fields, shape.aggregate_id).ok_or_else(|| foreign("an aggregate id"))?;
        let saga_id = match shape.saga_id.and_then(|place| some(fields, place)) {
            Some(Val::String(saga_id)) => Some(saga_id.as_str()),
            _ => None,
        };
        let aggregate_version = match shape.aggregate_version.and_then(|place| some(fields, place)) {
            Some(Val::U64(version)) => Some(*version),
            _ => None,
        };
        let event_version = match shape.event_version.and_then(|place| some(fields, place)) {
            Some(Val::U32(version)) => *version,
            _ => 1,
        };
        let (subject, event_type) = (&case.subject, case.event_type.as_str());
        let payload = Typed { case, value: payload };
        Ok(Emission { aggregate_id, aggregate_version, saga_id, event_version, subject, event_type, payload })
    }

    fn granted(&self, name: &str) -> Result<&Case, String> {
        let (index, case) = self.cases.of_name(name).ok_or_else(|| foreign("an event"))?;
        if self.grants.granted.get(index) == Some(&true) {
            return Ok(case);
        }
        Err(not_granted(self.component, case.subject.as_str()))
    }
}

/// What is said of an emission that the manifest does not grant.
pub(crate) fn not_granted(component: &str, subject: &str) -> String {
    format!("emitted `{subject}`, which it may not publish: add it to component.{component}.tool.events.publish")
}

impl Payload for Typed<'_> {
    fn write(&self, body: &mut Sink) -> Result<(), String> {
        match (&self.case.payload, self.value) {
            (Some(plan), Some(payload)) => plan
                .encode(payload, body, "eventData")
                .map_err(|error| format!("emitted an invalid `{}`: {error}", self.case.subject)),
            (None, None) => {
                body.raw("{}");
                Ok(())
            }
            _ => Err(foreign("an event")),
        }
    }
}

/// The value at a position of a record.
pub(super) fn field(fields: &[(String, Val)], place: usize) -> Option<&Val> {
    fields.get(place).map(|(_, value)| value)
}

/// The string at a position of a record.
pub(super) fn text(fields: &[(String, Val)], place: usize) -> Option<&str> {
    match field(fields, place) {
        Some(Val::String(text)) => Some(text),
        _ => None,
    }
}

/// What the option at a position of a record holds.
pub(super) fn some(fields: &[(String, Val)], place: usize) -> Option<&Val> {
    match field(fields, place) {
        Some(Val::Option(Some(value))) => Some(value),
        _ => None,
    }
}

/// Cannot happen with a component whose types were checked at load; said rather than assumed.
pub(super) fn foreign(what: &str) -> String {
    format!("returned {what} of another type than its WIT declares")
}
