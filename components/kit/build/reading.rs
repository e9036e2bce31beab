//! Writes how each event type is read from a parsed JSON value.
//!
//! serde's derived readers are instantiated for every type with the whole parser in them: a third of a component's
//! code. These read what one parser, shared by all, has parsed.

use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use wit_bindgen_core::wit_parser::{Resolve, Type, TypeDef, TypeDefKind, TypeOwner};

/// Whether a type keeps serde's reader: its lists of pairs are objects, which need the parser itself.
pub fn keeps_derived(resolve: &Resolve, def: &TypeDef) -> bool {
    let TypeDefKind::Record(record) = &def.kind else { return false };
    record.fields.iter().any(|field| is_object(resolve, &field.ty))
}

/// A list of (name, value) is a JSON object.
pub fn is_object(resolve: &Resolve, ty: &Type) -> bool {
    let kind = |ty: &Type| match ty {
        Type::Id(id) => resolve.types.get(*id).map(|def| &def.kind),
        _ => None,
    };
    matches!(kind(ty), Some(TypeDefKind::List(element)) if matches!(kind(element), Some(TypeDefKind::Tuple(_))))
}

/// The readers of all types of `package`.
pub fn write(resolve: &Resolve, package: &str) -> Result<String> {
    let mut written = String::new();
    for (_, def) in resolve.types.iter() {
        let Some(path) = path(resolve, def, package) else { continue };
        let body = match &def.kind {
            _ if keeps_derived(resolve, def) => "serde_json::from_value(value).map_err(Fault::from)".to_owned(),
            TypeDefKind::Record(record) => {
                let mut body = "let mut fields = Fields::of(value)?; Ok(Self {".to_owned();
                for field in &record.fields {
                    write!(body, "{}: fields.take(\"{}\")?,", snake(&field.name), camel(&field.name))?;
                }
                body + "})"
            }
            TypeDefKind::Enum(names) => {
                let mut body = "match crate::value::name(&value)? {".to_owned();
                for case in &names.cases {
                    write!(body, "\"{}\" => Ok(Self::{}),", case.name, super::pascal(&case.name))?;
                }
                body + "other => Err(Fault::unknown(other)) }"
            }
            TypeDefKind::Variant(variant) => {
                let mut body = "let (name, value) = crate::value::case(value)?; match name.as_str() {".to_owned();
                for case in &variant.cases {
                    case.ty.with_context(|| format!("case {} of {path} has no payload", case.name))?;
                    let name = super::pascal(&case.name);
                    write!(body, "\"{}\" => FromValue::from_value(value).map(Self::{name}),", case.name)?;
                }
                body + "other => Err(Fault::unknown(other)) }"
            }
            _ => continue,
        };
        writeln!(
            written,
            "impl FromValue for {path} {{ fn from_value(value: Value) -> Result<Self, Fault> {{ {body} }} }}"
        )?;
        if !keeps_derived(resolve, def) {
            writeln!(
                written,
                "impl<'de> serde::Deserialize<'de> for {path} {{
                    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {{
                        crate::value::deserialize(reader)
                    }}
                }}"
            )?;
        }
    }
    Ok(written)
}

fn path(resolve: &Resolve, def: &TypeDef, package: &str) -> Option<String> {
    let TypeOwner::Interface(interface) = def.owner else { return None };
    let qualified = resolve.id_of(interface)?;
    let interface = qualified.strip_prefix(package)?.strip_prefix('/')?.split('@').next()?;
    Some(format!("super::{}::{}", snake(interface), super::pascal(def.name.as_ref()?)))
}

fn snake(kebab: &str) -> String {
    kebab.replace('-', "_")
}

fn camel(kebab: &str) -> String {
    let pascal = super::pascal(kebab);
    let mut chars = pascal.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
