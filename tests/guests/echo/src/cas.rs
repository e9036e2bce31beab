//! Two swaps that race for one key, as `wasi:keyvalue` must decide them.

use generated::wasi::keyvalue::atomics::{Cas, CasError, increment, swap};
use generated::wasi::keyvalue::batch::get_many;
use generated::wasi::keyvalue::store::open;

mod generated {
    wit_bindgen::generate!({ path: ["../../../wit/deps/keyvalue", "wit"], world: "a4co:echo/stores", generate_all });
}

/// What happened, line by line.
pub fn races() -> String {
    tried().unwrap_or_else(|error| format!("error: {error}"))
}

fn tried() -> Result<String, String> {
    let bucket = open("default").map_err(|error| format!("{error:?}"))?;
    let new = || Cas::new(&bucket, "raced").map_err(|error| format!("{error:?}"));
    let (first, second) = (new()?, new()?);
    swap(first, b"one").map_err(|error| format!("the first swap lost: {error:?}"))?;
    let retry = match swap(second, b"two") {
        Ok(()) => return Err("the second swap overwrote the first".into()),
        Err(CasError::CasFailed(retry)) => retry,
        Err(CasError::StoreError(error)) => return Err(format!("{error:?}")),
    };
    let seen = retry.current().map_err(|error| format!("{error:?}"))?;
    if seen.as_deref() != Some(b"one") {
        return Err(format!("the new handle shows {seen:?}"));
    }
    swap(retry, b"three").map_err(|error| format!("the retry lost: {error:?}"))?;
    let sum = increment(&bucket, "counter", 5).map_err(|error| format!("{error:?}"))?;
    let keys = ["raced".to_owned(), "absent".to_owned()];
    let many = get_many(&bucket, &keys).map_err(|error| format!("{error:?}"))?;
    let shown = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8_lossy(&value).into_owned());
    let many: Vec<_> = many.into_iter().map(|(key, value)| (key, shown(value))).collect();
    Ok(format!("{many:?} {sum}"))
}
