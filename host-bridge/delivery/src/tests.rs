//! The machine's rules, each from what happened to what it asks for.

mod model;
mod rules;
pub(crate) mod world;
