//! The wire form of an event, as the marketplace's TypeScript services write and read it.

mod conform;
mod incoming;
mod nodes;
mod shape;
mod writer;

pub use conform::{Fault, conform};
pub use incoming::{Incoming, read_incoming};
pub use nodes::{Nodes, Read};
pub use shape::{Field, Shape};
pub use writer::{Write, Writer};

use crate::events::Event;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// Why a text is not the event it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError(String);

impl WireError {
    /// No event has this subject.
    #[must_use]
    pub fn unknown_subject(subject: &str) -> Self {
        Self(format!("no event has the subject `{subject}`"))
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WireError {}

/// A whole event on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WireEvent<D> {
    /// Id of the event; a copy has the same.
    pub event_id: String,
    /// Such as `OrderCreatedEvent`.
    pub event_type: String,
    /// The aggregate it is of.
    pub aggregate_id: String,
    /// Version of the payload's schema.
    pub event_version: u32,
    /// RFC 3339.
    pub occurred_on: String,
    /// The payload.
    pub event_data: D,
    /// The saga it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_id: Option<String>,
    /// Where it comes from.
    pub metadata: WireMetadata,
}

/// Where an event comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WireMetadata {
    /// RFC 3339.
    pub published_at: String,
    /// Of the envelope; `1.0`.
    pub version: String,
    /// Constant through all that follows from one request.
    pub correlation_id: String,
    /// The event or request this one followed from.
    pub causation_id: String,
}

/// Writes a whole event.
///
/// # Errors
/// Where a number of the payload is not finite.
pub fn write(event: &WireEvent<Event>) -> Result<String, WireError> {
    let data = RawValue::from_string(event.event_data.data()?);
    let data = data.map_err(|error| WireError(format!("eventData: {error}")))?;
    let whole = WireEvent {
        event_id: event.event_id.clone(),
        event_type: event.event_type.clone(),
        aggregate_id: event.aggregate_id.clone(),
        event_version: event.event_version,
        occurred_on: event.occurred_on.clone(),
        event_data: data,
        saga_id: event.saga_id.clone(),
        metadata: event.metadata.clone(),
    };
    serde_json::to_string(&whole).map_err(|error| WireError(error.to_string()))
}

/// Reads a whole event that came under `subject`.
///
/// # Errors
/// Says what is wrong, and whether in the envelope or in `eventData`.
pub fn read(subject: &str, text: &str) -> Result<WireEvent<Event>, WireError> {
    let whole: WireEvent<&RawValue> = serde_json::from_str(text).map_err(|error| WireError(error.to_string()))?;
    Ok(WireEvent {
        event_data: Event::read(subject, whole.event_data.get())?,
        event_id: whole.event_id,
        event_type: whole.event_type,
        aggregate_id: whole.aggregate_id,
        event_version: whole.event_version,
        occurred_on: whole.occurred_on,
        saga_id: whole.saga_id,
        metadata: whole.metadata,
    })
}

/// Reads a payload that came under `subject`.
///
/// # Errors
/// Where no event has the subject, or the data is not as its type says, with the JSON path.
pub fn read_data(subject: &str, data: &str) -> Result<Event, WireError> {
    let shape = Event::shape(subject).ok_or_else(|| WireError::unknown_subject(subject))?;
    let nodes = conform(shape, data.as_bytes(), "eventData").map_err(|fault| {
        let path = fault.path.unwrap_or_default();
        WireError(format!("{path}: {}", fault.reason))
    })?;
    Event::of_nodes(subject, nodes)
}

/// Largest magnitude up to which every integer has a `f64` of its own.
const EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// An event within another value: `{"order-created": {…}}`.
impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.data().map_err(S::Error::custom)?;
        let data = RawValue::from_string(data).map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.subject().replace('.', "-"), &data)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(OneEvent)
    }
}

struct OneEvent;

impl<'de> Visitor<'de> for OneEvent {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Event, A::Error> {
        let entry = entries.next_entry::<String, Box<RawValue>>()?;
        let (case, data) = entry.ok_or_else(|| A::Error::custom("an event without a case"))?;
        read_data(&case.replace('-', "."), data.get()).map_err(A::Error::custom)
    }
}

/// Writes a number as JavaScript does: without a fraction where it has none.
///
/// # Errors
/// Where it is not finite, which JSON cannot say.
pub fn number<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if !value.is_finite() {
        return Err(serde::ser::Error::custom(format!("{value} is not a number that JSON can say")));
    }
    if value.fract() == 0.0 && value.abs() <= EXACT_INTEGER {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
        return serializer.serialize_i64(*value as i64);
    }
    serializer.serialize_f64(*value)
}

/// As [`number`], where there is one.
///
/// # Errors
/// As [`number`].
pub fn optional_number<S: serde::Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// A list of (name, JSON text) as a JSON object.
pub mod json_object {
    use serde::de::{MapAccess, Visitor};
    use serde::ser::{Error as _, SerializeMap as _};
    use serde_json::value::RawValue;

    /// Writes the object.
    ///
    /// # Errors
    /// Where a text is no JSON.
    pub fn serialize<S: serde::Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(pairs.len()))?;
        for (name, text) in pairs {
            let value: &RawValue = serde_json::from_str(text).map_err(S::Error::custom)?;
            map.serialize_entry(name, value)?;
        }
        map.end()
    }

    /// Reads the object.
    ///
    /// # Errors
    /// Where it is none.
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<(String, String)>, D::Error> {
        reader.deserialize_map(Pairs)
    }

    /// Keeps each value's text as it stands.
    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some((name, value)) = entries.next_entry::<String, Box<RawValue>>()? {
                pairs.push((name, value.get().to_owned()));
            }
            Ok(pairs)
        }
    }
}

#[cfg(test)]
mod tests;
