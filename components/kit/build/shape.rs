//! Writes the shape of every record as a table (what the JSON of a payload looks like), and how its type is made of what
//! was read and written again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use wit_bindgen_core::wit_parser::{Enum, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner};

/// The tables so far.
pub struct Tables<'a> {
    resolve: &'a Resolve,
    seen: BTreeSet<String>,
    /// As Rust: a `static` a record.
    pub written: String,
}

impl<'a> Tables<'a> {
    pub fn new(resolve: &'a Resolve) -> Self {
        Self { resolve, seen: BTreeSet::new(), written: String::new() }
    }

    /// The shape of a type, as an expression.
    pub fn of(&mut self, ty: &Type) -> Result<String> {
        let integer = |least: String, most: String| format!("crate::wire::Shape::Integer({least}, {most})");
        Ok(match ty {
            Type::String => "crate::wire::Shape::Text".to_owned(),
            Type::Bool => "crate::wire::Shape::Bool".to_owned(),
            Type::F64 => "crate::wire::Shape::Number".to_owned(),
            Type::U8 => integer("0".to_owned(), u8::MAX.to_string()),
            Type::U16 => integer("0".to_owned(), u16::MAX.to_string()),
            Type::U32 => integer("0".to_owned(), u32::MAX.to_string()),
            Type::U64 => integer("0".to_owned(), u64::MAX.to_string()),
            Type::S32 => integer(i32::MIN.to_string(), i32::MAX.to_string()),
            Type::S64 => integer(i64::MIN.to_string(), i64::MAX.to_string()),
            Type::Id(id) => self.defined(*id)?,
            other => bail!("{other:?} has no shape yet: teach it to build/shape.rs"),
        })
    }

    fn defined(&mut self, id: TypeId) -> Result<String> {
        let resolve = self.resolve;
        let def = resolve.types.get(id).context("an undefined type")?;
        match &def.kind {
            TypeDefKind::Type(aliased) => match def.name.as_deref() {
                Some("timestamp") => Ok("crate::wire::Shape::Timestamp".to_owned()),
                Some("json") => Ok("crate::wire::Shape::Json".to_owned()),
                _ => self.of(aliased),
            },
            TypeDefKind::Option(inner) => Ok(format!("crate::wire::Shape::Option(&{})", self.of(inner)?)),
            TypeDefKind::List(item) => match map_value(resolve, item) {
                Some(value) => Ok(format!("crate::wire::Shape::Map(&{})", self.of(&value)?)),
                None => Ok(format!("crate::wire::Shape::List(&{})", self.of(item)?)),
            },
            TypeDefKind::Enum(cases) => {
                self.write_enum(def, cases)?;
                let names: Vec<_> = cases.cases.iter().map(|case| format!("\"{}\"", case.name)).collect();
                Ok(format!("crate::wire::Shape::Enum(&[{}])", names.join(", ")))
            }
            TypeDefKind::Record(record) => {
                let name = static_name(resolve, def)?;
                if self.seen.insert(name.clone()) {
                    let (mut fields, mut reads, mut writes) = <(String, String, String)>::default();
                    for field in &record.fields {
                        let shape = self.of(&field.ty).with_context(|| format!("field {}", field.name))?;
                        let (key, ident) = (camel(&field.name), field.name.replace('-', "_"));
                        write!(fields, "crate::wire::Field {{ key: \"{key}\", shape: &{shape} }}, ")?;
                        write!(reads, "{ident}: nodes.read(), ")?;
                        let way = if shape.starts_with("crate::wire::Shape::Map(") { "object" } else { "field" };
                        writeln!(writes, "writer.{way}(\"{key}\", &self.{ident});")?;
                    }
                    let path = path(resolve, def)?;
                    writeln!(
                        self.written,
                        "impl crate::wire::Read for {path} {{
    fn read(nodes: &mut crate::wire::Nodes) -> Self {{ Self {{ {reads} }} }}
}}
impl crate::wire::Write for {path} {{
    fn write(&self, writer: &mut crate::wire::Writer) {{ writer.open(); {writes} writer.close(); }}
}}"
                    )?;
                    let head = format!("static {name}: crate::wire::Shape<'static>");
                    writeln!(self.written, "{head} = crate::wire::Shape::Record(&[{fields}]);")?;
                }
                Ok(name)
            }
            other => bail!("a {} has no shape yet: teach it to build/shape.rs", other.as_str()),
        }
    }
}

impl Tables<'_> {
    fn write_enum(&mut self, def: &TypeDef, cases: &Enum) -> Result<()> {
        let path = path(self.resolve, def)?;
        if !self.seen.insert(path.clone()) {
            return Ok(());
        }
        let (mut reads, mut writes) = <(String, String)>::default();
        for (place, case) in cases.cases.iter().enumerate() {
            let (variant, name) = (crate::pascal(&case.name), &case.name);
            // The last one also stands for what the shape does not let through.
            let place = if place + 1 < cases.cases.len() { place.to_string() } else { "_".to_owned() };
            write!(reads, "{place} => Self::{variant}, ")?;
            write!(writes, "Self::{variant} => \"{name}\", ")?;
        }
        writeln!(
            self.written,
            "impl crate::wire::Read for {path} {{
    fn read(nodes: &mut crate::wire::Nodes) -> Self {{ match nodes.case() {{ {reads} }} }}
}}
impl crate::wire::Write for {path} {{
    fn write(&self, writer: &mut crate::wire::Writer) {{ writer.string(match self {{ {writes} }}); }}
}}"
        )?;
        Ok(())
    }
}

/// `crate::events::order::OrderCreated`.
fn path(resolve: &Resolve, def: &TypeDef) -> Result<String> {
    let TypeOwner::Interface(interface) = def.owner else { bail!("a type outside an interface") };
    let interface = resolve.interfaces.get(interface).and_then(|it| it.name.as_deref()).context("no interface")?;
    let name = def.name.as_deref().context("a nameless type")?;
    Ok(format!("crate::events::{}::{}", interface.replace('-', "_"), crate::pascal(name)))
}

/// `T`, where `item` is a `tuple<string, T>`.
fn map_value(resolve: &Resolve, item: &Type) -> Option<Type> {
    let Type::Id(id) = item else { return None };
    match &resolve.types.get(*id)?.kind {
        TypeDefKind::Tuple(tuple) => match tuple.types.as_slice() {
            [Type::String, value] => Some(*value),
            _ => None,
        },
        _ => None,
    }
}

fn static_name(resolve: &Resolve, def: &TypeDef) -> Result<String> {
    let TypeOwner::Interface(interface) = def.owner else { bail!("a record outside an interface") };
    let interface = resolve.interfaces.get(interface).and_then(|it| it.name.as_deref()).context("no interface")?;
    let name = format!("{interface}_{}", def.name.as_deref().context("a nameless record")?);
    Ok(name.replace('-', "_").to_ascii_uppercase())
}

fn camel(kebab: &str) -> String {
    let mut camel = String::new();
    for (place, word) in kebab.split('-').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if place > 0 => camel.extend(first.to_uppercase()),
            Some(first) => camel.push(first),
            None => {}
        }
        camel.extend(letters);
    }
    camel
}
