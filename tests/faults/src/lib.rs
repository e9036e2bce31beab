//! Kills, power failures and held flushes under load, counted, and what must hold after them.
//!
//! The host is a real process, its gateway another one with a ledger of its own, flushed before it answers. Customers
//! order over real HTTP and keep notes of what they were told. At the end the notes, the ledger and the marketplace must
//! agree.

mod customers;
mod gateway;
mod kills;
mod memory;
mod notes;
mod power;
mod seed;
mod stage;
mod verdict;
mod vitals;

pub use customers::Customers;
pub use gateway::Gateway;
pub use kills::{Kills, Loss, run};
pub use memory::{Logged, Memory};
pub use notes::{Answer, Note, Notes};
pub use power::{Power, Unsynced};
pub use seed::Seed;
pub use stage::Stage;
pub use verdict::pronounce;
pub use vitals::Vitals;
