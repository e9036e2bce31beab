//! `wasi:keyvalue`: stores, compare-and-swap, batches.

use super::bindings::keyvalue::atomics::{self, CasError};
use super::bindings::keyvalue::batch;
use super::bindings::keyvalue::store::{self, Error, KeyResponse};
use super::manners::{Manners, increment_as_spin, swap_as_spin};
use super::{HostState, running};
use crate::durability::Durability;
use crate::engine::{Belief, Invocation, Services};
use crate::failpoint::{self, Point};
use crate::keyvalue::{Entry, KeyValue, KeyValueError, Swap};
use crate::manifest::Component;
use bytes::Bytes;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

/// Keys of one page of `list-keys`.
const PAGE: usize = 1_000;

/// What one component may do with stores.
#[derive(Clone)]
pub(super) struct KeyValueAccess(Arc<Access>);

struct Access {
    stores: Arc<dyn KeyValue>,
    durability: Arc<dyn Durability>,
    granted: Vec<Arc<str>>,
    host_calls: u64,
    manners: Manners,
}

impl KeyValueAccess {
    /// As `component`'s manifest entry grants.
    pub(super) fn new(services: &Services, component: &Component) -> Self {
        Self(Arc::new(Access {
            stores: Arc::clone(&services.key_value),
            durability: Arc::clone(&services.durability),
            granted: component.key_value_stores.iter().map(|label| label.as_str().into()).collect(),
            host_calls: component.limits.host_calls,
            manners: services.manners,
        }))
    }
}

/// An open store.
#[derive(Debug, Clone)]
pub struct Bucket {
    name: Arc<str>,
}

/// A key as it was when the handle was made: what a swap compares with.
#[derive(Debug)]
pub struct Cas {
    store: Arc<str>,
    key: String,
    /// `None` where nobody has looked yet, as may be with Spin's manners.
    seen: Option<Entry>,
}

/// The capability at work: borrowed from a store's data for one host call.
pub struct KeyValueView<'a> {
    access: &'a Access,
    invocation: &'a Invocation,
    table: &'a mut ResourceTable,
}

pub(super) struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValueView<'a>;
}

pub(super) fn view(state: &mut HostState) -> KeyValueView<'_> {
    KeyValueView { access: &state.key_value.0, invocation: &state.invocation, table: &mut state.table }
}

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasKeyValue>(linker, view)?;
    atomics::add_to_linker::<_, HasKeyValue>(linker, view)?;
    batch::add_to_linker::<_, HasKeyValue>(linker, view)
}

impl KeyValueView<'_> {
    /// Counts a call of the guest and traps it past its limit.
    pub(super) fn count(&self) -> wasmtime::Result<()> {
        running::count(self.invocation, self.access.host_calls)
    }

    /// Opens a granted store; `None` for any other.
    pub(super) fn open_granted(&mut self, label: &str) -> wasmtime::Result<Option<Resource<Bucket>>> {
        match self.access.granted.iter().find(|granted| &***granted == label) {
            Some(name) => Ok(Some(self.table.push(Bucket { name: Arc::clone(name) })?)),
            None => Ok(None),
        }
    }

    pub(super) fn close(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }

    fn name(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<Arc<str>> {
        self.count()?;
        Ok(Arc::clone(&self.table.get(bucket)?.name))
    }

    pub(super) async fn read(
        &mut self,
        bucket: &Resource<Bucket>,
        key: &str,
    ) -> wasmtime::Result<Result<Option<Bytes>, KeyValueError>> {
        let name = self.name(bucket)?;
        let entry = told(self.invocation, self.access.stores.get(&name, key).await);
        Ok(entry.map(|entry| noted(self.invocation, entry).value))
    }

    /// What the key is believed to hold, where somebody will look whether that is so.
    fn recall(&self, store: &Arc<str>, key: &str) -> Option<Entry> {
        let beliefs = self.invocation.beliefs();
        let entry = if beliefs.are_allowed() { self.access.stores.recall(store, key)? } else { return None };
        beliefs.hold(Belief { store: Arc::clone(store), key: key.to_owned(), revision: entry.revision });
        Some(entry)
    }

    pub(super) async fn write(
        &mut self,
        bucket: &Resource<Bucket>,
        writes: Vec<(String, Option<Bytes>)>,
    ) -> wasmtime::Result<Result<(), KeyValueError>> {
        let name = self.name(bucket)?;
        certain(self.access, self.invocation, None).await?;
        let written = told(self.invocation, self.access.stores.put_many(&name, writes).await);
        Ok(written.map(|watermark| self.invocation.observe(watermark)))
    }

    async fn keys_as_spin(
        &mut self,
        bucket: &Resource<Bucket>,
    ) -> wasmtime::Result<Result<Vec<String>, KeyValueError>> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = match self.page(bucket, cursor.as_deref()).await? {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            keys.extend(page);
            cursor = next;
            if cursor.is_none() {
                return Ok(Ok(keys));
            }
        }
    }

    /// One page of keys after `cursor`, and where the next starts. It may show anything written so far.
    pub(super) async fn page(
        &mut self,
        bucket: &Resource<Bucket>,
        cursor: Option<&str>,
    ) -> wasmtime::Result<Result<(Vec<String>, Option<String>), KeyValueError>> {
        let name = self.name(bucket)?;
        let page = told(self.invocation, self.access.stores.list_keys(&name, cursor, PAGE).await);
        self.invocation.observe(self.access.durability.latest());
        Ok(page.map(|page| (page.keys, page.cursor)))
    }
}

