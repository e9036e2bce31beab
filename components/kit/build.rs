//! Generates the event types from `wit/`: wit-bindgen's Rust with serde attributes for the wire, and the registry of
//! subjects and event types.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use wit_bindgen_core::wit_parser::{Resolve, Type, TypeDefKind, TypeId, TypeOwner};
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::Opts;

#[path = "build/shape.rs"]
mod shape;

const PACKAGE: &str = "a4co:marketplace";
const VERSION: &str = "1.0.0";
/// The variant of all events.
const EVENT: &str = "event";

fn main() -> Result<()> {
    let wit = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    let mut resolve = Resolve::default();
    resolve.push_dir(&wit).with_context(|| format!("reading {}", wit.display()))?;
    let types = format!("package a4co:kit;\nworld types {{ import {PACKAGE}/delivery@{VERSION}; }}");
    let package = resolve.push_str("types.wit", &types)?;
    let world = resolve.select_world(&[package], Some("types"))?;

    let registry = registry(&resolve)?;
    let mut files = Files::default();
    options(&resolve).build().generate(&mut resolve, world, &mut files)?;
    let (_, bindings) = files.iter().next().context("wit-bindgen wrote nothing")?;

    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    write(&out.join("bindings.rs"), bindings)?;
    write(&out.join("registry.rs"), registry.as_bytes())
}

fn write(path: &Path, contents: &[u8]) -> Result<()> {
    std::fs::write(path, contents).with_context(|| format!("writing {}", path.display()))
}

/// wit-bindgen's options: plain data, and on every type what makes its JSON the wire's.
fn options(resolve: &Resolve) -> Opts {
    let mut options = Opts {
        generate_all: true,
        generate_unused_types: true,
        pub_export_macro: true,
        runtime_path: Some("::wit_bindgen::rt".to_owned()),
        additional_derive_attributes: ["PartialEq", "serde::Serialize", "serde::Deserialize"].map(str::to_owned).into(),
        // Its JSON is written and read by table: the derives would bring every payload's.
        additional_derive_ignore: vec![EVENT.to_owned()],
        ..Opts::default()
    };
    for (id, def) in resolve.types.iter() {
        let Some(name) = qualified_name(resolve, id) else { continue };
        match &def.kind {
            TypeDefKind::Record(record) => {
                let attribute = "#[serde(rename_all = \"camelCase\")]".to_owned();
                options.additional_type_attributes.push((name.clone(), attribute));
                for field in &record.fields {
                    if let Some(attribute) = field_attribute(resolve, &field.ty) {
                        let member = format!("{name}.{}", field.name);
                        options.additional_member_attributes.push((member, attribute.to_owned()));
                    }
                }
            }
            TypeDefKind::Enum(_) | TypeDefKind::Variant(_) if def.name.as_deref() != Some(EVENT) => {
                let attribute = "#[serde(rename_all = \"kebab-case\")]".to_owned();
                options.additional_type_attributes.push((name, attribute));
            }
            _ => {}
        }
    }
    options
}

/// `a4co:marketplace/order@1.0.0/order-created`, as wit-bindgen's selectors name the types of our package.
fn qualified_name(resolve: &Resolve, id: TypeId) -> Option<String> {
    let def = resolve.types.get(id)?;
    let TypeOwner::Interface(interface) = def.owner else { return None };
    let qualified = resolve.id_of(interface)?;
    qualified.starts_with(PACKAGE).then_some(())?;
    Some(format!("{qualified}/{}", def.name.as_ref()?))
}

