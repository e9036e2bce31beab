//! Every interleaving of two creators of one aggregate on a store like Spin's, with deaths and lost answers anywhere.

use super::*;
use crate::Ports;
use crate::aggregate::tests::{Counter, Pieces, adjust, meta};
use crate::aggregate::{execute, read};
use crate::events::{Metadata, Output};
use crate::http::{Request, Response};
use crate::memory::block_on;
use crate::ports::{CallError, PublishError, Receipt};
use crate::time::Millis;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The store as Spin has it: a swap compares values, and on an absent key it writes.
#[derive(Default)]
struct Spin(RefCell<BTreeMap<String, Vec<u8>>>);

/// What the scheduler lets one creator do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    /// One call.
    Go,
    /// One call, whose answer does not arrive.
    Lose,
}

/// One creator's way to the store: every call waits for its grant.
struct Creator {
    store: Rc<Spin>,
    claims: bool,
    /// `None` lets everything through.
    gate: Option<Rc<Cell<Option<Grant>>>>,
    /// What it was told so far: with the store, all that its next step depends on.
    told: Rc<RefCell<String>>,
}

impl Creator {
    fn free(store: &Rc<Spin>, claims: bool) -> Self {
        Self { store: Rc::clone(store), claims, gate: None, told: Rc::default() }
    }

    async fn call<T: std::fmt::Debug>(&self, act: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> Option<T> {
        let grant = match &self.gate {
            None => Grant::Go,
            Some(gate) => std::future::poll_fn(|_| gate.take().map_or(Poll::Pending, Poll::Ready)).await,
        };
        let answer = Some(act(&mut self.store.0.borrow_mut())).filter(|_| grant == Grant::Go);
        self.told.borrow_mut().push_str(&format!("{answer:?};"));
        answer
    }
}

fn lost() -> StoreError {
    StoreError("no answer".to_owned())
}

impl Cells for Creator {
    type Token = (String, Option<Vec<u8>>);

    async fn read(&self, key: &str) -> Result<Entry<Self::Token>, StoreError> {
        let value = self.call(|cells| cells.get(key).cloned()).await.ok_or_else(lost)?;
        Ok(Entry { value: value.clone(), token: (key.to_owned(), value) })
    }

    async fn swap(&self, (key, seen): Self::Token, value: Vec<u8>) -> Result<(), SwapError> {
        let swapped = self.call(|cells| {
            let free = seen.is_none() || cells.get(&key) == seen.as_ref();
            free.then(|| cells.insert(key, value)).is_some()
        });
        match swapped.await {
            Some(true) => Ok(()),
            Some(false) => Err(SwapError::Conflict),
            None => Err(SwapError::Unknown("no answer".to_owned())),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(|cells| cells.get(key).cloned()).await.ok_or_else(lost)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.call(|cells| keys.iter().map(|key| cells.get(key).cloned()).collect()).await.ok_or_else(lost)
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        self.call(|cells| cells.insert(key.to_owned(), value)).await.map(|_| ()).ok_or_else(lost)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(|cells| cells.remove(key)).await.map(|_| ()).ok_or_else(lost)
    }

    async fn increment(&self, key: &str) -> Result<i64, StoreError> {
        let sum = self.call(|cells| {
            let number = cells.get(key).map_or(0, |bytes| {
                i64::from_le_bytes(bytes.as_slice().try_into().expect("Spin's store ends itself here"))
            });
            cells.insert(key.to_owned(), (number + 1).to_le_bytes().to_vec());
            number + 1
        });
        sum.await.ok_or_else(lost)
    }
}

impl Ports for Creator {
    type Token = Token<(String, Option<Vec<u8>>)>;

    async fn read(&self, key: &str) -> Result<Entry<Self::Token>, StoreError> {
        if self.claims {
            return Claims(self).read(key).await;
        }
        let Entry { value, token } = Cells::read(self, key).await?;
        Ok(Entry { value, token: Token::Cell(token) })
    }

