//! Random values of random types: written, read back, the same. And random damage never does more than an error.

use super::{Plan, compile, decode, encode};
use crate::Integer;
use proptest::prelude::*;
use std::fmt::Write;
use wasmtime::component::Val;

/// A WIT type to be.
#[derive(Debug, Clone)]
enum Shape {
    Named(&'static str),
    List(Box<Shape>),
    Map(Box<Shape>),
    Option(Box<Shape>),
    Tuple(Vec<Shape>),
    Result(Box<Shape>, Box<Shape>),
    Record(Vec<Shape>),
    Variant(Vec<Shape>),
    Enum(usize),
    Flags(usize),
}

const PRIMITIVES: [&str; 15] =
    ["bool", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "char", "string", "json", "timestamp"];

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        6 => proptest::sample::select(PRIMITIVES.as_slice()).prop_map(Shape::Named),
        1 => (1..40_usize).prop_map(Shape::Enum),
        1 => (1..40_usize).prop_map(Shape::Flags),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 1..5);
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed().prop_map(Shape::List),
            boxed().prop_map(Shape::Map),
            boxed().prop_map(Shape::Option),
            some().prop_map(Shape::Tuple),
            (boxed(), boxed()).prop_map(|(ok, err)| Shape::Result(ok, err)),
            some().prop_map(Shape::Record),
            some().prop_map(Shape::Variant),
        ]
    })
}

/// Writes definitions down and names types.
#[derive(Default)]
struct Writer {
    definitions: String,
    defined: usize,
}

impl Writer {
    fn name(&mut self, shape: &Shape) -> String {
        match shape {
            Shape::Named(name) => (*name).to_owned(),
            Shape::List(item) => format!("list<{}>", self.name(item)),
            Shape::Map(value) => format!("list<tuple<string, {}>>", self.name(value)),
            // An option of an option has no JSON form.
            Shape::Option(inner) => match &**inner {
                Shape::Option(_) => self.name(inner),
                _ => format!("option<{}>", self.name(inner)),
            },
            Shape::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.name(part)).collect();
                format!("tuple<{}>", parts.join(", "))
            }
            Shape::Result(ok, err) => format!("result<{}, {}>", self.name(ok), self.name(err)),
            Shape::Record(parts) => {
                let fields = parts.iter().enumerate().map(|(i, part)| format!("field-n{i}: {}", self.name(part)));
                let fields: Vec<_> = fields.collect();
                self.define("record", &fields)
            }
            Shape::Variant(parts) => {
                let cases = parts.iter().enumerate().map(|(i, part)| format!("case-n{i}({})", self.name(part)));
                let cases: Vec<_> = cases.chain(["empty".to_owned()]).collect();
                self.define("variant", &cases)
            }
            Shape::Enum(size) => self.define("enum", &names(*size)),
            Shape::Flags(size) => self.define("flags", &names(*size)),
        }
    }

    fn define(&mut self, keyword: &str, members: &[String]) -> String {
        let name = format!("defined-n{}", self.defined);
        self.defined += 1;
        writeln!(self.definitions, "{keyword} {name} {{ {} }}", members.join(", ")).unwrap();
        name
    }
}

fn names(size: usize) -> Vec<String> {
    (0..size).map(|i| format!("name-n{i}")).collect()
}

fn plan_of(shape: &Shape) -> std::sync::Arc<Plan> {
    let mut writer = Writer::default();
    let name = writer.name(shape);
    let definitions = writer.definitions;
    compile(&format!("type json = string; type timestamp = string;\n{definitions}\ntype subject = {name};")).unwrap()
}

