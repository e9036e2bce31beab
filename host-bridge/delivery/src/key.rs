//! The ordering key of an event: a part of its envelope, or one place in its payload found without building the rest.

use crate::event::Event;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The key of one event, borrowed from it where possible.
pub type Key<'a> = Cow<'a, str>;

/// Where a subscription's key lies, such as `aggregateId` or `eventData.orderId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPath(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    EventId,
    AggregateId,
    SagaId,
    CorrelationId,
    CausationId,
    Data(Box<[Box<str>]>),
}

/// A text that names no place of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no key: use aggregateId, sagaId, eventId, correlationId, causationId or a field of the payload such as \
     eventData.orderId"
)]
pub struct KeyPathError(String);

impl KeyPath {
    /// Reads a subscription's `key`.
    ///
    /// # Errors
    /// Where it is neither a part of the envelope nor below `eventData`.
    pub fn new(text: &str) -> Result<Self, KeyPathError> {
        let place = match text.strip_prefix("metadata.").unwrap_or(text) {
            "eventId" => Place::EventId,
            "aggregateId" => Place::AggregateId,
            "sagaId" => Place::SagaId,
            "correlationId" => Place::CorrelationId,
            "causationId" => Place::CausationId,
            other => Place::Data(data_path(other).ok_or_else(|| KeyPathError(text.to_owned()))?),
        };
        Ok(Self(place))
    }

    /// The key of `event`; `None` where it has none: its envelope cannot be read, the field is absent or null, or holds
    /// what cannot be a key (an object, a list, a fraction).
    #[must_use]
    pub fn of<'a>(&self, event: &'a Event) -> Option<Key<'a>> {
        let envelope = event.envelope().ok()?;
        match &self.0 {
            Place::EventId => Some(Cow::Borrowed(&envelope.event_id)),
            Place::AggregateId => Some(Cow::Borrowed(&envelope.aggregate_id)),
            Place::SagaId => envelope.saga_id.as_deref().map(Cow::Borrowed),
            Place::CorrelationId => Some(Cow::Borrowed(&envelope.correlation_id)),
            Place::CausationId => Some(Cow::Borrowed(&envelope.causation_id)),
            Place::Data(path) => find(event.data()?, path),
        }
    }
}

fn data_path(text: &str) -> Option<Box<[Box<str>]>> {
    let path: Box<[Box<str>]> = text.strip_prefix("eventData.")?.split('.').map(Into::into).collect();
    path.iter().all(|name| !name.is_empty()).then_some(path)
}

fn find<'a>(json: &'a [u8], path: &[Box<str>]) -> Option<Key<'a>> {
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    // The walk ends at the first find, in the middle of the text, which the parser reports as an error.
    let _ = Find { path, found: &mut found }.deserialize(&mut deserializer);
    found
}

struct Find<'p, 'de> {
    path: &'p [Box<str>],
    found: &'p mut Option<Key<'de>>,
}

impl<'de> DeserializeSeed<'de> for Find<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Find<'_, 'de> {
    fn scalar<E>(self, text: impl FnOnce() -> Key<'de>) -> Result<(), E> {
        if self.path.is_empty() {
            *self.found = Some(text());
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Find<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, an integer or a boolean")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.scalar(|| Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.scalar(|| Cow::Owned(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.scalar(|| Cow::Owned(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.scalar(|| Cow::Owned(number.to_string()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.scalar(|| Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((name, rest)) = self.path.split_first() else { return Ok(()) };
        while let Some(is_it) = map.next_key_seed(NameIs(name))? {
            if is_it {
                return map.next_value_seed(Find { path: rest, found: self.found });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Compares a field's name in place: an owned copy of each name would cost more than the rest of the walk.
struct NameIs<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for NameIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Headers;
    use crate::subject::Subject;

    fn event(data: &str) -> Event {
        let body = format!(
            r#"{{"eventId":"e1","eventType":"T","aggregateId":"a1","eventVersion":1,"occurredOn":"now","sagaId":"s1",
            "eventData":{data},"metadata":{{"publishedAt":"now","version":1,"correlationId":"c1","causationId":"e0"}}}}"#
        );
        Event::new(Subject::new("order.created").unwrap(), body.into(), Headers::default())
    }

    #[track_caller]
    fn check_key(path: &str, data: &str, expected: Option<&str>) {
        let event = event(data);
        assert_eq!(KeyPath::new(path).unwrap().of(&event).as_deref(), expected, "{path} of {data}");
    }

    #[test]
    fn envelope_fields_are_keys() {
        for (path, expected) in [
            ("aggregateId", "a1"),
            ("sagaId", "s1"),
            ("eventId", "e1"),
            ("correlationId", "c1"),
            ("metadata.correlationId", "c1"),
            ("causationId", "e0"),
        ] {
            check_key(path, "{}", Some(expected));
        }
    }

    #[test]
    fn payload_fields_are_found_at_any_depth() {
        check_key("eventData.orderId", r#"{"items":[{"orderId":"no"}],"orderId":"o1","more":1}"#, Some("o1"));
        check_key("eventData.a.b", r#"{"b":"no","a":{"c":[1],"b":"yes"}}"#, Some("yes"));
        check_key("eventData.orderId", r#"{"orderId":"with \"escape\""}"#, Some("with \"escape\""));
        check_key("eventData.n", r#"{"n":42}"#, Some("42"));
        check_key("eventData.n", r#"{"n":-1}"#, Some("-1"));
        check_key("eventData.n", r#"{"n":true}"#, Some("true"));
    }

    #[test]
    fn what_is_absent_or_cannot_be_a_key_is_none() {
        check_key("eventData.orderId", r#"{"order":"o1"}"#, None);
        check_key("eventData.orderId", r#"{"orderId":null}"#, None);
        check_key("eventData.orderId", r#"{"orderId":{"deep":"no"}}"#, None);
        check_key("eventData.orderId", r#"{"orderId":1.5}"#, None);
        check_key("eventData.a.b", r#"{"a":"text"}"#, None);
        check_key("eventData.orderId", r#"["orderId"]"#, None);
    }

    #[test]
    fn a_body_that_is_no_event_has_no_key() {
        let event = Event::new(Subject::new("order.created").unwrap(), "{".into(), Headers::default());
        assert_eq!(KeyPath::new("aggregateId").unwrap().of(&event), None);
    }

    #[test]
    fn other_places_are_refused_by_name() {
        for text in ["orderId", "eventData", "eventData.", "eventData.a..b", "", "metadata.version"] {
            let error = KeyPath::new(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no key")), "{error}");
        }
    }
}