/// Makes sure of what the guest went by so far, but of the key that it swaps: nothing else is written on a belief.
///
/// # Errors
/// What ends the guest, where it went by something that is past: it runs again and asks.
async fn certain(access: &Access, invocation: &Invocation, swapped: Option<(&str, &str)>) -> wasmtime::Result<()> {
    match told(invocation, invocation.beliefs().hold_true(&*access.stores, swapped).await) {
        Ok(true) => Ok(()),
        Ok(false) => wasmtime::bail!("what it read has changed"),
        Err(error) => wasmtime::bail!("what it read cannot be looked at: {error}"),
    }
}

/// Notes that a store was out of reach, or did not answer.
fn told<T>(invocation: &Invocation, result: Result<T, KeyValueError>) -> Result<T, KeyValueError> {
    if let Err(error @ (KeyValueError::Unavailable(_) | KeyValueError::Unknown(_))) = &result {
        invocation.met_outage(error);
    }
    result
}

/// Notes what a read entry depends on.
fn noted(invocation: &Invocation, entry: Entry) -> Entry {
    invocation.observe(entry.watermark);
    entry
}

impl store::Host for KeyValueView<'_> {
    async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, Error>> {
        self.count()?;
        Ok(self.open_granted(&identifier)?.ok_or(Error::AccessDenied))
    }
}

