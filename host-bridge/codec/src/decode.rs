//! Reading: straight from bytes to `Val`, led by the plan. Duplicate keys are errors, so that no two readers of one
//! event can see different values.

use super::error::{CodecError, Failure, Quoted, Trace};
use super::number::{Integer, whole};
use super::plan::{Plan, Record};
use super::text::{check_depth, is_rfc3339};
use rustc_hash::FxHashSet;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use wasmtime::component::Val;

/// Most elements reserved for a list ahead of reading them.
const RESERVED: usize = 8;

pub(super) fn decode(plan: &Plan, json: &[u8], root: &str) -> Result<Val, CodecError> {
    let trace = Trace::default();
    let mut json = serde_json::Deserializer::from_slice(json);
    let value = Seed { plan, trace: &trace }.deserialize(&mut json);
    value.and_then(|value| json.end().map(|()| value)).map_err(|error| trace.finish(&error, root))
}

/// A plan about to read.
#[derive(Clone, Copy)]
struct Seed<'p> {
    plan: &'p Plan,
    trace: &'p Trace,
}

impl<'p> Seed<'p> {
    fn of(self, plan: &'p Plan) -> Self {
        Self { plan, ..self }
    }

    #[cold]
    fn raise<E: Error>(self, reason: String) -> E {
        self.trace.raise(Failure::new(reason))
    }

    #[cold]
    fn mismatch<E: Error>(self, got: &dyn fmt::Display) -> E {
        self.trace.raise(Failure::mismatch(&self.plan.expectation(), got))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        match self.plan {
            Plan::Option(inner) => {
                let value = self.of(inner).required(json, true)?;
                Ok(if matches!(value, Val::Option(None)) { value } else { Val::Option(Some(Box::new(value))) })
            }
            _ => self.required(json, false),
        }
    }
}

impl<'de> Seed<'_> {
    /// Reads a value that is no option itself; where `nullable`, `null` is `Val::Option(None)`.
    fn required<D: Deserializer<'de>>(self, json: D, nullable: bool) -> Result<Val, D::Error> {
        match self.plan {
            Plan::Json => {
                let text = <&RawValue>::deserialize(json)?.get();
                if nullable && text == "null" {
                    return Ok(Val::Option(None));
                }
                check_depth(text).map_err(|reason| self.raise(reason))?;
                Ok(Val::String(text.to_owned()))
            }
            _ => json.deserialize_any(Reader { seed: self, nullable }),
        }
    }
}

