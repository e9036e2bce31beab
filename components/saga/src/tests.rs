//! What a peer, a customer and an operator see of the saga.

mod back;
mod case;
mod forward;
mod ports;
mod random;
mod told;
mod world;