impl store::HostBucket for KeyValueView<'_> {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.read(&bucket, &key).await?.map(|value| value.map(Vec::from)).map_err(failed))
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.write(&bucket, vec![(key, Some(value.into()))]).await?.map_err(failed))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.write(&bucket, vec![(key, None)]).await?.map_err(failed))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.read(&bucket, &key).await?.map(|value| value.is_some()).map_err(failed))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<KeyResponse, Error>> {
        if self.access.manners == Manners::Spin {
            if cursor.is_some() {
                return Ok(Err(Error::Other("list_keys: cursor not supported".to_owned())));
            }
            let keys = self.keys_as_spin(&bucket).await?;
            return Ok(keys.map(|keys| KeyResponse { keys, cursor: None }).map_err(failed));
        }
        let page = self.page(&bucket, cursor.as_deref()).await?;
        Ok(page.map(|(keys, cursor)| KeyResponse { keys, cursor }).map_err(failed))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.close(bucket)
    }
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, Error>> {
        let name = self.name(&bucket)?;
        certain(self.access, self.invocation, None).await?;
        if self.access.manners == Manners::Spin {
            let sum = increment_as_spin(&*self.access.stores, (&name, &key), delta).await;
            return match told(self.invocation, sum) {
                Ok(Some((sum, Swap::Done { watermark, .. }))) => {
                    self.invocation.observe(watermark);
                    Ok(Ok(sum))
                }
                Ok(_) => wasmtime::bail!("`{key}` holds no number of eight bytes: Spin's store would end here"),
                Err(error) => Ok(Err(failed(error))),
            };
        }
        let sum = told(self.invocation, self.access.stores.increment(&name, &key, delta).await);
        Ok(sum
            .map(|(sum, watermark)| {
                self.invocation.observe(watermark);
                sum
            })
            .map_err(failed))
    }

    /// On conflict the old handle is gone and a new one, of what is there now, comes back: a guest loops without reading.
    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        self.count()?;
        let Cas { store, key, seen } = self.table.delete(cas)?;
        if failpoint::reached(Point::BeforeSwap, self.invocation.component()).await.fails() {
            return Ok(Err(unknown()));
        }
        let stores = &*self.access.stores;
        certain(self.access, self.invocation, Some((&store, &key))).await?;
        let swapped = match (self.access.manners, &seen) {
            (Manners::Own, Some(seen)) => {
                let swapped = stores.swap(&store, &key, seen.revision, value.into()).await;
                match &swapped {
                    Ok(Swap::Done { .. }) => self.invocation.beliefs().proved(&store, &key),
                    Ok(Swap::Conflict(_)) => self.invocation.beliefs().disproved(),
                    Err(_) => {}
                }
                swapped
            }
            _ => swap_as_spin(stores, (&store, &key), seen.as_ref(), value.into()).await,
        };
        match told(self.invocation, swapped) {
            Ok(Swap::Done { watermark, .. }) => {
                self.invocation.observe(watermark);
                let failed = failpoint::reached(Point::AfterSwap, self.invocation.component()).await.fails();
                Ok(if failed { Err(unknown()) } else { Ok(()) })
            }
            Ok(Swap::Conflict(latest)) => {
                let seen = Some(noted(self.invocation, latest));
                Ok(Err(CasError::CasFailed(self.table.push(Cas { store, key, seen })?)))
            }
            Err(error) => Ok(Err(CasError::StoreError(failed(error)))),
        }
    }
}

impl atomics::HostCas for KeyValueView<'_> {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<Resource<Cas>, Error>> {
        let store = self.name(&bucket)?;
        if self.access.manners == Manners::Spin {
            return Ok(Ok(self.table.push(Cas { store, key, seen: None })?));
        }
        let found = match self.recall(&store, &key) {
            Some(entry) => Ok(entry),
            None => told(self.invocation, self.access.stores.get(&store, &key).await),
        };
        match found {
            Ok(entry) => {
                let seen = Some(noted(self.invocation, entry));
                Ok(Ok(self.table.push(Cas { store, key, seen })?))
            }
            Err(error) => Ok(Err(failed(error))),
        }
    }

    /// What the swap will compare with: the value at the handle's making, not a later one. Spin looks only now.
    async fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        self.count()?;
        let handle = self.table.get_mut(&cas)?;
        if self.access.manners == Manners::Spin {
            match told(self.invocation, self.access.stores.get(&handle.store, &handle.key).await) {
                Ok(entry) => handle.seen = Some(noted(self.invocation, entry)),
                Err(error) => return Ok(Err(failed(error))),
            }
        }
        let value = handle.seen.as_ref().and_then(|entry| entry.value.as_deref());
        Ok(Ok(value.map(<[u8]>::to_vec)))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl batch::Host for KeyValueView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>, Error>> {
        let name = self.name(&bucket)?;
        let entries = match told(self.invocation, self.access.stores.get_many(&name, &keys).await) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(failed(error))),
        };
        let values = entries.into_iter().map(|entry| noted(self.invocation, entry).value.map(Vec::from));
        let pairs = keys.into_iter().zip(values);
        let leaves_out = self.access.manners == Manners::Spin;
        Ok(Ok(pairs.filter(|(_, value)| value.is_some() || !leaves_out).collect()))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let writes = pairs.into_iter().map(|(key, value)| (key, Some(value.into()))).collect();
        Ok(self.write(&bucket, writes).await?.map_err(failed))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let writes = keys.into_iter().map(|key| (key, None)).collect();
        Ok(self.write(&bucket, writes).await?.map_err(failed))
    }
}

/// A swap that a failpoint leaves without an answer.
fn unknown() -> CasError {
    CasError::StoreError(Error::Other("the store did not answer".to_owned()))
}

fn failed(error: KeyValueError) -> Error {
    Error::Other(error.to_string())
}