/// Meets whatever the JSON has next.
struct Reader<'p> {
    seed: Seed<'p>,
    nullable: bool,
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seed.plan.expectation())
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        if self.nullable { Ok(Val::Option(None)) } else { Err(self.seed.mismatch(&"null")) }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Val, E> {
        match self.seed.plan {
            Plan::Bool => Ok(Val::Bool(value)),
            _ => Err(self.seed.mismatch(&value)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double to most of its readers")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Val, E> {
        match self.seed.plan {
            Plan::Integer(kind) => self.integer(*kind, i128::from(value)),
            Plan::F64 => Ok(Val::Float64(value as f64)),
            Plan::F32 => Ok(Val::Float32(value as f32)),
            _ => Err(self.seed.mismatch(&value)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double to most of its readers")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Val, E> {
        match self.seed.plan {
            Plan::Integer(kind) => self.integer(*kind, i128::from(value)),
            Plan::F64 => Ok(Val::Float64(value as f64)),
            Plan::F32 => Ok(Val::Float32(value as f32)),
            _ => Err(self.seed.mismatch(&value)),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounds; what overflows is refused")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Val, E> {
        match self.seed.plan {
            Plan::F64 => Ok(Val::Float64(value)),
            Plan::F32 if (value as f32).is_finite() => Ok(Val::Float32(value as f32)),
            Plan::Integer(kind) => match whole(value) {
                Some(value) => self.integer(*kind, i128::from(value)),
                None => Err(self.seed.mismatch(&format_args!("{value:?}"))),
            },
            _ => Err(self.seed.mismatch(&format_args!("{value:?}"))),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Val, E> {
        let read = match self.seed.plan {
            Plan::Text => Some(Val::String(text.to_owned())),
            Plan::Timestamp => is_rfc3339(text).then(|| Val::String(text.to_owned())),
            Plan::Enum(cases) => cases.iter().find(|case| *case == text).cloned().map(Val::Enum),
            Plan::Char => only_character(text).map(Val::Char),
            Plan::Variant(cases) => match cases.iter().find(|(name, _)| name == text) {
                Some((name, None)) => Some(Val::Variant(name.clone(), None)),
                _ => None,
            },
            _ => None,
        };
        read.ok_or_else(|| self.seed.mismatch(&Quoted(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Val, A::Error> {
        match self.seed.plan {
            Plan::List(item) => self.seed.list(self.seed.of(item), items),
            Plan::Tuple(parts) => self.seed.tuple(parts, items),
            Plan::Flags(names) => self.seed.flags(names, items),
            _ => Err(self.seed.mismatch(&"an array")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Val, A::Error> {
        match self.seed.plan {
            Plan::Record(record) => self.seed.record(record, entries),
            Plan::Map(value) => self.seed.map(self.seed.of(value), entries),
            Plan::Variant(_) | Plan::Result { .. } => self.seed.case(entries),
            _ => Err(self.seed.mismatch(&"an object")),
        }
    }
}

impl Reader<'_> {
    fn integer<E: Error>(&self, kind: Integer, value: i128) -> Result<Val, E> {
        kind.value(value).ok_or_else(|| self.seed.trace.raise(Failure::mismatch(kind.range(), &value)))
    }
}

fn only_character(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

impl<'p> Seed<'p> {
    fn list<'de, A: SeqAccess<'de>>(self, item: Self, mut items: A) -> Result<Val, A::Error> {
        let mut values = Vec::with_capacity(items.size_hint().unwrap_or(0).min(RESERVED));
        while let Some(value) = items.next_element_seed(item).map_err(|e| self.trace.at(e, values.len()))? {
            values.push(value);
        }
        Ok(Val::List(values))
    }

    fn tuple<'de, A: SeqAccess<'de>>(self, parts: &'p [std::sync::Arc<Plan>], mut items: A) -> Result<Val, A::Error> {
        let mut values = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            match items.next_element_seed(self.of(part)).map_err(|e| self.trace.at(e, index))? {
                Some(value) => values.push(value),
                None => return Err(self.mismatch(&format!("one of {index}"))),
            }
        }
        match items.next_element::<IgnoredAny>()? {
            None => Ok(Val::Tuple(values)),
            Some(_) => Err(self.mismatch(&"a longer one")),
        }
    }

    fn flags<'de, A: SeqAccess<'de>>(self, names: &[String], mut items: A) -> Result<Val, A::Error> {
        let mut set: Vec<String> = Vec::new();
        while let Some(flag) =
            items.next_element::<std::borrow::Cow<'_, str>>().map_err(|e| self.trace.at(e, set.len()))?
        {
            match names.iter().find(|name| **name == *flag) {
                Some(name) if !set.contains(name) => set.push(name.clone()),
                Some(name) => return Err(self.raise(format!("{} appears twice", Quoted(name)))),
                None => return Err(self.mismatch(&Quoted(&flag))),
            }
        }
        Ok(Val::Flags(set))
    }

    fn record<'de, A: MapAccess<'de>>(self, record: &'p Record, mut entries: A) -> Result<Val, A::Error> {
        let mut values = Vec::with_capacity(record.fields.len());
        values.resize_with(record.fields.len(), || (String::new(), Val::Option(None)));
        let mut next = 0;
        while let Some(found) = entries.next_key_seed(KeySeed { record, next })? {
            let (Some(field), Some(slot)) = (record.fields.get(found), values.get_mut(found)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if !slot.0.is_empty() {
                return Err(self.trace.within(self.raise("appears twice".into()), &field.key));
            }
            let value = entries.next_value_seed(self.of(&field.plan));
            slot.1 = value.map_err(|error| self.trace.within(error, &field.key))?;
            slot.0.clone_from(&field.name);
            next = found + 1;
        }
        self.fill(record, &mut values)?;
        Ok(Val::Record(values))
    }

    /// What was absent: `none` for an option, an error else.
    fn fill<E: Error>(self, record: &Record, values: &mut [(String, Val)]) -> Result<(), E> {
        for (field, slot) in record.fields.iter().zip(values).filter(|(_, slot)| slot.0.is_empty()) {
            if !field.plan.is_optional() {
                let expected = field.plan.expectation();
                return Err(self.trace.within(self.raise(format!("missing: expected {expected}")), &field.key));
            }
            slot.0.clone_from(&field.name);
        }
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(self, value: Self, mut entries: A) -> Result<Val, A::Error> {
        let mut pairs = Vec::new();
        let mut seen = FxHashSet::default();
        while let Some(key) = entries.next_key::<String>()? {
            let read = entries.next_value_seed(value).map_err(|error| self.trace.within(error, &key))?;
            if !seen.insert(key.clone()) {
                return Err(self.trace.within(self.raise("appears twice".into()), &key));
            }
            pairs.push(Val::Tuple(vec![Val::String(key), read]));
        }
        Ok(Val::List(pairs))
    }

    /// `{"case": value}` of a variant, `{"ok": value}` or `{"err": value}` of a result.
    fn case<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Val, A::Error> {
        let Some(name) = entries.next_key::<String>()? else { return Err(self.mismatch(&"an empty object")) };
        let Some(payload) = self.payload(&name) else { return Err(self.mismatch(&Quoted(&name))) };
        let value = match payload {
            Some(plan) => entries.next_value_seed(self.of(plan)).map(|value| Some(Box::new(value))),
            None => entries.next_value::<()>().map(|()| None),
        };
        let value = value.map_err(|error| self.trace.within(error, &name))?;
        if entries.next_key::<IgnoredAny>()?.is_some() {
            return Err(self.mismatch(&"an object with more keys"));
        }
        Ok(match self.plan {
            Plan::Result { .. } => Val::Result(if name == "ok" { Ok(value) } else { Err(value) }),
            _ => Val::Variant(name, value),
        })
    }

    /// What the case of this name carries; `None` where there is no such case.
    #[expect(clippy::option_option, reason = "no case and no payload are two things")]
    fn payload(self, name: &str) -> Option<Option<&'p Plan>> {
        match (self.plan, name) {
            (Plan::Result { ok, .. }, "ok") => Some(ok.as_deref()),
            (Plan::Result { err, .. }, "err") => Some(err.as_deref()),
            (Plan::Variant(cases), _) => cases.iter().find(|case| case.0 == name).map(|case| case.1.as_deref()),
            _ => None,
        }
    }
}

/// Finds a key's field: mostly the one after the last, since most writers keep the order of the WIT. `usize::MAX` is
/// no field.
struct KeySeed<'p> {
    record: &'p Record,
    next: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<usize, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        let fields = &self.record.fields;
        if fields.get(self.next).is_some_and(|field| field.key == key) {
            return Ok(self.next);
        }
        Ok(fields.iter().position(|field| field.key == key).unwrap_or(usize::MAX))
    }
}
