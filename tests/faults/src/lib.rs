//! Kills, power failures and held flushes under load, counted, and what must hold after them.
//!
//! The host is a real process, its gateway another one with a ledger of its own, flushed before it answers. Customers
//! order over real HTTP and keep notes of what they were told. At the end the notes, the ledger and the marketplace must
//! agree.

mod customers;
mod gateway;
mod history;
mod kills;
mod matrix;
mod memory;
mod notes;
mod plain;
mod power;
mod proxy;
mod sabotage;
mod seed;
mod seen;
mod stage;
mod surge;
mod verdict;
mod vitals;

pub use customers::{Crowd, Customers};
pub use gateway::Gateway;
pub use history::{History, Published};
pub use kills::{Kills, Loss, run};
pub use matrix::{Arena, Fault, Injection, Report, Row, Setup, rows, run as run_matrix, table, write_json};
pub use memory::{Logged, Memory};
pub use notes::{Answer, Note, Notes};
pub use power::{Noted, Power, Unsynced};
pub use proxy::{Losing, Lost, Proxy, Way};
pub use sabotage::{Ill, Sabotage};
pub use seed::Seed;
pub use stage::Stage;
pub use surge::Surge;
pub use verdict::{Judgement, judge, pronounce};
pub use vitals::Vitals;