/// serde's attributes: a record may also be part of a state or of an answer.
fn field_attribute(resolve: &Resolve, ty: &Type) -> Option<&'static str> {
    if *ty == Type::F64 {
        return Some("#[serde(serialize_with = \"crate::wire::number\")]");
    }
    let Type::Id(id) = ty else { return None };
    match &resolve.types.get(*id)?.kind {
        TypeDefKind::Option(Type::F64) => Some(
            "#[serde(default, skip_serializing_if = \"Option::is_none\", serialize_with = \"crate::wire::optional_number\")]",
        ),
        TypeDefKind::Option(_) => Some("#[serde(default, skip_serializing_if = \"Option::is_none\")]"),
        TypeDefKind::List(Type::Id(element)) => match &resolve.types.get(*element)?.kind {
            TypeDefKind::Tuple(_) => Some("#[serde(with = \"crate::wire::json_object\")]"),
            _ => None,
        },
        _ => None,
    }
}

/// `impl Event`: for each case its subject, its `eventType`, and its payload's way to and from JSON.
fn registry(resolve: &Resolve) -> Result<String> {
    let event = resolve
        .types
        .iter()
        .find_map(|(_, def)| match &def.kind {
            TypeDefKind::Variant(variant) if def.name.as_deref() == Some(EVENT) => Some(variant),
            _ => None,
        })
        .context("wit/delivery.wit has no variant `event`")?;
    ensure!(!event.cases.is_empty(), "variant `event` has no case");
    let (mut subjects, mut types, mut write, mut read) = <(String, String, String, String)>::default();
    let (mut shapes, mut same) = <(String, String)>::default();
    let mut tables = shape::Tables::new(resolve);
    for case in &event.cases {
        let subject = case.name.replace('-', ".");
        let variant = pascal(&case.name);
        let Some(Type::Id(payload)) = case.ty else { anyhow::bail!("case {} has no record", case.name) };
        let record = resolve.types.get(payload).and_then(|def| def.name.as_deref()).context("a nameless payload")?;
        writeln!(subjects, "Self::{variant}(_) => \"{subject}\",")?;
        writeln!(types, "Self::{variant}(_) => \"{}Event\",", pascal(record))?;
        writeln!(write, "Self::{variant}(data) => crate::wire::Writer::json(data),")?;
        writeln!(same, "(Self::{variant}(one), Self::{variant}(other)) => one == other,")?;
        writeln!(shapes, "\"{subject}\" => &{},", tables.of(&Type::Id(payload))?)?;
        writeln!(read, "\"{subject}\" => Self::{variant}(nodes.finish()?),")?;
    }
    let tables = tables.written;
    Ok(format!(
        "{tables}
impl Event {{
    /// The subject it is published under.
    #[must_use] pub fn subject(&self) -> &'static str {{ match self {{ {subjects} }} }}
    /// Its `eventType` on the wire.
    #[must_use] pub fn event_type(&self) -> &'static str {{ match self {{ {types} }} }}
    /// Its `eventData` as JSON text.
    ///
    /// # Errors
    /// Where a number is not finite.
    pub fn data(&self) -> Result<String, crate::wire::WireError> {{ match self {{ {write} }} }}
    /// Reads `eventData` of a subject.
    ///
    /// # Errors
    /// Where the subject is unknown or the data does not fit it.
    pub fn read(subject: &str, data: &str) -> Result<Self, crate::wire::WireError> {{
        crate::wire::read_data(subject, data)
    }}
    /// The event of a subject, made of what was read.
    ///
    /// # Errors
    /// Where the subject is unknown.
    pub fn of_nodes(subject: &str, nodes: crate::wire::Nodes) -> Result<Self, crate::wire::WireError> {{
        Ok(match subject {{ {read} other => return Err(crate::wire::WireError::unknown_subject(other)) }})
    }}
    /// What `eventData` of a subject looks like; `None` where no event has it.
    #[must_use] pub fn shape(subject: &str) -> Option<&'static crate::wire::Shape<'static>> {{
        Some(match subject {{ {shapes} _ => return None }})
    }}
}}
impl PartialEq for Event {{
    fn eq(&self, other: &Self) -> bool {{ match (self, other) {{ {same} _ => false }} }}
}}"
    ))
}

fn pascal(kebab: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    };
    kebab.split('-').map(capital).collect()
}
