//! The ports of a component during one invocation in one process.

use crate::mutation::{self, Mutation};
use crate::process::Process;
use crate::world::{STORE, World};
use crate::{calls, workers};
use a4co_host::bus::{BusError, EventBus as _};
use a4co_host::clock::Clock as _;
use a4co_host::event::{Event as Logged, Headers};
use a4co_host::keyvalue::{self, KeyValue as _, KeyValueError, Swap};
use a4co_host::subject::Subject;
use bytes::Bytes;
use kit::http::{Request, Response};
use kit::ports::{CallError, Entry, Ports, PublishError, Receipt, StoreError, SwapError};
use kit::time::Millis;
use std::sync::Arc;

/// See the module.
#[derive(Clone)]
pub struct SimulatedPorts {
    /// Where.
    pub world: Arc<World>,
    /// Who.
    pub process: Arc<Process>,
    /// Whose keys, variables and calls.
    pub component: &'static str,
    /// Nothing is decided by what it reads: it may read from a replica that lags.
    pub only_reads: bool,
}

/// What a swap needs: the key and the revision it was read at.
#[derive(Debug)]
pub struct Token {
    key: String,
    revision: u64,
    /// What was read: a mutation may compare with it.
    read: Option<Bytes>,
}

impl SimulatedPorts {
    /// The ports of another component, for a call that stays in the process.
    #[must_use]
    pub fn of(&self, component: &'static str, only_reads: bool) -> Self {
        Self { component, only_reads, ..self.clone() }
    }

    async fn step(&self) {
        self.world.step(&self.process).await;
    }

    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.component)
    }

    async fn entry(&self, key: &str) -> Result<keyvalue::Entry, StoreError> {
        self.step().await;
        self.world.keys.get(STORE, key).await.map_err(failed)
    }

    /// A value for a reader; maybe one that was there before, where nothing is decided by it.
    async fn value(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let entry = self.entry(key).await?;
        let lags = self.only_reads && self.world.roll(|dice| dice.chance(self.world.rates().stale, 1_000));
        if lags {
            self.world.count("stale read");
        }
        let before = if lags { self.world.model.lock().before(key) } else { None };
        let value = before.or(entry.value);
        Ok(mutation::read(&self.world, key, value).map(Into::into))
    }

    /// A write, between two awaits.
    async fn write(&self, writes: Vec<(String, Option<Bytes>)>) -> Result<(), StoreError> {
        self.step().await;
        let keys: Vec<String> = writes.iter().map(|(key, _)| key.clone()).collect();
        let outcome = self.world.keys.put_many(STORE, writes).await.map_err(failed);
        for key in &keys {
            self.world.looks_at(key);
        }
        self.step().await;
        outcome.map(|_| ())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: KeyValueError) -> StoreError {
    StoreError(error.to_string())
}

impl Ports for SimulatedPorts {
    type Token = Token;

    async fn read(&self, key: &str) -> Result<Entry<Token>, StoreError> {
        let key = self.key(key);
        let entry = self.entry(&key).await?;
        let value = mutation::read(&self.world, &key, entry.value.clone()).map(Into::into);
        Ok(Entry { value, token: Token { key, revision: entry.revision, read: entry.value } })
    }

    async fn swap(&self, token: Token, value: Vec<u8>) -> Result<(), SwapError> {
        self.step().await;
        let Some(value) = mutation::swapped(&self.world, &token.key, (token.read, value.into())) else { return Ok(()) };
        let outcome = match self.world.mutated(Mutation::NoVersionCheck) {
            true => self.world.keys.put_many(STORE, vec![(token.key.clone(), Some(value))]).await.map(|_| None),
            false => self.world.keys.swap(STORE, &token.key, token.revision, value).await.map(Some),
        };
        self.world.looks_at(&token.key);
        self.step().await;
        match outcome {
            Ok(None | Some(Swap::Done { .. })) => Ok(()),
            Ok(Some(Swap::Conflict(_))) => {
                self.world.count("swap lost");
                Err(SwapError::Conflict)
            }
            Err(_) if self.world.mutated(Mutation::UnknownIsDone) => Ok(()),
            Err(error) => {
                self.world.count("swap unknown");
                Err(SwapError::Unknown(error.to_string()))
            }
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.value(&self.key(key)).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.value(&self.key(key)).await?);
        }
        Ok(values)
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        self.write(vec![(self.key(key), Some(value.into()))]).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.write(vec![(self.key(key), None)]).await
    }

    async fn publish(&self, subject: &str, wire: String) -> Result<Receipt, PublishError> {
        let subject = Subject::new(subject).map_err(|error| PublishError::Refused(error.to_string()))?;
        self.step().await;
        let event = Arc::new(Logged::new(subject, wire.into(), Headers::default()));
        let published = self.world.bus.publish(event).await;
        self.world.wrote();
        self.step().await;
        let receipt = published.map_err(|error| match error {
            BusError::NoStream(_) | BusError::NotFound(_) => PublishError::Refused(error.to_string()),
            _ => {
                self.world.count("publishing unknown");
                PublishError::Unavailable(error.to_string())
            }
        })?;
        let source = format!("{}/{}#{}", self.component, receipt.stream, receipt.incarnation);
        Ok(Receipt { source, sequence: receipt.sequence })
    }

    async fn call(&self, request: Request) -> Result<Response, CallError> {
        calls::call(self, request).await
    }

    fn variable(&self, name: &str) -> Option<String> {
        workers::variable(&self.world, self.component, name)
    }

    fn now(&self) -> Millis {
        Millis(self.process.clock.now().0)
    }

    fn new_id(&self) -> String {
        self.world.new_id()
    }
}
