//! Values beside aggregates and in projections: read, change, swap; again on conflict. There is no inbox, so a change
//! must be harmless when it is made twice or late: a set, a version that only grows, the first that stays.

use crate::aggregate::retry;
use crate::events::{Failure, Retry};
use crate::ports::{Ports, StoreError, SwapError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Swaps lost in a row before the delivery goes back to the host: something is wrong with the store then.
const MAX_CONFLICTS: usize = 64;

/// A value of a projection.
pub trait View: Default + Serialize + DeserializeOwned {
    /// Version of this struct as it is stored. Raise it with every incompatible change, and teach [`View::upcast`].
    const FORMAT: u32;

    /// Turns a stored value of an older format into the one after it.
    ///
    /// # Errors
    /// Where it cannot be: the delivery is rejected, the value stays as it is.
    fn upcast(format: u32, _view: Value) -> Result<Value, String> {
        Err(format!("no way from format {format}"))
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<V> {
    format: u32,
    view: V,
}

/// Changes a view, which is the default where nothing is stored. `change` says whether it changed anything, and runs
/// again where someone else was first. Answers the view as it then is.
///
/// # Errors
/// `Retry` where the store does not answer, `Reject` where the value cannot be read.
pub async fn update<V: View, P: Ports>(
    ports: &P,
    key: &str,
    mut change: impl FnMut(&mut V) -> bool,
) -> Result<V, Failure> {
    let mut latest = None;
    update_bytes(ports, key, |bytes| {
        let mut view = match bytes {
            Some(bytes) => parse(key, bytes)?,
            None => V::default(),
        };
        let changed = change(&mut view);
        let bytes = changed.then(|| to_bytes(&view)).transpose().map_err(|error| Failure::Reject(error.0))?;
        latest = Some(view);
        Ok(bytes)
    })
    .await?;
    Ok(latest.unwrap_or_default())
}

/// Changes a value of bytes. `change` gets what is there and answers what is to be there, or `None` to leave it.
///
/// # Errors
/// `Retry` where the store does not answer, and what `change` answers.
pub async fn update_bytes<P: Ports>(
    ports: &P,
    key: &str,
    mut change: impl FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<(), Failure> {
    for _ in 0..MAX_CONFLICTS {
        let entry = ports.read(key).await.map_err(retry)?;
        let Some(bytes) = change(entry.value.as_deref())? else { return Ok(()) };
        match ports.swap(entry.token, bytes).await {
            Ok(()) => return Ok(()),
            Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
        }
    }
    Err(Failure::Retry(Retry { after: None, reason: format!("{MAX_CONFLICTS} swaps of {key} were lost") }))
}

/// Reads a view, for queries. `None` where nothing is stored.
///
/// # Errors
/// Where the store does not answer or the value cannot be read.
pub async fn read<V: View, P: Ports>(ports: &P, key: &str) -> Result<Option<V>, StoreError> {
    ports.get(key).await?.map(|bytes| from_bytes(key, &bytes)).transpose()
}

/// Reads several views, in the order of the keys.
///
/// # Errors
/// As [`read`].
pub async fn read_many<V: View, P: Ports>(ports: &P, keys: &[String]) -> Result<Vec<Option<V>>, StoreError> {
    let values = ports.get_many(keys).await?;
    keys.iter().zip(values).map(|(key, value)| value.map(|bytes| from_bytes(key, &bytes)).transpose()).collect()
}

/// Parses a stored view, upcasting older formats step by step. A value that names none is of format 0.
///
/// # Errors
/// Where it is malformed, of a newer format, or has no way up.
pub fn from_bytes<V: View>(key: &str, bytes: &[u8]) -> Result<V, StoreError> {
    let unreadable = |why: String| StoreError(format!("the value of {key} cannot be read: {why}"));
    if let Ok(Stored { format, view }) = crate::json::from_slice::<Stored<V>>(bytes)
        && format == V::FORMAT
    {
        return Ok(view);
    }
    let value: Value = crate::json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    let stored = Stored::<Value>::deserialize(&value).unwrap_or(Stored { format: 0, view: value });
    if stored.format > V::FORMAT {
        let known = V::FORMAT;
        let found = stored.format;
        return Err(unreadable(format!(
            "it has format {found}, this component knows up to {known}: deploy the newer one"
        )));
    }
    let view = (stored.format..V::FORMAT).try_fold(stored.view, |view, step| V::upcast(step, view));
    serde_json::from_value(view.map_err(unreadable)?).map_err(|error| unreadable(error.to_string()))
}

fn parse<V: View>(key: &str, bytes: &[u8]) -> Result<V, Failure> {
    from_bytes(key, bytes).map_err(|error| Failure::Reject(error.0))
}

/// A view as it is stored.
///
/// # Errors
/// Where a number of it is not finite.
pub fn to_bytes<V: View>(view: &V) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&Stored { format: V::FORMAT, view }).map_err(|error| StoreError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Memory, block_on};

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Names(Vec<String>);

    impl View for Names {
        const FORMAT: u32 = 2;

        fn upcast(format: u32, view: Value) -> Result<Value, String> {
            if format == 1 { Ok(Value::Array(vec![view])) } else { Err(format!("no way from format {format}")) }
        }
    }

    fn add(memory: &Memory, name: &str) -> Result<Names, Failure> {
        block_on(update(memory, "names", |names: &mut Names| {
            let absent = !names.0.iter().any(|there| there == name);
            if absent {
                names.0.push(name.to_owned());
            }
            absent
        }))
    }

    #[test]
    fn a_lost_or_unknown_swap_is_made_again_and_once() {
        let memory = Memory::default();
        memory.lost_swaps.set(2);
        memory.unknown_swaps.set(1);
        assert_eq!(add(&memory, "a"), Ok(Names(vec!["a".to_owned()])));
        assert_eq!(block_on(read::<Names, _>(&memory, "names")), Ok(Some(Names(vec!["a".to_owned()]))));
    }

    #[test]
    fn older_formats_come_up_and_newer_ones_are_refused() {
        let memory = Memory::default();
        block_on(memory.set("names", br#"{"format":1,"view":"a"}"#.to_vec())).unwrap();
        assert_eq!(add(&memory, "b"), Ok(Names(vec!["a".to_owned(), "b".to_owned()])));
        block_on(memory.set("names", br#"{"format":3,"view":{}}"#.to_vec())).unwrap();
        let Err(Failure::Reject(why)) = add(&memory, "c") else { panic!("it was changed") };
        assert!(why.contains("format 3") && why.contains("up to 2"), "{why}");
    }
}
