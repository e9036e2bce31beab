//! The event types, generated from `wit/` by the build script. Natively and in Wasm they are the same types.

#[expect(missing_docs, clippy::panic, unsafe_code, unused_qualifications, reason = "generated code")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use generated::a4co::marketplace::{artisan, common, delivery, inventory, order, payment, saga, user};

pub use delivery::{Emission, Event, Failure, Metadata, Output, Retry, Timer};

mod registry {
    use super::Event;
    include!(concat!(env!("OUT_DIR"), "/registry.rs"));
}
