//! What holds whatever comes in. Each property panics where an input breaks it: libFuzzer looks for such inputs, and a
//! test shows it every input that ever taught it something.
#![expect(clippy::panic, reason = "a panic is how a property says no")]

pub mod codec;
pub mod envelope;
pub mod manifest;
pub mod routing;
mod same;

/// Panics where the input breaks it.
pub type Property = fn(&[u8]);

/// The targets by their names, which are also those of their corpora.
pub const TARGETS: [(&str, Property); 4] = [
    ("codec", codec::check),
    ("envelope", envelope::check),
    ("manifest", manifest::check),
    ("routing", routing::check),
];

/// The first line of an input, and what follows it: a subject and a body, say.
fn first_line(input: &[u8]) -> Option<(&str, &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(input.get(..end)?).ok()?, input.get(end + 1..)?))
}
