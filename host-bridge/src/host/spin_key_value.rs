//! `fermyon:spin/key-value`: the same stores under the interface of Spin's SDK.

use super::HostState;
use super::bindings::spin::key_value::{self, Error};
use super::key_value::{Bucket, HasKeyValue, KeyValueView, view};
use crate::keyvalue::KeyValueError;
use wasmtime::component::{Linker, Resource};

/// Keys `get-keys` answers with: it has no pages, and a guest's memory is small.
const MAX_KEYS: usize = 100_000;

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    key_value::add_to_linker::<_, HasKeyValue>(linker, view)
}

impl key_value::Host for KeyValueView<'_> {}

impl key_value::HostStore for KeyValueView<'_> {
    async fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Bucket>, Error>> {
        self.count()?;
        Ok(self.open_granted(&label)?.ok_or(Error::AccessDenied))
    }

    async fn get(&mut self, store: Resource<Bucket>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.read(&store, &key).await?.map(|value| value.map(Vec::from)).map_err(failed))
    }

    async fn set(
        &mut self,
        store: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.write(&store, vec![(key, Some(value.into()))]).await?.map_err(failed))
    }

    async fn delete(&mut self, store: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.write(&store, vec![(key, None)]).await?.map_err(failed))
    }

    async fn exists(&mut self, store: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.read(&store, &key).await?.map(|value| value.is_some()).map_err(failed))
    }

    async fn get_keys(&mut self, store: Resource<Bucket>) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = match self.page(&store, cursor.as_deref()).await? {
                Ok(page) => page,
                Err(error) => return Ok(Err(failed(error))),
            };
            keys.extend(page);
            if keys.len() > MAX_KEYS {
                return Ok(Err(Error::Other(format!("the store has more than {MAX_KEYS} keys: list them by pages"))));
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(Ok(keys));
            }
        }
    }

    async fn drop(&mut self, store: Resource<Bucket>) -> wasmtime::Result<()> {
        self.close(store)
    }
}

fn failed(error: KeyValueError) -> Error {
    Error::Other(error.to_string())
}
