//! What the saga and the customer see of payment, with the sandbox's own code as the gateway.

mod http;
mod invariants;
mod process;
mod refund;

use crate::Payment;
use gateway_sandbox::UntilGivenUp;
use kit::events::Timer;
use kit::events::payment::{PaymentProcessRequested, PaymentRefundRequested};
use kit::http::Request;
use kit::json::{self, Value};
use kit::memory::{Memory, block_on};
use kit::ports::CallError;
use kit::{Event, Metadata, Output, Worker as _, aggregate, ids};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

pub(crate) const ORDER: &str = "order-1";
const START: u64 = 1_768_473_000_000;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It does not arrive.
    RequestLost,
    /// It arrives; the answer does not.
    AnswerLost,
    /// The gateway is away.
    Away,
}

/// A payment with its gateway. What the line does is told in advance; then it works.
pub(crate) struct Shop {
    pub(crate) ports: Rc<Memory>,
    gateway: Rc<Memory>,
    pub(crate) line: Rc<RefCell<VecDeque<Line>>>,
    pub(crate) calls: Rc<RefCell<Vec<Request>>>,
    /// From the next call on no swap succeeds.
    crash: Rc<Cell<bool>>,
    sequence: u64,
    now: u64,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let (gateway, line, calls) = <(Rc<Memory>, Rc<RefCell<VecDeque<Line>>>, Rc<RefCell<Vec<Request>>>)>::default();
        let (there, faults, seen) = (Rc::clone(&gateway), Rc::clone(&line), Rc::clone(&calls));
        let (crash, own) = <(Rc<Cell<bool>>, Rc<RefCell<Weak<Memory>>>)>::default();
        let (crashes, swaps) = (Rc::clone(&crash), Rc::clone(&own));
        let callee = move |request: &Request| {
            if let Some(ports) = swaps.borrow().upgrade().filter(|_| crashes.get()) {
                ports.lost_swaps.set(u32::MAX);
            }
            seen.borrow_mut().push(request.clone());
            let target = request.target.trim_start_matches("http://gateway").to_owned();
            let fault = faults.borrow_mut().pop_front();
            match fault {
                Some(Line::RequestLost) => return Err(CallError::Timeout),
                Some(Line::Away) => return Err(CallError::Unavailable("connection refused".to_owned())),
                Some(Line::AnswerLost) | None => {}
            }
            let request = Request { target, ..request.clone() };
            let response = block_on(gateway_sandbox::serve(&*there, &UntilGivenUp, &request));
            if fault == Some(Line::AnswerLost) { Err(CallError::Timeout) } else { Ok(response) }
        };
        let ports = Rc::new(Memory::default().with_variable("gateway_url", "http://gateway").with_callee(callee));
        *own.borrow_mut() = Rc::downgrade(&ports);
        Self { ports, gateway, line, calls, crash, sequence: 0, now: START }
    }

    pub(crate) fn fails(&self, line: &[Line]) {
        self.line.borrow_mut().extend(line);
    }

    /// Delivers an event under a new sequence.
    pub(crate) fn deliver(&mut self, id: &str, event: &Event) -> Vec<Output> {
        self.try_deliver(id, event).unwrap()
    }

    pub(crate) fn try_deliver(&mut self, id: &str, event: &Event) -> Result<Vec<Output>, kit::Failure> {
        self.sequence += 1;
        self.now += 10;
        block_on(Payment::handle(&*self.ports, meta(id, self.sequence, self.now), event.clone()))
    }

    /// Delivers an event; the intent is written and the call made, and nothing is written after it.
    pub(crate) fn crash_after_the_call(&mut self, id: &str, event: &Event) -> Result<Vec<Output>, kit::Failure> {
        self.crash.set(true);
        let result = self.try_deliver(id, event);
        self.crash.set(false);
        self.ports.lost_swaps.set(0);
        result
    }

    pub(crate) fn state(&self) -> crate::domain::Payment {
        block_on(aggregate::read(&*self.ports, &payment_id())).unwrap().unwrap_or_default().0
    }

    /// Sum of charges and of refunds, and how many charges there were.
    pub(crate) fn ledger(&self) -> (u64, u64, usize) {
        let request = Request::get(format!("/gateway/ledger?merchantReference={ORDER}"));
        let response = block_on(gateway_sandbox::serve(&*self.gateway, &UntilGivenUp, &request));
        let page: Value = json::from_slice(&response.body).unwrap();
        let entries = page["entries"].as_array().unwrap();
        let of = |kind: &'static str| entries.iter().filter(move |entry| entry["kind"] == kind);
        let sum = |kind| of(kind).map(|entry| entry["amount"].as_u64().unwrap()).sum();
        (sum("charge"), sum("refund"), of("charge").count())
    }
}

pub(crate) fn payment_id() -> String {
    ids::payment(ORDER)
}

fn meta(event_id: &str, sequence: u64, delivered_at: u64) -> Metadata {
    Metadata {
        event_id: event_id.into(),
        event_version: 1,
        aggregate_id: payment_id(),
        aggregate_version: None,
        occurred_at: "2026-01-15T10:30:00.000Z".into(),
        correlation_id: "correlation".into(),
        causation_id: "cause".into(),
        saga_id: Some(ids::saga(ORDER)),
        source: "payment/PAYMENTS#1".into(),
        sequence,
        key: payment_id(),
        attempt: 1,
        delivered_at,
    }
}

pub(crate) fn process(method: &str, attempt: u32) -> Event {
    Event::PaymentProcess(PaymentProcessRequested {
        order_id: ORDER.into(),
        amount: 5_900,
        currency: "EUR".into(),
        payment_method: method.into(),
        saga_id: ids::saga(ORDER),
        attempt: Some(attempt),
        customer_id: Some("user-lucia".into()),
    })
}

pub(crate) fn refund() -> Event {
    Event::PaymentRefund(PaymentRefundRequested {
        order_id: ORDER.into(),
        amount: 5_900,
        currency: "EUR".into(),
        reason: "order-cancelled".into(),
        saga_id: ids::saga(ORDER),
    })
}

pub(crate) fn subjects(outputs: &[Output]) -> Vec<&'static str> {
    facts(outputs).into_iter().map(|(_, event)| event.subject()).collect()
}

pub(crate) fn facts(outputs: &[Output]) -> Vec<(Option<u64>, Event)> {
    let fact = |output: &Output| match output {
        Output::Emit(emission) => Some((emission.aggregate_version, emission.event.clone())),
        Output::Timer(_) | Output::CancelTimer(_) => None,
    };
    outputs.iter().filter_map(fact).collect()
}

pub(crate) fn timer(outputs: &[Output]) -> Option<Timer> {
    outputs.iter().find_map(|output| match output {
        Output::Timer(timer) => Some(timer.clone()),
        Output::Emit(_) | Output::CancelTimer(_) => None,
    })
}
