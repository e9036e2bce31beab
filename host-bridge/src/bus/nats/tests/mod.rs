//! The adapter against real servers.

mod cluster;
mod faults;
mod hand_over;
mod looking;
mod spreading;
pub(in crate::bus) mod stage;
mod timers;
