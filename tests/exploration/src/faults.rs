//! Faults to be found: each makes one component decide wrongly in one respect, around the shipped decision.

use crate::local::{Handled, Line, Local, handle};
use crate::message::{Message, Part};
use crate::plan::{ORDER, PRODUCTS, Plan};
use crate::plans::{CANCELS, CANCELS_TWICE, COPIES, DECLINED, HANDED_OVER, LOSSES, RIVALS, SILENCES};
use kit::Event;
use kit::aggregate::aggregate_key;
use kit::json::{self, Value, json};

/// A fault.
pub struct Fault {
    /// In words.
    pub name: &'static str,
    /// Whose.
    pub component: &'static str,
    /// The exploration that finds it.
    pub plan: Plan,
    decide: fn(Part, &Local, &Message, Line) -> Handled,
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Fault {
    /// Whether it is of this part.
    #[must_use]
    pub fn part(&self, part: Part) -> bool {
        part.component() == self.component
    }

    /// Decides wrongly.
    #[must_use]
    pub fn handle(&self, part: Part, local: &Local, message: &Message, line: Line) -> Handled {
        (self.decide)(part, local, message, line)
    }
}

/// The faults, at least one of each component.
pub static FAULTS: [Fault; 11] = [
    Fault { name: "saga forgets to release the second item", component: "saga", plan: DECLINED, decide: one_release },
    Fault {
        name: "saga takes a payment that comes late for one in time",
        component: "saga",
        plan: CANCELS,
        decide: late_payment,
    },
    Fault {
        name: "saga does not refund what may have been taken",
        component: "saga",
        plan: CANCELS,
        decide: no_refund,
    },
    Fault {
        name: "saga lets a repeat take the place of the deadline that runs",
        component: "saga",
        plan: CANCELS_TWICE,
        decide: timers_by_step,
    },
    Fault { name: "order confirms a cancelled order", component: "order", plan: CANCELS, decide: confirms_cancelled },
    Fault { name: "order cancels a delivered order", component: "order", plan: HANDED_OVER, decide: cancels_delivered },
    Fault {
        name: "inventory reserves where there is too little",
        component: "inventory",
        plan: RIVALS,
        decide: oversells,
    },
    Fault {
        name: "inventory forgets that a claim was released",
        component: "inventory",
        plan: LOSSES,
        decide: no_tombstone,
    },
    Fault {
        name: "inventory counts a repeated release twice",
        component: "inventory",
        plan: CANCELS,
        decide: releases_twice,
    },
    Fault { name: "payment charges again on a repeat", component: "payment", plan: COPIES, decide: charges_again },
    Fault { name: "payment does not void what is under way", component: "payment", plan: SILENCES, decide: no_void },
];

fn edit(local: &Local, key: &str, change: impl FnOnce(&mut Value)) -> Local {
    let mut local = local.clone();
    if let Some(bytes) = local.store.get_mut(key)
        && let Ok(mut stored) = json::from_slice::<Value>(bytes)
    {
        change(&mut stored["state"]);
        *bytes = stored.to_string().into_bytes();
    }
    local
}

fn status(local: &Local, key: &str) -> Value {
    let stored = local.store.get(key).and_then(|bytes| json::from_slice::<Value>(bytes).ok());
    stored.map(|stored| stored["state"]["status"].clone()).unwrap_or_default()
}

fn without(mut handled: Handled, unwanted: impl Fn(&str, &str) -> bool) -> Handled {
    if let Ok(outputs) = &mut handled.outputs {
        outputs.retain(|output| match output {
            kit::Output::Emit(emission) => !unwanted(emission.event.subject(), &emission.aggregate_id),
            _ => true,
        });
    }
    handled
}

fn one_release(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    let second = |subject: &str, of: &str| subject == "inventory.stock.release" && of == PRODUCTS[1];
    without(handle(part, local, message, line), second)
}

/// Its timers are named by their step alone, so that a later one replaces an earlier one, and an earlier one a later.
fn timers_by_step(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    let mut handled = handle(part, local, message, line);
    let step = |name: &mut String| name.truncate(name.find('/').unwrap_or(name.len()));
    for output in handled.outputs.iter_mut().flatten() {
        match output {
            kit::Output::Timer(timer) => step(&mut timer.name),
            kit::Output::CancelTimer(name) => step(name),
            kit::Output::Emit(_) => {}
        }
    }
    handled
}

fn no_refund(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    // It believes what it asks for to be done already.
    let mut handled = without(handle(part, local, message, line), |subject, _| subject == "payment.refund");
    handled.local = edit(&handled.local, &aggregate_key::<saga::domain::Saga>(ORDER), |saga| {
        if saga["payment"]["state"] == "refund-asked" && saga["payment"]["reference"].is_null() {
            saga["payment"]["state"] = json!("refunded");
        }
    });
    handled
}

fn late_payment(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    if !matches!(message.event, Event::PaymentSucceeded(_)) {
        return handle(part, local, message, line);
    }
    let key = aggregate_key::<saga::domain::Saga>(ORDER);
    let hoping = edit(local, &key, |saga| {
        if saga["phase"] == "compensating" && saga["payment"]["reference"].is_null() {
            saga["phase"] = json!("payment-processing");
        }
    });
    handle(part, &hoping, message, line)
}

fn confirms_cancelled(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    let key = aggregate_key::<order::domain::Order>(ORDER);
    if !matches!(message.event, Event::OrderConfirm(_)) || status(local, &key) != "cancelled" {
        return handle(part, local, message, line);
    }
    let pending = edit(local, &key, |order| {
        if order["confirmed"].is_null() {
            order["status"] = json!("pending");
        }
    });
    handle(part, &pending, message, line)
}

fn cancels_delivered(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    let key = aggregate_key::<order::domain::Order>(ORDER);
    if !matches!(message.event, Event::OrderCancel(_)) || status(local, &key) != "delivered" {
        return handle(part, local, message, line);
    }
    let kept = edit(local, &key, |order| {
        order["status"] = json!("confirmed");
        order["delivered"] = Value::Null;
    });
    handle(part, &kept, message, line)
}

fn product(part: Part) -> &'static str {
    if part == Part::First { PRODUCTS[0] } else { PRODUCTS[1] }
}

