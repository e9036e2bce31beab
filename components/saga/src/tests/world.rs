//! A small model of the saga's peers and of the bus between them: messages wait in a heap, come in any order and more
//! than once; timers fire whenever they like. Peers keep the promises that the saga relies on, and no others.

use super::case::*;
use crate::domain::{Move, PaymentState, Phase, Trigger};
use kit::aggregate::Effect;
use kit::events::Event;
use kit::events::order::CancellationReason;
use kit::time::Millis;

/// How the gateway and the shelves behave in a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Bit 0: item 1 is out of stock at the check; bit 1: item 2; bit 2: item 2's sale finds it expired and gone.
    pub shelves: u8,
    /// Attempts that fail, and whether in a way that may be tried again. 3 attempts at most.
    pub failures: u32,
    pub retryable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    Free,
    Reserved,
    Missing,
    Sold,
    Released,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Till {
    Open,
    Failed(u32),
    Charged,
    Refunded,
    /// Refunded before it was charged: a later charge is refused.
    Void,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Pending,
    Confirmed,
    Cancelled(CancellationReason),
    Delivered,
}

#[derive(Debug, Clone)]
pub struct Message {
    /// The event's aggregate.
    pub of: String,
    pub event: Event,
}

#[derive(Debug)]
pub struct World {
    pub case: Case,
    plan: Plan,
    pub waiting: Vec<Message>,
    timers: Vec<(String, Millis, Event)>,
    pub shelves: [Shelf; 2],
    pub till: Till,
    pub order: Order,
    pub charges: u32,
    order_heard_sold: [bool; 2],
    /// Every event the saga took, with what it led to.
    pub heard: Vec<(Message, Vec<Effect>)>,
    pub lost: bool,
}

const PRODUCTS: [&str; 2] = ["p1", "p2"];

impl World {
    pub fn new(plan: Plan) -> Self {
        let start = Message { of: ORDER.to_owned(), event: created(&PRODUCTS) };
        Self {
            case: Case::new(),
            plan,
            waiting: vec![start],
            timers: Vec::new(),
            shelves: [Shelf::Free; 2],
            till: Till::Open,
            order: Order::Pending,
            charges: 0,
            order_heard_sold: [false; 2],
            heard: Vec::new(),
            lost: false,
        }
    }

    fn say(&mut self, of: &str, event: Event) {
        self.waiting.push(Message { of: of.to_owned(), event });
    }

    /// A customer cancels.
    pub fn cancel(&mut self) {
        let Ok(data) = serde_json::to_string(&serde_json::json!({
            "reason": "customer-request", "cancelledAt": "2026-01-15T10:30:00.000Z", "sagaId": "s"
        })) else {
            return;
        };
        self.say(ORDER, Event::read("order.cancel", &data).unwrap());
    }

    /// The goods reach the customer, if the order allows it.
    pub fn deliver(&mut self) {
        if self.order == Order::Confirmed && self.order_heard_sold == [true; 2] {
            self.order = Order::Delivered;
            self.say(ORDER, delivered());
        }
    }

    /// The message at this place arrives, and stays for another time if it is to come twice.
    pub fn arrive(&mut self, place: usize, twice: bool) {
        let message = if twice { self.waiting[place].clone() } else { self.waiting.remove(place) };
        match &message.event {
            Event::InventoryStockCheck(_) | Event::InventoryStockSell(_) | Event::InventoryStockRelease(_) => {
                self.inventory(&message);
            }
            Event::PaymentProcess(charge) => self.charge(charge.attempt.unwrap_or(1)),
            Event::PaymentRefund(_) => self.refund(),
            Event::OrderConfirm(_) => self.confirm(),
            Event::OrderCancel(command) => self.cancel_order(command.reason),
            _ => self.saga(message),
        }
    }

    /// The message at this place never arrives. A cancellation does: after completion no deadline waits for it.
    pub fn lose(&mut self, place: usize) {
        if !matches!(self.waiting[place].event, Event::OrderCancelled(_)) {
            self.waiting.remove(place);
            self.lost = true;
        }
    }

    /// A timer fires; the saga may or may not still want it.
    pub fn fire(&mut self, place: usize) {
        if self.timers.is_empty() {
            return;
        }
        let place = place % self.timers.len();
        let (_, _, event) = self.timers.remove(place);
        self.saga(Message { of: ORDER.to_owned(), event });
    }

    fn saga(&mut self, message: Message) {
        let before = self.case.saga.clone();
        let effects = self.case.effects(&message.of, &message.event);
        self.check_turn(&before);
        for effect in &effects {
            match effect {
                Effect::For(of, event) => self.say(of, event.clone()),
                Effect::Timer(name, at, event) => {
                    let fired = self.heard.iter().any(|(heard, _)| heard.event == *event);
                    self.timers.retain(|(there, ..)| there != name);
                    if !fired {
                        self.timers.push((name.clone(), *at, event.clone()));
                    }
                }
                Effect::Cancel(name) => self.timers.retain(|(there, ..)| there != name),
                Effect::Fact(_) | Effect::Again(..) => panic!("the saga has no facts"),
            }
        }
        self.heard.push((message, effects));
    }

