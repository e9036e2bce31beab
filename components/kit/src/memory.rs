//! The ports in memory: for tests, for the exploration and as the floor of the simulation. Deterministic.

use crate::http::{Request, Response};
use crate::ports::{CallError, Entry, Ports, PublishError, Receipt, StoreError, SwapError};
use crate::time::Millis;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// What is said in place of an answer.
const NO_ANSWER: &str = "no answer";

/// Answers calls.
pub type Callee = Box<dyn Fn(&Request) -> Result<Response, CallError>>;
/// Comes between a publishing and what its publisher does next.
pub type Interruption = Box<dyn FnOnce(&Memory)>;

/// The ports in memory.
#[derive(Default)]
pub struct Memory {
    store: RefCell<BTreeMap<String, (u64, Vec<u8>)>>,
    revision: Cell<u64>,
    published: RefCell<Vec<(String, String)>>,
    variables: RefCell<BTreeMap<String, String>>,
    callee: RefCell<Option<Callee>>,
    interruption: RefCell<Option<Interruption>>,
    after_read: RefCell<Option<Interruption>>,
    now: Cell<u64>,
    ids: Cell<u64>,
    /// The next so many reads of one key are not answered.
    pub unanswered_reads: Cell<u32>,
    unanswered: Cell<bool>,
    /// The next so many swaps are carried out and answered as unknown.
    pub unknown_swaps: Cell<u32>,
    /// The next so many swaps are not carried out and answered as unknown.
    pub vanished_swaps: Cell<u32>,
    /// The next so many swaps lose to a writer that changed nothing.
    pub lost_swaps: Cell<u32>,
    /// The next so many publishings are carried out and answered as unavailable.
    pub unknown_publishings: Cell<u32>,
    /// The next so many publishings are not carried out and answered as unavailable.
    pub vanished_publishings: Cell<u32>,
}

/// What a swap in memory needs: the key and the revision it was read at.
#[derive(Debug)]
pub struct Token(String, u64);

impl Memory {
    /// Empty, at `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        let memory = Self::default();
        memory.now.set(now.0);
        memory
    }

    /// The same with a variable.
    #[must_use]
    pub fn with_variable(self, name: &str, value: &str) -> Self {
        self.variables.borrow_mut().insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with someone who answers calls.
    #[must_use]
    pub fn with_callee(self, callee: impl Fn(&Request) -> Result<Response, CallError> + 'static) -> Self {
        *self.callee.borrow_mut() = Some(Box::new(callee));
        self
    }

    /// After the next publishing, and before its publisher goes on, this happens: a delivery that is faster, for one.
    pub fn interrupt(&self, interruption: impl FnOnce(&Self) + 'static) {
        *self.interruption.borrow_mut() = Some(Box::new(interruption));
    }

    /// After the next read that is to change a value, and before its reader goes on, this happens.
    pub fn interrupt_reader(&self, interruption: impl FnOnce(&Self) + 'static) {
        *self.after_read.borrow_mut() = Some(Box::new(interruption));
    }

    /// Moves the clock later.
    pub fn advance(&self, milliseconds: u64) {
        self.now.set(self.now.get() + milliseconds);
    }

    /// What was published: subject and wire JSON. The sequence of each is its place, from 1.
    #[must_use]
    pub fn published(&self) -> Vec<(String, String)> {
        self.published.borrow().clone()
    }

    /// Empties the inbox of every aggregate, as may happen at any time after an acknowledgement.
    pub fn empty_inboxes(&self) {
        for (_, bytes) in self.store.borrow_mut().values_mut() {
            let Ok(serde_json::Value::Object(mut value)) = serde_json::from_slice(bytes) else { continue };
            if value.remove("inbox").is_some() {
                *bytes = serde_json::Value::Object(value).to_string().into_bytes();
            }
        }
    }

    /// Lets go of every value whose key begins with `prefix`, as a store does once they are past their age.
    pub fn forget(&self, prefix: &str) {
        self.store.borrow_mut().retain(|key, _| !key.starts_with(prefix));
    }

    /// All that is stored, for comparing two states.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        self.store.borrow().iter().map(|(key, (_, value))| (key.clone(), value.clone())).collect()
    }

    fn answer(&self) -> Result<(), StoreError> {
        if take(&self.unanswered_reads) {
            self.unanswered.set(true);
            return Err(StoreError(NO_ANSWER.to_owned()));
        }
        Ok(())
    }

    fn write(&self, key: &str, value: Vec<u8>) {
        self.revision.set(self.revision.get() + 1);
        self.store.borrow_mut().insert(key.to_owned(), (self.revision.get(), value));
    }
}

