//! NATS: the connection that the bus and the key-value adapters share, and what the server must have.

mod connection;
mod settings;

pub use connection::{ConnectError, Nats};
pub use settings::{Authentication, NatsSettings, Preset, Tls};
