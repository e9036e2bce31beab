//! The payment gateway: the sandbox's own code over a vault that no crash touches. A request that was sent arrives,
//! though its sender gave up or died; and the model sees every account that changes.

use crate::time::Wall;
use crate::world::World;
use a4co_host::clock::Clock as _;
use gateway_sandbox::Silence;
use kit::http::{Problem, Request, Response};
use kit::ports::{CallError, Entry, Ports, PublishError, Receipt, StoreError, SwapError};
use kit::time::Millis;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longer than any caller waits.
const SILENCE: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Clone)]
pub struct Gateway(Arc<Vault>);

/// What the gateway keeps.
struct Vault {
    wall: Wall,
    values: Mutex<Values>,
}

#[derive(Default)]
struct Values {
    by_key: BTreeMap<String, (u64, Vec<u8>)>,
    revision: u64,
    changed: Vec<(String, Vec<u8>)>,
}

impl Values {
    fn put(&mut self, key: String, value: Vec<u8>) {
        self.revision += 1;
        self.changed.push((key.clone(), value.clone()));
        self.by_key.insert(key, (self.revision, value));
    }
}

impl Gateway {
    /// Without any account.
    #[must_use]
    pub fn new(wall: Wall) -> Self {
        Self(Arc::new(Vault { wall, values: Mutex::default() }))
    }

    /// Answers a request, unless the caller gives up before.
    pub async fn serve(&self, world: &Arc<World>, request: Request) -> Response {
        let (gateway, world) = (self.clone(), world.clone());
        let (there, back) = world.roll(|dice| {
            let mut way = || if dice.chance(1, 20) { dice.millis(500, 6_000) } else { dice.millis(0, 20) };
            (way(), way())
        });
        let sender = Arc::new(());
        let waits = Arc::downgrade(&sender);
        // A task of its own: what is on the way arrives.
        let serving = tokio::spawn(async move {
            tokio::time::sleep(there).await;
            if waits.strong_count() == 0 {
                world.count("request that outlived its sender");
            }
            let silent = Silent(Mutex::new(false));
            let response = gateway_sandbox::serve(&*gateway.0, &silent, &request).await;
            gateway.show(&world, &request, &response);
            let silent = *silent.0.lock();
            tokio::time::sleep(if silent { SILENCE } else { back }).await;
            response
        });
        let response = serving.await.unwrap_or_else(|_| Problem::internal("the gateway broke").into());
        drop(sender);
        response
    }

    /// The model sees what changed.
    fn show(&self, world: &World, request: &Request, response: &Response) {
        let changed = std::mem::take(&mut self.0.values.lock().changed);
        let (method, target, status) = (&request.method, &request.target, response.status);
        world.note(&"bank", &format_args!("{method} {target} → {status}"));
        let mut model = world.model.lock();
        for (key, value) in changed {
            if let Some(reference) = key.strip_prefix("account/") {
                model.charged(reference, &value);
            }
        }
    }
}

/// The sandbox says that it will not answer; whoever serves it then waits.
struct Silent(Mutex<bool>);

impl Silence for Silent {
    async fn hold(&self) {
        *self.0.lock() = true;
    }
}

impl Ports for Vault {
    type Token = (String, u64);

    async fn read(&self, key: &str) -> Result<Entry<Self::Token>, StoreError> {
        let values = self.values.lock();
        let found = values.by_key.get(key);
        let revision = found.map_or(0, |(revision, _)| *revision);
        Ok(Entry { value: found.map(|(_, value)| value.clone()), token: (key.to_owned(), revision) })
    }

    async fn swap(&self, (key, expected): Self::Token, value: Vec<u8>) -> Result<(), SwapError> {
        let mut values = self.values.lock();
        if values.by_key.get(&key).map_or(0, |(revision, _)| *revision) != expected {
            return Err(SwapError::Conflict);
        }
        values.put(key, value);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.values.lock().by_key.get(key).map(|(_, value)| value.clone()))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let values = self.values.lock();
        Ok(keys.iter().map(|key| values.by_key.get(key).map(|(_, value)| value.clone())).collect())
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        self.values.lock().put(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.values.lock().by_key.remove(key);
        Ok(())
    }

    async fn publish(&self, subject: &str, _wire: String) -> Result<Receipt, PublishError> {
        Err(PublishError::Refused(format!("a gateway publishes nothing, not {subject} either")))
    }

    async fn call(&self, request: Request) -> Result<Response, CallError> {
        Err(CallError::Denied(format!("a gateway calls nobody, not {} either", request.target)))
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn now(&self) -> Millis {
        Millis(self.wall.now().0)
    }

    fn new_id(&self) -> String {
        let revision = self.values.lock().revision;
        format!("gateway-{revision}")
    }
}
