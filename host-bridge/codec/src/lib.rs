//! JSON ↔ `wasmtime::component::Val`, by plans compiled from a component's own WIT types.
//!
//! | WIT | JSON |
//! |---|---|
//! | record | object, keys in camelCase; unknown keys are ignored, a key twice is an error |
//! | enum | the case's name as it is, a string |
//! | flags | array of names |
//! | variant | `{"case": value}`; a case without payload is its name as a string |
//! | result | `{"ok": value}` or `{"err": value}`; `null` where there is no payload |
//! | option | absent or `null` on read; on write absent in a record, `null` elsewhere |
//! | `list<tuple<string, T>>` | object; a key twice is an error |
//! | other list, tuple | array |
//! | alias `json` of string | any JSON value, carried as its text |
//! | alias `timestamp` of string | RFC 3339 string, checked, unchanged |
//! | integers | number without fraction (`2.0` is 2: JSON does not tell them apart), in the type's range |
//! | f32, f64 | number; without fraction it is written as an integer; NaN and infinities are errors |
//!
//! A type that has no JSON form (resources, streams, an option of an option, …) is refused when the plan is compiled.
//! Errors carry the JSON path, built only while an error unwinds: the good path pays nothing for it.

mod compile;
mod decode;
mod encode;
mod error;
mod names;
mod number;
mod plan;
mod text;

#[cfg(test)]
mod tests;

pub use compile::{Compiler, Unsupported, definition, resolved};
pub use encode::{Sink, write_string, write_unsigned};
pub use error::CodecError;
pub use names::{camel_case, pascal_case, subject_of_case};
pub use number::Integer;
pub use plan::{Field, Plan, Record};
pub use text::is_rfc3339;

/// Deepest nesting of types, and of the JSON in a value of type `json`: stops a value that overflows the stack of
/// whoever reads it after us.
pub const MAX_DEPTH: usize = 64;