/// Numbers out of a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    fn text(&mut self) -> String {
        (0..self.below(6)).map(|_| char::from_u32(self.roll() as u32 % 0x2_0000).unwrap_or('"')).collect()
    }

    fn float(&mut self) -> f64 {
        let float = f64::from_bits(self.roll());
        if float.is_finite() { float } else { self.below(1000) as f64 / 8.0 }
    }

    fn integer(&mut self, kind: Integer) -> Val {
        match kind {
            Integer::U8 => Val::U8(self.roll() as u8),
            Integer::U16 => Val::U16(self.roll() as u16),
            Integer::U32 => Val::U32(self.roll() as u32),
            Integer::U64 => Val::U64(self.roll()),
            Integer::S8 => Val::S8(self.roll() as i8),
            Integer::S16 => Val::S16(self.roll() as i16),
            Integer::S32 => Val::S32(self.roll() as i32),
            Integer::S64 => Val::S64(self.roll() as i64),
        }
    }

    fn several(&mut self, plan: &Plan) -> Vec<Val> {
        (0..self.below(4)).map(|_| self.value(plan)).collect()
    }

    fn value(&mut self, plan: &Plan) -> Val {
        match plan {
            Plan::Bool => Val::Bool(self.below(2) == 0),
            Plan::Integer(kind) => self.integer(*kind),
            Plan::F64 => Val::Float64(self.float()),
            Plan::F32 => Val::Float32(f32::from_bits(self.roll() as u32)).finite(),
            Plan::Char => Val::Char(char::from_u32(self.roll() as u32 % 0x11_0000).unwrap_or('\0')),
            Plan::Text => Val::String(self.text()),
            Plan::Json => {
                let text = self.text();
                Val::String(serde_json::json!({ "a": [text, null, 1.5] }).to_string())
            }
            Plan::Timestamp => Val::String(format!("{:04}-12-31T23:59:59.9Z", self.below(9999))),
            Plan::Option(inner) => {
                let some = self.below(2) == 0;
                Val::Option(some.then(|| Box::new(self.value(inner))))
            }
            Plan::List(item) => Val::List(self.several(item)),
            Plan::Map(value) => {
                let values = self.several(value).into_iter().enumerate();
                let pair = |(i, value)| Val::Tuple(vec![Val::String(format!("{i}{}", '\u{e9}')), value]);
                Val::List(values.map(pair).collect())
            }
            Plan::Tuple(parts) => Val::Tuple(parts.iter().map(|part| self.value(part)).collect()),
            Plan::Record(record) => {
                Val::Record(record.fields.iter().map(|f| (f.name.clone(), self.value(&f.plan))).collect())
            }
            Plan::Enum(cases) => Val::Enum(cases[self.below(cases.len())].clone()),
            Plan::Flags(names) => Val::Flags(names.iter().filter(|_| self.below(2) == 0).cloned().collect()),
            Plan::Variant(cases) => {
                let (name, payload) = &cases[self.below(cases.len())];
                Val::Variant(name.clone(), payload.as_ref().map(|plan| Box::new(self.value(plan))))
            }
            Plan::Result { ok, err } => {
                let side = if self.below(2) == 0 { ok } else { err };
                let value = side.as_ref().map(|plan| Box::new(self.value(plan)));
                Val::Result(if std::ptr::eq(side, ok) { Ok(value) } else { Err(value) })
            }
        }
    }
}

trait Finite {
    fn finite(self) -> Self;
}

impl Finite for Val {
    fn finite(self) -> Self {
        match self {
            Self::Float32(float) if !float.is_finite() => Self::Float32(0.3),
            other => other,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(shape in shapes(), seed: u64) {
        let plan = plan_of(&shape);
        let mut dice = Dice(seed);
        for _ in 0..8 {
            let value = dice.value(&plan);
            let json = encode(&plan, &value).unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
            let read = decode(&plan, &json);
            prop_assert_eq!(read.as_ref(), Ok(&value), "{}", json);
        }
    }

    #[test]
    fn damage_is_an_error_or_another_value(shape in shapes(), seed: u64) {
        let plan = plan_of(&shape);
        let mut dice = Dice(seed);
        let value = dice.value(&plan);
        let mut json = encode(&plan, &value).unwrap().into_bytes();
        for _ in 0..20 {
            let place = dice.below(json.len());
            json[place] = dice.roll() as u8;
            match decode(&plan, &json) {
                Ok(read) => prop_assert!(encode(&plan, &read).is_ok()),
                Err(error) => prop_assert!(error.starts_with("eventData"), "{}", error),
            }
        }
    }
}
