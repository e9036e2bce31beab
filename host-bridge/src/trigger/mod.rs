//! What starts a component: an HTTP request, or an event.

pub mod event;
pub mod http;
pub mod timers;
