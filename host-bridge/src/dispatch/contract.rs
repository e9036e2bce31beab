//! Finds the event handler a component exports, by its shape: whatever the package, version and event variant.

use super::cases::Cases;
use super::metadata::Metadata;
use super::shape::{self, Outputs};
use crate::codec::{Compiler, Plan, definition, resolved};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::sync::Arc;
use wit_parser::{Function, InterfaceId, Resolve, Type, TypeDefKind, World, WorldItem, WorldKey};

/// The name of the interface, in any package and version.
const INTERFACE: &str = "event-handler";

/// The name of its function.
const FUNCTION: &str = "handle";

/// A handler's types, compiled.
#[derive(Debug)]
pub(super) struct Contract {
    /// The exported interface: `a4co:marketplace/event-handler@1.0.0`.
    pub(super) interface: String,
    /// The function in it.
    pub(super) function: &'static str,
    /// The first parameter.
    pub(super) metadata: Metadata,
    /// The second.
    pub(super) incoming: Arc<Cases>,
    /// What an emission may hold: mostly the same variant.
    pub(super) outgoing: Arc<Cases>,
    /// The result.
    pub(super) outputs: Outputs,
}

impl Contract {
    /// The contract of a world; `None` where it exports no event handler.
    ///
    /// # Errors
    /// Where it exports several, or one whose shape is off: what and where.
    pub(super) fn find(resolve: &Resolve, world: &World, subjects: &BTreeMap<String, String>) -> Result<Option<Self>> {
        let handlers: Vec<_> = world.exports.iter().filter_map(|(key, item)| handler(resolve, key, item)).collect();
        match handlers.as_slice() {
            [] => Ok(None),
            [(name, interface)] => {
                let contract = Self::compile(resolve, name, *interface, subjects);
                contract.with_context(|| format!("its export {name} is no event handler")).map(Some)
            }
            [(first, _), (second, _), ..] => bail!("exports two event handlers, {first} and {second}: keep one"),
        }
    }

    fn compile(
        resolve: &Resolve,
        name: &str,
        interface: InterfaceId,
        subjects: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let functions = resolve.interfaces.get(interface).map(|interface| &interface.functions);
        let function = functions.and_then(|functions| functions.get(FUNCTION));
        let function = function.ok_or_else(|| anyhow!("it has no function `{FUNCTION}`"))?;
        let (metadata, event) = parameters(function)?;
        let mut compiler = Compiler::new(resolve);
        let plan = compiler.plan(metadata).context("first parameter of `handle`")?;
        let Plan::Record(record) = &*plan else { bail!("the first parameter of `handle` must be a record") };
        let metadata = Metadata::compile(record).context("first parameter of `handle`")?;

        let incoming = cases(resolve, &mut compiler, event, subjects).context("second parameter of `handle`")?;
        let (outputs, emitted) = shape::outputs(resolve, function).context("result of `handle`")?;
        let outgoing = if resolved(resolve, &emitted) == resolved(resolve, event) {
            Arc::clone(&incoming)
        } else {
            cases(resolve, &mut compiler, &emitted, subjects).context("field `event` of an emission")?
        };
        check_subjects(subjects, &incoming, &outgoing)?;
        Ok(Self { interface: name.to_owned(), function: FUNCTION, metadata, incoming, outgoing, outputs })
    }
}

fn handler(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Option<(String, InterfaceId)> {
    let WorldItem::Interface { id, .. } = item else { return None };
    match key {
        WorldKey::Name(name) => (name == INTERFACE).then(|| (name.clone(), *id)),
        WorldKey::Interface(_) => {
            let named = resolve.interfaces.get(*id)?.name.as_deref() == Some(INTERFACE);
            named.then(|| resolve.id_of(*id)).flatten().map(|name| (name, *id))
        }
    }
}

fn parameters(function: &Function) -> Result<(&Type, &Type)> {
    match function.params.as_slice() {
        [metadata, event] => Ok((&metadata.ty, &event.ty)),
        other => bail!("`handle` takes {} parameters; it must take two, metadata and event", other.len()),
    }
}

fn cases(
    resolve: &Resolve,
    compiler: &mut Compiler<'_>,
    ty: &Type,
    subjects: &BTreeMap<String, String>,
) -> Result<Arc<Cases>> {
    match definition(resolve, ty).map(|def| &def.kind) {
        Some(TypeDefKind::Variant(variant)) => Cases::compile(resolve, compiler, variant, subjects).map(Arc::new),
        _ => bail!("it must be a variant with one case an event"),
    }
}

fn check_subjects(subjects: &BTreeMap<String, String>, incoming: &Cases, outgoing: &Cases) -> Result<()> {
    for case in subjects.keys() {
        if incoming.of_name(case).is_none() && outgoing.of_name(case).is_none() {
            bail!("tool.events.subjects.{case}: the event variant has no such case");
        }
    }
    Ok(())
}
