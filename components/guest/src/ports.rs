//! The ports of a component over its host: `wasi:keyvalue`, variables, clock, outgoing HTTP.

use crate::bindings::wasi::keyvalue::store::{Bucket, Error};
use crate::bindings::wasi::keyvalue::{atomics, batch, store};
use crate::{calls, manners};
use kit::Worker;
use kit::claims::{Cells, Claims, Token};
use kit::http::{Request, Response};
use kit::ports::{CallError, Entry, Ports, PublishError, Receipt, StoreError, SwapError};
use kit::time::Millis;
use kit::token::{self, SigningKey};
use std::cell::RefCell;
use std::rc::Rc;

/// The one store label every Spin host has without configuration; keys of components are kept apart by prefix.
const STORE: &str = "default";

thread_local! {
    /// Opened once an instance: a reused instance saves the call.
    static BUCKET: RefCell<Option<Rc<Bucket>>> = const { RefCell::new(None) };
    /// Variables that were asked for: they are the application's, so they hold for as long as an instance lives.
    static VARIABLES: RefCell<Vec<(String, Option<String>)>> = const { RefCell::new(Vec::new()) };
    /// Why the store last did not answer.
    static UNANSWERED: std::cell::Cell<Option<String>> = const { std::cell::Cell::new(None) };
}

/// The ports of one component.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    component: &'static str,
}

impl Host {
    /// The ports of `W`.
    #[must_use]
    pub fn of<W: Worker>() -> Self {
        Self { component: W::COMPONENT }
    }

    /// A token for the bridge, where we have a key to sign one with.
    fn authorization(&self) -> Result<Option<String>, PublishError> {
        let Some(text) = self.variable("events_key").filter(|text| !text.is_empty()) else { return Ok(None) };
        let key = SigningKey::read(&text)
            .map_err(|error| PublishError::Unavailable(format!("the variable `events_key`: {error}")))?;
        Ok(Some(token::sign(&key, self.component, token::BRIDGE, self.now())))
    }

    fn key(&self, key: &str) -> String {
        let mut whole = String::with_capacity(self.component.len() + 1 + key.len());
        whole.push_str(self.component);
        whole.push('/');
        whole.push_str(key);
        whole
    }
}

fn bucket() -> Result<Rc<Bucket>, StoreError> {
    BUCKET.with_borrow_mut(|bucket| match bucket {
        Some(bucket) => Ok(Rc::clone(bucket)),
        None => {
            let opened = Rc::new(store::open(STORE).map_err(failed)?);
            *bucket = Some(Rc::clone(&opened));
            Ok(opened)
        }
    })
}

/// An error of the store in words, which it is remembered by.
fn failed(error: Error) -> StoreError {
    let why = match error {
        Error::NoSuchStore => format!("there is no store `{STORE}`"),
        Error::AccessDenied => format!("the store `{STORE}` is not granted: add it to key_value_stores"),
        Error::Other(why) => why,
    };
    UNANSWERED.set(Some(why.clone()));
    StoreError(why)
}

impl Cells for Host {
    type Token = atomics::Cas;

    async fn read(&self, key: &str) -> Result<Entry<atomics::Cas>, StoreError> {
        let token = atomics::Cas::new(&*bucket()?, &self.key(key)).map_err(failed)?;
        // Also tells the host what the swap compares with: one without a `current` before may overwrite.
        let value = token.current().map_err(failed)?;
        Ok(Entry { value, token })
    }

    async fn swap(&self, token: atomics::Cas, value: Vec<u8>) -> Result<(), SwapError> {
        atomics::swap(token, &value).map_err(|error| match error {
            atomics::CasError::CasFailed(_) => SwapError::Conflict,
            atomics::CasError::StoreError(error) => SwapError::Unknown(failed(error).0),
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        bucket()?.get(&self.key(key)).map_err(failed)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let wanted: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let mut found = batch::get_many(&*bucket()?, &wanted).map_err(failed)?;
        // Some hosts leave missing keys out and none promises the order.
        let place = |key: &String| found.iter().position(|(there, _)| there == key);
        let places: Vec<_> = wanted.iter().map(place).collect();
        Ok(places.into_iter().map(|place| found.get_mut(place?).and_then(|(_, value)| value.take())).collect())
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        bucket()?.set(&self.key(key), &value).map_err(failed)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        bucket()?.delete(&self.key(key)).map_err(failed)
    }

    async fn increment(&self, key: &str) -> Result<i64, StoreError> {
        atomics::increment(&*bucket()?, &self.key(key), 1).map_err(failed)
    }
}

impl Ports for Host {
    type Token = Token<atomics::Cas>;

    async fn read(&self, key: &str) -> Result<Entry<Self::Token>, StoreError> {
        if manners::creates_atomically() {
            let Entry { value, token } = Cells::read(self, key).await?;
            return Ok(Entry { value, token: Token::Cell(token) });
        }
        Claims(self).read(key).await
    }

    async fn swap(&self, token: Self::Token, value: Vec<u8>) -> Result<(), SwapError> {
        Claims(self).swap(token, value).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if manners::creates_atomically() { Cells::get(self, key).await } else { Claims(self).get(key).await }
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if manners::creates_atomically() {
            Cells::get_many(self, keys).await
        } else {
            Claims(self).get_many(keys).await
        }
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        if manners::creates_atomically() {
            Cells::set(self, key, value).await
        } else {
            Claims(self).set(key, value).await
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        if manners::creates_atomically() { Cells::delete(self, key).await } else { Claims(self).delete(key).await }
    }

    async fn publish(&self, subject: &str, wire: String) -> Result<Receipt, PublishError> {
        let Some(url) = self.variable("events_url").filter(|url| !url.is_empty()) else {
            return Err(PublishError::Unavailable("the variable `events_url` is not set".to_owned()));
        };
        if !manners::may_publish_at(&url) {
            let why =
                format!("this host takes no events at {url}: set the variable `events_url` to a bridge's address");
            return Err(PublishError::Unavailable(why));
        }
        calls::publish(&url, subject, wire, self.authorization()?).await
    }

    async fn call(&self, request: Request) -> Result<Response, CallError> {
        calls::call(request).await
    }

    fn variable(&self, name: &str) -> Option<String> {
        VARIABLES.with_borrow_mut(|known| {
            if let Some((_, value)) = known.iter().find(|(there, _)| there == name) {
                return value.clone();
            }
            let value = spin_sdk::variables::get(name).ok();
            known.push((name.to_owned(), value.clone()));
            value
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the clock of HTTP requests; decisions take theirs from the event")]
    fn now(&self) -> Millis {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }

    fn new_id(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }

    fn unanswered(&self) -> Option<String> {
        UNANSWERED.take()
    }

    #[expect(clippy::print_stderr, reason = "a component's standard error is its log")]
    fn warn(&self, text: &str) {
        eprintln!("{text}");
    }
}
