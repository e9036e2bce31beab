//! The driver on the simulated bus, in virtual time: what components, dead letters and observers see.

mod cost;
mod crashes;
mod leaving;
mod rules;
mod stage;
mod stopping;
mod subscribing;
