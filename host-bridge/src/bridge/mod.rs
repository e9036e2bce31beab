//! Drives the components of another host: takes events off the bus as the host itself does, but hands them over by HTTP.
//!
//! Everything but the call is what `a4co up` runs: the delivery machine, the event trigger, timers, dead letters, grants.
//! The other host needs no more than HTTP: it serves `/events/<component>` and is given a URL to publish to.

mod answer;
mod command;
mod deliver;
mod publish;
mod request;
mod run;
#[cfg(test)]
mod tests;

pub use answer::{Answered, read};
pub use command::{BridgeOptions, run};
pub use deliver::{Deliveries, DeliveriesError};
pub use publish::{Publishing, serve};
pub use request::headers;
pub use run::{Away, Bridge, BridgeParts, Keys, Running};