fn take(counter: &Cell<u32>) -> bool {
    let left = counter.get();
    counter.set(left.saturating_sub(1));
    left > 0
}

impl Ports for Memory {
    type Token = Token;

    async fn read(&self, key: &str) -> Result<Entry<Token>, StoreError> {
        self.answer()?;
        let found = self.store.borrow().get(key).cloned();
        let revision = found.as_ref().map_or(0, |(revision, _)| *revision);
        let interruption = self.after_read.borrow_mut().take();
        if let Some(interruption) = interruption {
            interruption(self);
        }
        Ok(Entry { value: found.map(|(_, value)| value), token: Token(key.to_owned(), revision) })
    }

    async fn swap(&self, token: Token, value: Vec<u8>) -> Result<(), SwapError> {
        let Token(key, expected) = token;
        let current = self.store.borrow().get(&key).map_or(0, |(revision, _)| *revision);
        if current != expected || take(&self.lost_swaps) {
            return Err(SwapError::Conflict);
        }
        if take(&self.vanished_swaps) {
            return Err(SwapError::Unknown(NO_ANSWER.to_owned()));
        }
        self.write(&key, value);
        if take(&self.unknown_swaps) { Err(SwapError::Unknown(NO_ANSWER.to_owned())) } else { Ok(()) }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.answer()?;
        Ok(self.store.borrow().get(key).map(|(_, value)| value.clone()))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let store = self.store.borrow();
        Ok(keys.iter().map(|key| store.get(key).map(|(_, value)| value.clone())).collect())
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        self.write(key, value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.borrow_mut().remove(key);
        Ok(())
    }

    async fn publish(&self, subject: &str, wire: String) -> Result<Receipt, PublishError> {
        if take(&self.vanished_publishings) {
            return Err(PublishError::Unavailable(NO_ANSWER.to_owned()));
        }
        let mut published = self.published.borrow_mut();
        let entry = (subject.to_owned(), wire);
        let sequence = match published.iter().position(|there| *there == entry) {
            Some(place) => place + 1,
            None => {
                published.push(entry);
                published.len()
            }
        };
        drop(published);
        let interruption = self.interruption.borrow_mut().take();
        if let Some(interruption) = interruption {
            interruption(self);
        }
        if take(&self.unknown_publishings) {
            return Err(PublishError::Unavailable(NO_ANSWER.to_owned()));
        }
        Ok(Receipt { source: "memory".to_owned(), sequence: sequence as u64 })
    }

    async fn call(&self, request: Request) -> Result<Response, CallError> {
        match self.callee.borrow().as_ref() {
            Some(callee) => callee(&request),
            None => Err(CallError::Unavailable("nobody answers calls here".to_owned())),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.borrow().get(name).cloned()
    }

    fn now(&self) -> Millis {
        Millis(self.now.get())
    }

    fn new_id(&self) -> String {
        self.ids.set(self.ids.get() + 1);
        crate::ids::derived("memory", &[&self.ids.get().to_string()])
    }

    fn unanswered(&self) -> Option<String> {
        self.unanswered.take().then(|| NO_ANSWER.to_owned())
    }
}

/// Runs a future that never waits, as those over [`Memory`].
///
/// # Panics
/// Where it waits.
#[expect(clippy::panic, reason = "for tests: a future that waits here is a defect of the test")]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the future waits for something that memory does not have"),
    }
}
