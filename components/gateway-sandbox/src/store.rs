//! The ledger over a key-value store: one value an account, changed by compare-and-swap, so that a charge exists once a
//! key; a pointer from each key to its account; and a journal of all accounts.

use crate::account::Account;
use crate::journal;
use kit::ports::{StoreError, SwapError};
use kit::projection::{self, from_bytes, to_bytes};
use kit::{Ports, keys};

/// Swaps lost in a row before the gateway says that it is busy.
const MAX_CONFLICTS: usize = 64;

fn account_key(reference: &str) -> String {
    keys::key("account", &[reference])
}

fn pointer_key(key: &str) -> String {
    keys::key("charge", &[key])
}

/// Changes an account. `change` may run more than once; where it leaves the account as it was, nothing is written.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn change<P: Ports, T>(
    ports: &P,
    reference: &str,
    mut change: impl FnMut(&mut Account) -> T,
) -> Result<T, StoreError> {
    for _ in 0..MAX_CONFLICTS {
        let entry = ports.read(&account_key(reference)).await?;
        let before = match &entry.value {
            Some(bytes) => from_bytes(&account_key(reference), bytes)?,
            None => Account::default(),
        };
        let mut after = before.clone();
        let outcome = change(&mut after);
        if after == before {
            return Ok(outcome);
        }
        if entry.value.is_none() {
            journal::note(ports, reference).await?;
        }
        match ports.swap(entry.token, to_bytes(&after)?).await {
            Ok(()) => return Ok(outcome),
            // Unknown is found out by loading: the keys make a repeat harmless.
            Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
        }
    }
    Err(StoreError(format!("{MAX_CONFLICTS} swaps of account {reference} were lost")))
}

/// Reads accounts, in the order of their references.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn accounts<P: Ports>(ports: &P, references: &[String]) -> Result<Vec<Account>, StoreError> {
    let keys: Vec<String> = references.iter().map(|reference| account_key(reference)).collect();
    let found = projection::read_many(ports, &keys).await?;
    Ok(found.into_iter().map(Option::unwrap_or_default).collect())
}

/// Whose account a key is in.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn reference_of<P: Ports>(ports: &P, key: &str) -> Result<Option<String>, StoreError> {
    let bytes = ports.get(&pointer_key(key)).await?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Binds a key to an account, or tells the one it is bound to. Before the account has it, so that it is found.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn bind<P: Ports>(ports: &P, key: &str, reference: &str) -> Result<String, StoreError> {
    loop {
        let entry = ports.read(&pointer_key(key)).await?;
        if let Some(bytes) = entry.value {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        match ports.swap(entry.token, reference.as_bytes().to_vec()).await {
            Ok(()) => return Ok(reference.to_owned()),
            Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
        }
    }
}
