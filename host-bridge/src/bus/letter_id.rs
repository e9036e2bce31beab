//! The ids of dead letters, the same on every bus.

/// Their namespace.
const NAMESPACE: uuid::Uuid = uuid::uuid!("0e7a3c55-63a4-5f7e-9d0b-6a4c6f3c1d21");

/// The id of a dead letter: the same message failing again is the same letter.
pub(super) fn letter_id(source: &str, sequence: u64, replay: u32) -> String {
    uuid::Uuid::new_v5(&NAMESPACE, format!("{source}/{sequence}/{replay}").as_bytes()).to_string()
}
