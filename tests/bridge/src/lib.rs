//! A bridge under test, and the host it drives: two processes' worth of parts with nothing between them but HTTP.

pub mod corpus;
pub mod forge;
mod stage;

pub use stage::Stage;
