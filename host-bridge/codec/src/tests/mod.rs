//! Tests of the codec: the rules one by one, the errors word by word, and random values of random types.

mod errors;
mod random;
mod rules;

use super::{Compiler, Plan, Sink, Unsupported};
use std::sync::Arc;
use wasmtime::component::Val;
use wit_parser::{Resolve, Type};

/// The plan of the type `subject` in an interface with these definitions.
fn compile(definitions: &str) -> Result<Arc<Plan>, Unsupported> {
    let wit = format!("package test:types@1.0.0;\ninterface types {{\n{definitions}\n}}\n");
    let mut resolve = Resolve::default();
    resolve.push_str("types.wit", &wit).unwrap_or_else(|error| panic!("{error:?} in\n{wit}"));
    let interface = resolve.interfaces.iter().find(|(_, it)| it.types.contains_key("subject")).unwrap().1;
    Compiler::new(&resolve).plan(&Type::Id(*interface.types.get("subject").unwrap()))
}

/// The plan of one type; `json` and `timestamp` are defined.
fn plan(ty: &str) -> Arc<Plan> {
    compile(&format!("type json = string; type timestamp = string; type subject = {ty};")).unwrap()
}

fn encode(plan: &Plan, value: &Val) -> Result<String, String> {
    let mut sink = Sink::new(0, 1 << 20);
    plan.encode(value, &mut sink, "eventData").map_err(|error| error.to_string())?;
    Ok(String::from_utf8(sink.into_bytes()).unwrap())
}

fn decode(plan: &Plan, json: impl AsRef<[u8]>) -> Result<Val, String> {
    plan.decode(json.as_ref(), "eventData").map_err(|error| error.to_string())
}