    async fn swap(&self, token: Self::Token, value: Vec<u8>) -> Result<(), SwapError> {
        Claims(self).swap(token, value).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Claims(self).get(key).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        Claims(self).get_many(keys).await
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        Claims(self).set(key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Claims(self).delete(key).await
    }

    async fn publish(&self, _subject: &str, _wire: String) -> Result<Receipt, PublishError> {
        Err(PublishError::Unavailable("nothing is published here".to_owned()))
    }

    async fn call(&self, _request: Request) -> Result<Response, CallError> {
        Err(CallError::Unavailable("nothing is called here".to_owned()))
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn now(&self) -> Millis {
        Millis(0)
    }

    fn new_id(&self) -> String {
        String::new()
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Call(usize, Grant),
    Die(usize),
}

type Handled = Option<Vec<Output>>;

/// Two creators, each with one event.
struct Race {
    claims: bool,
    events: [(Metadata, i64); 2],
    /// What the aggregate comes to once both events are handled.
    sum: i64,
}

/// Where a schedule leads.
struct Reached {
    store: Rc<Spin>,
    /// By creator: still at work.
    running: [bool; 2],
    outputs: [Handled; 2],
    /// What two schedules have in common that lead to the same place.
    place: String,
}

impl Race {
    fn reach(&self, schedule: &[Step]) -> Reached {
        let store = Rc::new(Spin::default());
        let gates = [Rc::new(Cell::new(None)), Rc::new(Cell::new(None))];
        let told: [Rc<RefCell<String>>; 2] = [Rc::default(), Rc::default()];
        let mut creators: Vec<Option<Pin<Box<dyn Future<Output = Handled>>>>> = Vec::new();
        for (place, (meta, by)) in self.events.clone().into_iter().enumerate() {
            let (gate, told) = (Some(Rc::clone(&gates[place])), Rc::clone(&told[place]));
            let ports = Creator { store: Rc::clone(&store), claims: self.claims, gate, told };
            let handle = async move { execute::<Counter, _>(&ports, "a", &meta, &adjust(by, false)).await.ok() };
            creators.push(Some(Box::pin(handle)));
        }
        let mut outputs = [None, None];
        let mut context = Context::from_waker(Waker::noop());
        for creator in creators.iter_mut().flatten() {
            assert!(creator.as_mut().poll(&mut context).is_pending(), "the first call waits for its grant");
        }
        for step in schedule {
            let (Step::Call(place, _) | Step::Die(place)) = *step;
            match *step {
                Step::Call(_, grant) => {
                    let creator = creators[place].as_mut().unwrap();
                    gates[place].set(Some(grant));
                    if let Poll::Ready(handled) = creator.as_mut().poll(&mut context) {
                        (outputs[place], creators[place]) = (handled, None);
                    }
                }
                Step::Die(_) => creators[place] = None,
            }
        }
        let running = [creators[0].is_some(), creators[1].is_some()];
        let place = format!("{:?} {running:?} {} {}", store.0.borrow(), told[0].borrow(), told[1].borrow());
        Reached { store, running, outputs, place }
    }

    /// Walks all schedules with at most `faults` deaths and lost answers; how many ends were reached, or the schedule that
    /// breaks the promise.
    fn walk(&self, faults: usize) -> Result<usize, String> {
        let (mut ends, mut seen, mut open) = (0, BTreeSet::new(), vec![Vec::new()]);
        while let Some(schedule) = open.pop() {
            let reached = self.reach(&schedule);
            if !seen.insert(reached.place.clone()) {
                continue;
            }
            let suffered = schedule.iter().filter(|step| !matches!(step, Step::Call(_, Grant::Go))).count();
            let running = [0, 1].into_iter().filter(|place| reached.running[*place]);
            let mut steps: Vec<Step> = running.clone().map(|place| Step::Call(place, Grant::Go)).collect();
            if suffered < faults {
                steps.extend(running.flat_map(|place| [Step::Die(place), Step::Call(place, Grant::Lose)]));
            }
            if steps.is_empty() {
                ends += 1;
                self.check(&reached).map_err(|why| format!("{why}\n{schedule:?}\n{}", reached.place))?;
            }
            open.extend(steps.into_iter().map(|step| [&schedule[..], &[step]].concat()));
        }
        Ok(ends)
    }

    /// Both events come again, as the host does with what was not settled: each has its effect once, and what was let out
    /// is what is let out again.
    fn check(&self, reached: &Reached) -> Result<(), String> {
        let ports = Creator::free(&reached.store, self.claims);
        for ((meta, by), first) in self.events.iter().zip(&reached.outputs) {
            let again = block_on(execute::<Counter, _>(&ports, "a", meta, &adjust(*by, false)))
                .map_err(|error| format!("{error:?}"))?;
            if first.as_ref().is_some_and(|first| *first != again) {
                return Err(format!("{first:?} was let out, then {again:?}"));
            }
        }
        let sum = block_on(read::<Pieces, _>(&ports, "a")).map_err(|error| error.0)?.map(|(pieces, _)| pieces.count);
        if sum == Some(self.sum) { Ok(()) } else { Err(format!("the sum is {sum:?}, not {}", self.sum)) }
    }
}

fn two_events(claims: bool) -> Race {
    let other = Metadata { source: "pieces/OTHER#1".to_owned(), ..meta(1, "e2") };
    Race { claims, events: [(meta(1, "e1"), 5), (other, 3)], sum: 8 }
}

fn one_event_twice(claims: bool) -> Race {
    Race { claims, events: [(meta(1, "e1"), 5), (meta(1, "e1"), 5)], sum: 5 }
}

#[test]
fn two_creators_lose_nothing_whoever_dies_where() {
    // Two faults take minutes: they are walked where all explorations are.
    let faults = if std::env::var("A4CO_EXPLORE").is_ok_and(|how| how == "full") { 2 } else { 1 };
    for race in [two_events(true), one_event_twice(true)] {
        let ends = race.walk(faults).unwrap_or_else(|why| panic!("{why}"));
        assert!(ends > 1_000, "only {ends} ends were walked to");
    }
}

#[test]
fn without_the_protocol_the_slower_creator_wipes_out_the_faster() {
    let why = two_events(false).walk(0).unwrap_err();
    assert!(why.contains("the sum is Some(") || why.contains("was let out"), "{why}");
}

#[test]
fn a_key_that_exists_costs_no_call_more() {
    let store = Rc::new(Spin::default());
    let run = |sequence: u64, id: &str| {
        let ports = Creator::free(&store, true);
        block_on(execute::<Counter, _>(&ports, "a", &meta(sequence, id), &adjust(1, false))).unwrap();
        ports.told.borrow().matches(';').count()
    };
    assert_eq!((run(1, "e1"), run(2, "e2")), (9, 2), "a read and a swap, once it is there");
}

#[test]
fn a_value_beside_the_key_is_read_set_and_deleted_as_any_other() {
    let store = Rc::new(Spin::default());
    let ports = Creator::free(&store, true);
    // A first creator that died after its claim.
    store.0.borrow_mut().insert(word_key("k"), 1_i64.to_le_bytes().to_vec());
    let entry = block_on(Ports::read(&ports, "k")).unwrap();
    block_on(Ports::swap(&ports, entry.token, b"one".to_vec())).unwrap();
    assert!(store.0.borrow().contains_key("k=cell-2"), "the key itself was claimed by the dead");
    let keys = ["k".to_owned(), "none".to_owned()];
    assert_eq!(block_on(Ports::get_many(&ports, &keys)).unwrap(), [Some(b"one".to_vec()), None]);
    block_on(Ports::set(&ports, "k", b"two".to_vec())).unwrap();
    assert_eq!(block_on(Ports::get(&ports, "k")).unwrap(), Some(b"two".to_vec()));
    block_on(Ports::delete(&ports, "k")).unwrap();
    assert_eq!(block_on(Ports::get(&ports, "k")).unwrap(), None);
    let entry = block_on(Ports::read(&ports, "k")).unwrap();
    block_on(Ports::swap(&ports, entry.token, b"three".to_vec())).unwrap();
    assert_eq!(block_on(Ports::get(&ports, "k")).unwrap(), Some(b"three".to_vec()));
}
