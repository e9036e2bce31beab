//! NATS: the connection that the bus and the key-value adapters share, and what the server must have.

mod connection;
mod link;
mod patience;
mod preset;
mod remembered;
mod request;
mod settings;
pub mod streams;
#[cfg(test)]
mod tests;

pub use connection::{ConnectError, Nats};
pub use preset::Preset;
pub(crate) use remembered::{Memory, Remembered};
pub(crate) use request::{ApiError, NoAnswer};
pub use settings::{Authentication, NatsSettings, Tls};
