//! Aggregates as JSON in the store, changed by compare-and-swap.

use crate::generated::example::purchase::delivery::{Failure, Output, Retry};
use crate::generated::wasi::keyvalue::atomics::{self, CasError};
use crate::generated::wasi::keyvalue::store::{self, Bucket, Error};
use serde::{Serialize, de::DeserializeOwned};

/// Changes an aggregate, which is as its default where it was never written, and tells what follows.
pub(crate) fn change<S: Default + Serialize + DeserializeOwned>(
    kind: &str,
    id: &str,
    decide: impl Fn(&mut S) -> Vec<Output>,
) -> Result<Vec<Output>, Failure> {
    let (bucket, key) = (bucket().map_err(failed)?, format!("{kind}/{id}"));
    loop {
        let token = atomics::Cas::new(&bucket, &key).map_err(failed)?;
        let before = token.current().map_err(failed)?;
        let mut state = match &before {
            Some(bytes) => serde_json::from_slice(bytes).map_err(|error| Failure::Reject(format!("{key}: {error}")))?,
            None => S::default(),
        };
        let outputs = decide(&mut state);
        let after = serde_json::to_vec(&state).map_err(|error| Failure::Reject(format!("{key}: {error}")))?;
        if before.as_ref() == Some(&after) {
            return Ok(outputs);
        }
        match atomics::swap(token, &after) {
            Ok(()) => return Ok(outputs),
            Err(CasError::CasFailed(_)) => {}
            Err(CasError::StoreError(error)) => return Err(failed(error)),
        }
    }
}

/// The JSON of an aggregate, where it was written.
pub(crate) fn read(kind: &str, id: &str) -> Result<Option<Vec<u8>>, String> {
    bucket().and_then(|bucket| bucket.get(&format!("{kind}/{id}"))).map_err(why)
}

fn bucket() -> Result<Bucket, Error> {
    store::open("default")
}

fn failed(error: Error) -> Failure {
    Failure::Retry(Retry { after: None, reason: why(error) })
}

fn why(error: Error) -> String {
    match error {
        Error::NoSuchStore => "there is no store `default`".to_owned(),
        Error::AccessDenied => "the store `default` is not granted".to_owned(),
        Error::Other(why) => why,
    }
}
