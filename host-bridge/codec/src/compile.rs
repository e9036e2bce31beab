//! From WIT types to plans.

use super::names::camel_case;
use super::number::Integer;
use super::plan::{Field, Plan, Record};
use std::collections::HashMap;
use std::sync::Arc;
use wit_parser::{Resolve, Type, TypeDef, TypeDefKind, TypeId};

/// A type without a JSON form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{within}{what} has no JSON form")]
pub struct Unsupported {
    /// The names of the types it lies in: `order-created.items: `.
    within: String,
    /// What it is: `a resource`.
    what: String,
}

impl Unsupported {
    fn new(what: &str) -> Self {
        Self { within: String::new(), what: what.to_owned() }
    }

    fn inside(mut self, name: &str) -> Self {
        let separator = if self.within.is_empty() { ": " } else { "." };
        self.within = format!("{name}{separator}{}", self.within);
        self
    }
}

/// Compiles the types of one component, each once.
#[derive(Debug)]
pub struct Compiler<'r> {
    resolve: &'r Resolve,
    compiled: HashMap<TypeId, Arc<Plan>>,
}

impl<'r> Compiler<'r> {
    /// A compiler for the types of `resolve`.
    #[must_use]
    pub fn new(resolve: &'r Resolve) -> Self {
        Self { resolve, compiled: HashMap::new() }
    }

    /// The plan of `ty`. Recursion is bounded: WIT types are finite, and a binary with types nested deeper than a
    /// hundred levels is refused by its validation.
    ///
    /// # Errors
    /// Where the type, or one in it, has no JSON form.
    pub fn plan(&mut self, ty: &Type) -> Result<Arc<Plan>, Unsupported> {
        let Type::Id(id) = ty else { return primitive(ty).map(Arc::new) };
        if let Some(plan) = self.compiled.get(id) {
            return Ok(Arc::clone(plan));
        }
        let plan = self.defined(*id)?;
        self.compiled.insert(*id, Arc::clone(&plan));
        Ok(plan)
    }

    fn defined(&mut self, id: TypeId) -> Result<Arc<Plan>, Unsupported> {
        let resolve = self.resolve;
        let Some(def) = resolve.types.get(id) else { return Err(Unsupported::new("an undefined type")) };
        let plan = match &def.kind {
            TypeDefKind::Type(aliased) => match meaning(resolve, def) {
                Some(plan) => plan,
                None => return self.plan(aliased),
            },
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| self.field(&field.name, &field.ty));
                Plan::Record(Record { fields: fields.collect::<Result<_, _>>().map_err(|e| named(e, def))? })
            }
            TypeDefKind::Enum(cases) => Plan::Enum(cases.cases.iter().map(|case| case.name.clone()).collect()),
            TypeDefKind::Flags(flags) => Plan::Flags(flags.flags.iter().map(|flag| flag.name.clone()).collect()),
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let payload = self.optional(case.ty.as_ref()).map_err(|e| e.inside(&case.name))?;
                    Ok((case.name.clone(), payload))
                });
                Plan::Variant(cases.collect::<Result<_, _>>().map_err(|e| named(e, def))?)
            }
            TypeDefKind::Tuple(tuple) => {
                Plan::Tuple(tuple.types.iter().map(|part| self.plan(part)).collect::<Result<_, _>>()?)
            }
            TypeDefKind::List(item) => match self.map_value(item) {
                Some(value) => Plan::Map(self.plan(&value)?),
                None => Plan::List(self.plan(item)?),
            },
            TypeDefKind::Option(inner) => self.option(inner)?,
            TypeDefKind::Result(result) => {
                Plan::Result { ok: self.optional(result.ok.as_ref())?, err: self.optional(result.err.as_ref())? }
            }
            other => return Err(named(Unsupported::new(&format!("a {}", other.as_str())), def)),
        };
        Ok(Arc::new(plan))
    }

    fn field(&mut self, name: &str, ty: &Type) -> Result<Field, Unsupported> {
        let plan = self.plan(ty).map_err(|e| e.inside(name))?;
        Ok(Field::new(name, camel_case(name), plan))
    }

    fn optional(&mut self, ty: Option<&Type>) -> Result<Option<Arc<Plan>>, Unsupported> {
        ty.map(|ty| self.plan(ty)).transpose()
    }

    fn option(&mut self, inner: &Type) -> Result<Plan, Unsupported> {
        let inner = self.plan(inner)?;
        if inner.is_optional() {
            return Err(Unsupported::new("an option of an option"));
        }
        Ok(Plan::Option(inner))
    }

    /// `T`, where `item` is a `tuple<string, T>`.
    fn map_value(&self, item: &Type) -> Option<Type> {
        let TypeDefKind::Tuple(tuple) = &definition(self.resolve, item)?.kind else { return None };
        match tuple.types.as_slice() {
            [key, value] if resolved(self.resolve, key) == Type::String && !is_special(self.resolve, key) => {
                Some(*value)
            }
            _ => None,
        }
    }
}

/// The type behind all aliases.
#[must_use]
pub fn resolved(resolve: &Resolve, ty: &Type) -> Type {
    let mut ty = *ty;
    while let Type::Id(id) = ty {
        match resolve.types.get(id).map(|def| &def.kind) {
            Some(TypeDefKind::Type(aliased)) => ty = *aliased,
            _ => break,
        }
    }
    ty
}

/// The definition behind all aliases; `None` for a primitive type.
#[must_use]
pub fn definition<'r>(resolve: &'r Resolve, ty: &Type) -> Option<&'r TypeDef> {
    match resolved(resolve, ty) {
        Type::Id(id) => resolve.types.get(id),
        _ => None,
    }
}

/// What the alias `json` or `timestamp` of a string means.
fn meaning(resolve: &Resolve, alias: &TypeDef) -> Option<Plan> {
    let TypeDefKind::Type(aliased) = &alias.kind else { return None };
    match (alias.name.as_deref(), resolved(resolve, aliased)) {
        (Some("json"), Type::String) => Some(Plan::Json),
        (Some("timestamp"), Type::String) => Some(Plan::Timestamp),
        _ => None,
    }
}

/// Whether `json` or `timestamp` stands anywhere in the chain of aliases.
fn is_special(resolve: &Resolve, ty: &Type) -> bool {
    let mut ty = *ty;
    while let Type::Id(id) = ty {
        let Some(def) = resolve.types.get(id) else { return false };
        let TypeDefKind::Type(aliased) = &def.kind else { return false };
        if meaning(resolve, def).is_some() {
            return true;
        }
        ty = *aliased;
    }
    false
}

fn named(error: Unsupported, def: &TypeDef) -> Unsupported {
    match &def.name {
        Some(name) => error.inside(name),
        None => error,
    }
}

fn primitive(ty: &Type) -> Result<Plan, Unsupported> {
    Ok(match ty {
        Type::Bool => Plan::Bool,
        Type::U8 => Plan::Integer(Integer::U8),
        Type::U16 => Plan::Integer(Integer::U16),
        Type::U32 => Plan::Integer(Integer::U32),
        Type::U64 => Plan::Integer(Integer::U64),
        Type::S8 => Plan::Integer(Integer::S8),
        Type::S16 => Plan::Integer(Integer::S16),
        Type::S32 => Plan::Integer(Integer::S32),
        Type::S64 => Plan::Integer(Integer::S64),
        Type::F32 => Plan::F32,
        Type::F64 => Plan::F64,
        Type::Char => Plan::Char,
        Type::String => Plan::Text,
        Type::ErrorContext | Type::Id(_) => return Err(Unsupported::new("an error-context")),
    })
}
