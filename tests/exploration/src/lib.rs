//! All that can happen to one order.
//!
//! The shipped decisions of order, saga, inventory and payment run together, with the sandbox gateway behind them, for
//! an order of two items, and every order of their events is tried, with what may go wrong between them:
//!
//! - an event comes again, at any later time, to an empty inbox; it must change nothing and say the same;
//! - an event is dead-lettered, and is brought back at any later time or never;
//! - a process dies after its swap and before it publishes; what follows goes out at any later time;
//! - a timer fires at any time, also a stale one; where nothing else is under way, any timer may be next;
//! - the gateway does not answer, and has taken the money or has not; or declines; or is busy twice;
//! - the customer cancels at any time, the goods are handed over, HTTP applies either before its delivery or does not;
//! - someone else takes the last piece, before the order reserves it or after its reservation has expired.
//!
//! Events of one component, stream and key come in order, as the host promises; all others in any. [`properties`] says
//! what must hold of every step, of every moment and of every end.
//!
//! The bounds are in [`plans`]: how often each trouble comes in one exploration. Within them the search is exhaustive.
//! It also shows that every order ends: an event's id names its cause, so none comes back by itself and no way through
//! the worlds goes round; and every way that cannot go on is at an end that [`properties`] knows.
//!
//! The explorations of `BOUNDED` run always: five million worlds, twenty seconds on one core in release. With
//! `A4CO_EXPLORE=full` in the environment those of `FULL` run too: more than a hundred million worlds, a quarter of an
//! hour and up to four gigabytes:
//!
//! ```sh
//! A4CO_EXPLORE=full cargo test --release -p exploration --test shipped -- --nocapture
//! ```
//!
//! What is abstracted: time stands still but for timers, so no decision sees a later clock; versions are always 1, as
//! none of these components reads another's; a saga's history has no order; worlds are told apart by a 64-bit hash.
//! Local states and messages are numbered, and each pair of them is decided once by the real worker over the ports in
//! memory ([`parts`]); everything else is arithmetic on numbers.
//!
//! [`faults`] seeds a fault into a component; an exploration has to find it, or it proves nothing.

pub mod actions;
pub mod explore;
pub mod faults;
pub mod local;
pub mod message;
pub mod parts;
pub mod plan;
pub mod plans;
pub mod properties;
pub mod trace;
pub mod view;
pub mod world;
