//! The ports of a component over the host's own store and bus, without a guest between.

use super::world::{Seen, World};
use a4co_host::bus::{BusError, EventBus as _};
use a4co_host::durability::Watermark;
use a4co_host::event::{Event as Logged, Headers};
use a4co_host::keyvalue::{self, KeyValue as _, KeyValueError, Swap};
use a4co_host::subject::Subject;
use kit::http::{Request, Response};
use kit::ports::{CallError, Entry, Ports, PublishError, Receipt, StoreError, SwapError};
use kit::time::Millis;
use std::sync::Arc;

/// The one store label; keys of components are kept apart by prefix, as in a guest.
const STORE: &str = "default";

/// The ports of one component during one invocation.
pub struct NativePorts<'a> {
    pub(super) world: &'a World,
    pub(super) component: &'static str,
    pub(super) seen: &'a Seen,
}

/// What a swap needs: the key and the revision it was read at.
#[derive(Debug)]
pub struct Token(String, u64);

impl NativePorts<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.component)
    }

    fn saw(&self, watermark: Watermark) {
        self.seen.set(self.seen.get().max(watermark));
    }

    async fn entry(&self, key: &str) -> Result<keyvalue::Entry, StoreError> {
        let entry = self.world.key_value.get(STORE, key).await.map_err(failed)?;
        self.saw(entry.watermark);
        Ok(entry)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: KeyValueError) -> StoreError {
    StoreError(error.to_string())
}

impl Ports for NativePorts<'_> {
    type Token = Token;

    async fn read(&self, key: &str) -> Result<Entry<Token>, StoreError> {
        let key = self.key(key);
        let entry = self.entry(&key).await?;
        Ok(Entry { value: entry.value.map(Into::into), token: Token(key, entry.revision) })
    }

    async fn swap(&self, Token(key, revision): Token, value: Vec<u8>) -> Result<(), SwapError> {
        match self.world.key_value.swap(STORE, &key, revision, value.into()).await {
            Ok(Swap::Done { watermark, .. }) => {
                self.saw(watermark);
                Ok(())
            }
            Ok(Swap::Conflict(_)) => Err(SwapError::Conflict),
            Err(error) => Err(SwapError::Unknown(error.to_string())),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.entry(&self.key(key)).await?.value.map(Into::into))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let entries = self.world.key_value.get_many(STORE, &keys).await.map_err(failed)?;
        for entry in &entries {
            self.saw(entry.watermark);
        }
        Ok(entries.into_iter().map(|entry| entry.value.map(Into::into)).collect())
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let writes = vec![(self.key(key), Some(value.into()))];
        self.saw(self.world.key_value.put_many(STORE, writes).await.map_err(failed)?);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let writes = vec![(self.key(key), None)];
        self.saw(self.world.key_value.put_many(STORE, writes).await.map_err(failed)?);
        Ok(())
    }

    async fn publish(&self, subject: &str, wire: String) -> Result<Receipt, PublishError> {
        let subject = Subject::new(subject).map_err(|error| PublishError::Refused(error.to_string()))?;
        let event = Arc::new(Logged::new(subject, wire.into(), Headers::default()));
        let receipt = self.world.bus.publish(event).await.map_err(|error| match error {
            BusError::NoStream(_) | BusError::NotFound(_) => PublishError::Refused(error.to_string()),
            _ => PublishError::Unavailable(error.to_string()),
        })?;
        self.saw(receipt.watermark);
        let source = format!("{}/{}#{}", self.component, receipt.stream, receipt.incarnation);
        Ok(Receipt { source, sequence: receipt.sequence })
    }

    async fn call(&self, mut request: Request) -> Result<Response, CallError> {
        let away = || CallError::Unavailable(format!("{} is no component", request.target));
        let rest = request.target.strip_prefix("http://").ok_or_else(away)?;
        let (component, path) = rest.split_once(".spin.internal").ok_or_else(away)?;
        let (component, path) = (component.to_owned(), path.to_owned());
        request.target = path;
        Ok(self.world.serve(&component, request, self.seen))
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.world.variable(self.component, name)
    }

    fn now(&self) -> Millis {
        Millis(self.world.clock.now().0)
    }

    fn new_id(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }
}
