//! The explorations: those of every run, and the larger ones beside them.

use crate::plan::{Plan, QUANTITIES, Troubles};

const NONE: Troubles = Troubles::NONE;
const DECLINING: Plan = Plan { method: "tok_declined", ..CALM };
const BUSY: Plan = Plan { method: "tok_busy", ..CALM };
const SHORT: Plan = Plan { stock: [QUANTITIES[0], 0], ..CALM };

/// Nothing goes wrong: only the order of events is free.
pub const CALM: Plan = Plan::calm("calm");
/// Two events come again.
pub const COPIES: Plan = CALM.with("2 copies", Troubles { copies: 2, ..NONE });
/// An event is dead-lettered.
pub const LOSSES: Plan = CALM.with("1 loss", Troubles { losses: 1, ..NONE });
/// The customer cancels.
pub const CANCELS: Plan = CALM.with("1 cancellation", Troubles { cancels: 1, ..NONE });
/// The customer cancels twice, and a timer fires early; the second product is not to be had.
pub const CANCELS_TWICE: Plan =
    SHORT.with("short, 2 cancels, 1 early timer", Troubles { cancels: 2, early: 1, ..NONE });
/// The customer cancels and gets the goods.
pub const HANDED_OVER: Plan = CALM.with("1 cancellation, 1 delivery", Troubles { cancels: 1, deliveries: 1, ..NONE });
/// Someone else takes the last piece, and a timer fires early.
pub const RIVALS: Plan = CALM.with("1 rival, 1 early timer", Troubles { rivals: 1, early: 1, ..NONE });
/// The gateway is silent, twice.
pub const SILENCES: Plan = CALM.with("2 silences", Troubles { silences: 2, ..NONE });
/// The bank declines, and an event comes again.
pub const DECLINED: Plan = DECLINING.with("declined, 1 copy", Troubles { copies: 1, ..NONE });

/// Those of every run: each trouble with those that it meets in earnest.
pub const BOUNDED: [Plan; 16] = [
    CALM,
    COPIES,
    LOSSES,
    CANCELS,
    CANCELS_TWICE,
    RIVALS,
    SILENCES,
    DECLINED,
    CALM.with("1 crash, 1 early timer", Troubles { crashes: 1, early: 1, ..NONE }),
    CALM.with("1 silence, 1 copy", Troubles { silences: 1, copies: 1, ..NONE }),
    BUSY.with("busy, 1 copy", Troubles { copies: 1, ..NONE }),
    SHORT.with("short, 2 copies", Troubles { copies: 2, ..NONE }),
    CALM.with("1 delivery, 1 copy", Troubles { deliveries: 1, copies: 1, ..NONE }),
    HANDED_OVER,
    CALM.with("1 cancellation, 1 silence", Troubles { cancels: 1, silences: 1, ..NONE }),
    CALM.with("1 copy, 1 early timer", Troubles { copies: 1, early: 1, ..NONE }),
];

/// The larger ones.
pub const FULL: [Plan; 15] = [
    CALM.with("1 crash, 1 silence, 1 copy", Troubles { crashes: 1, silences: 1, copies: 1, ..NONE }),
    CALM.with("1 rival, 1 early timer, 1 copy", Troubles { rivals: 1, early: 1, copies: 1, ..NONE }),
    DECLINING.with("declined, 1 loss", Troubles { losses: 1, ..NONE }),
    BUSY.with("busy, 1 early timer", Troubles { early: 1, ..NONE }),
    BUSY.with("busy, 1 silence, 1 copy", Troubles { silences: 1, copies: 1, ..NONE }),
    CALM.with("2 early timers", Troubles { early: 2, ..NONE }),
    CALM.with("3 copies", Troubles { copies: 3, ..NONE }),
    CALM.with("1 loss, 1 crash", Troubles { losses: 1, crashes: 1, ..NONE }),
    CALM.with("1 loss, 1 copy", Troubles { losses: 1, copies: 1, ..NONE }),
    CALM.with("1 loss, 1 silence", Troubles { losses: 1, silences: 1, ..NONE }),
    CALM.with("1 cancellation, 1 copy", Troubles { cancels: 1, copies: 1, ..NONE }),
    CALM.with("1 cancellation, 1 crash", Troubles { cancels: 1, crashes: 1, ..NONE }),
    CALM.with("1 silence, 1 early timer", Troubles { silences: 1, early: 1, ..NONE }),
    CALM.with("1 cancellation, 1 loss", Troubles { cancels: 1, losses: 1, ..NONE }),
    CALM.with("2 losses", Troubles { losses: 2, ..NONE }),
];
