//! The whole marketplace in one thread, driven by one seed.
//!
//! The shipped components run natively under the host's own event trigger, delivery machine and timers' driver; bus,
//! key-value store and gateway are simulated, and so is time. Customers, artisans and operators act at random while
//! processes are killed and suspended at any of their awaits, outcomes stay unknown, events come late, twice and long
//! after, clocks jump, and inboxes are emptied once they may be. A model that shares no code with the product looks at
//! every write and every event. Then nothing goes wrong any more, and everything has to come to rest.
//!
//! One seed is one run: run it again and the same happens, line by line.

mod actors;
mod ailments;
mod bus;
mod calls;
mod chaos;
mod counts;
mod dice;
mod dispatch;
mod emission;
mod fleet;
mod front;
mod gateway;
mod model;
mod mutation;
mod plan;
mod ports;
mod process;
mod run;
mod time;
mod trace;
mod workers;
mod world;

pub use model::Rest;
pub use mutation::{ALL as MUTATIONS, Mutation};
pub use plan::{Plan, Rates};
pub use run::{Report, application, run};
pub use trace::Trace;