/// It looks at what was ever received, not at what is free.
fn oversells(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    if !matches!(message.event, Event::InventoryStockCheck(_)) {
        return handle(part, local, message, line);
    }
    let key = aggregate_key::<inventory::domain::Stock>(product(part));
    let mut reserved = 0;
    let generous = edit(local, &key, |stock| {
        reserved = stock["counts"]["reserved"].as_u64().unwrap_or_default();
        stock["counts"]["available"] = json!(stock["counts"]["available"].as_u64().unwrap_or_default() + reserved);
        stock["counts"]["reserved"] = json!(0);
    });
    let mut handled = handle(part, &generous, message, line);
    handled.local = edit(&handled.local, &key, |stock| {
        let available = stock["counts"]["available"].as_u64().unwrap_or_default();
        let back = reserved.min(available);
        stock["counts"]["available"] = json!(available - back);
        stock["counts"]["reserved"] = json!(stock["counts"]["reserved"].as_u64().unwrap_or_default() + back);
    });
    handled
}

/// A release of what was never reserved leaves nothing behind.
fn no_tombstone(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    let mut handled = handle(part, local, message, line);
    if matches!(message.event, Event::InventoryStockRelease(_)) {
        let key = aggregate_key::<inventory::domain::Stock>(product(part));
        handled.local = edit(&handled.local, &key, |stock| {
            if stock["orders"][ORDER]["quantity"] == 0
                && let Some(orders) = stock["orders"].as_object_mut()
            {
                orders.remove(ORDER);
            }
        });
    }
    handled
}

/// A claim that was released is taken for one that is held.
fn releases_twice(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    if !matches!(message.event, Event::InventoryStockRelease(_)) {
        return handle(part, local, message, line);
    }
    let key = aggregate_key::<inventory::domain::Stock>(product(part));
    let forgetful = edit(local, &key, |stock| {
        let quantity = stock["orders"][ORDER]["quantity"].as_u64().unwrap_or_default();
        if stock["orders"][ORDER]["status"] == "released" && quantity > 0 {
            stock["orders"][ORDER]["released"] = Value::Null;
            stock["orders"][ORDER]["status"] = json!("held");
            stock["counts"]["reserved"] = json!(stock["counts"]["reserved"].as_u64().unwrap_or_default() + quantity);
            stock["counts"]["received"] = json!(stock["counts"]["received"].as_u64().unwrap_or_default() + quantity);
        }
    });
    handle(part, &forgetful, message, line)
}

/// Every event with another id or at another time is a new attempt.
fn charges_again(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    let Event::PaymentProcess(command) = &message.event else { return handle(part, local, message, line) };
    let key = aggregate_key::<payment::domain::Payment>(&message.of);
    let mut attempts = 0;
    let fresh = edit(local, &key, |payment| {
        attempts = payment["attempts"].as_array().map_or(0, Vec::len);
        payment["attempts"] = json!([]);
    });
    let attempt = command.attempt.unwrap_or(1) + u32::try_from(attempts).unwrap_or(0);
    let again = kit::events::payment::PaymentProcessRequested { attempt: Some(attempt), ..command.clone() };
    handle(part, &fresh, &Message { event: Event::PaymentProcess(again), ..message.clone() }, line)
}

/// A refund looks only at what is known to be taken.
fn no_void(part: Part, local: &Local, message: &Message, line: Line) -> Handled {
    if !matches!(message.event, Event::PaymentRefund(_)) {
        return handle(part, local, message, line);
    }
    let key = aggregate_key::<payment::domain::Payment>(&message.of);
    let unaware = edit(local, &key, |payment| {
        if let Some(attempts) = payment["attempts"].as_array_mut() {
            attempts.retain(|attempt| !attempt["outcome"].is_null());
        }
    });
    handle(part, &unaware, message, line)
}