    /// What must hold of every new turn.
    fn check_turn(&self, before: &crate::domain::Saga) {
        let after = &self.case.saga;
        let Some(turn) = after.history.last().filter(|_| after.history.len() > before.history.len()) else {
            assert_eq!(before, after, "a repeat changes nothing");
            return;
        };
        let began = before.phase == Phase::Absent || before.phase.is_forward();
        for step in &turn.led {
            match step {
                Move::Check | Move::Charge { .. } | Move::Confirm { .. } | Move::Sell => {
                    assert!(began, "{step:?} after {:?}", before.phase);
                }
                Move::Refund { .. } => {
                    let maybe = matches!(before.payment.state, PaymentState::Asked | PaymentState::Taken);
                    let again = before.payment.state == PaymentState::RefundAsked
                        && matches!(turn.by, Trigger::Timeout(..) | Trigger::Resolved);
                    assert!(maybe || again, "a refund of {:?} by {:?}", before.payment.state, turn.by);
                }
                Move::Call { .. } => assert_eq!((before.phase, after.phase), (Phase::Compensating, Phase::Stuck)),
                Move::Recover => assert_eq!(before.phase, Phase::Stuck),
                Move::Release { .. } | Move::Cancel { .. } | Move::Set { .. } | Move::Drop { .. } => {}
            }
        }
    }

    fn inventory(&mut self, message: &Message) {
        let Some(item) = PRODUCTS.iter().position(|product| *product == message.of) else { return };
        let product = PRODUCTS[item];
        let shelf = self.shelves[item];
        match (&message.event, shelf) {
            (Event::InventoryStockCheck(_), Shelf::Free) if self.plan.shelves & (1 << item) != 0 => {
                self.shelves[item] = Shelf::Missing;
                self.say(product, unavailable());
            }
            (Event::InventoryStockCheck(_), Shelf::Free) => {
                self.shelves[item] = Shelf::Reserved;
                self.say(product, reserved(product));
            }
            (Event::InventoryStockCheck(_), Shelf::Missing) => self.say(product, unavailable()),
            (Event::InventoryStockCheck(_), Shelf::Reserved | Shelf::Sold) => self.say(product, reserved(product)),
            (Event::InventoryStockSell(_), Shelf::Reserved) if item == 1 && self.plan.shelves & 4 != 0 => {
                self.shelves[item] = Shelf::Missing;
                self.say(product, unavailable());
            }
            (Event::InventoryStockSell(_), Shelf::Reserved | Shelf::Sold) => {
                self.shelves[item] = Shelf::Sold;
                self.order_heard_sold[item] = true;
                self.say(product, sold(product));
            }
            (Event::InventoryStockSell(_), Shelf::Missing) => self.say(product, unavailable()),
            (Event::InventoryStockRelease(_), shelf) => {
                let back = matches!(shelf, Shelf::Reserved | Shelf::Sold);
                self.shelves[item] = Shelf::Released;
                self.say(product, released(product, if back { 2 } else { 0 }));
            }
            // A reservation released on purpose stays released.
            _ => {}
        }
    }

    fn charge(&mut self, attempt: u32) {
        let failed_before = matches!(self.till, Till::Failed(last) if last >= attempt);
        match self.till {
            Till::Open | Till::Failed(_) if failed_before || attempt <= self.plan.failures => {
                if !failed_before {
                    self.till = Till::Failed(attempt);
                }
                self.say(&payment(), failed(attempt, self.plan.retryable));
            }
            Till::Open | Till::Failed(_) => {
                self.till = Till::Charged;
                self.charges += 1;
                self.say(&payment(), succeeded());
            }
            Till::Charged | Till::Refunded => self.say(&payment(), succeeded()),
            Till::Void => self.say(&payment(), failed(attempt, false)),
        }
    }

    fn refund(&mut self) {
        let back = matches!(self.till, Till::Charged | Till::Refunded);
        self.till = if back { Till::Refunded } else { Till::Void };
        self.say("refund-1", refunded(if back { 5_000 } else { 0 }));
    }

    fn confirm(&mut self) {
        match self.order {
            Order::Pending => self.order = Order::Confirmed,
            Order::Cancelled(_) => return,
            Order::Confirmed | Order::Delivered => {}
        }
        self.say(ORDER, confirmed());
    }

    fn cancel_order(&mut self, reason: CancellationReason) {
        match self.order {
            Order::Delivered => return self.say(ORDER, delivered()),
            Order::Cancelled(_) => {}
            Order::Pending | Order::Confirmed => self.order = Order::Cancelled(reason),
        }
        if let Order::Cancelled(reason) = self.order {
            self.say(ORDER, cancelled(reason));
        }
    }

    /// No more losses: everything arrives in turn, then deadlines fall due, until nothing is left.
    pub fn come_to_rest(&mut self) {
        for _ in 0..10_000 {
            if !self.waiting.is_empty() {
                self.arrive(0, false);
                continue;
            }
            let due = self.timers.iter().enumerate().min_by_key(|(_, (_, at, _))| *at);
            let Some((place, at)) = due.map(|(place, (_, at, _))| (place, *at)) else { return };
            self.case.now = self.case.now.max(at);
            self.fire(place);
        }
        panic!("no rest after 10 000 steps: {:?}", self.case.saga);
    }
}
