//! Carries out what the decisions say: load, look into the inbox, decide; write the intent and call where that comes
//! next; write the outcome. The only place where payment reaches outside.

use crate::domain::{Answer, Call, Next, Payment, Settings, next};
use crate::gateway;
use kit::aggregate::{self, Arrival, Written, commit, load};
use kit::events::Retry;
use kit::inbox::Known;
use kit::ports::duration_variable;
use kit::{Event, Failure, Metadata, Output, Ports};

/// Swaps lost in a row before the delivery goes back to the host.
const MAX_CONFLICTS: usize = 64;
/// Calls of one delivery: their budgets together stay below the handler's limit.
const MAX_CALLS: usize = 2;
/// First pause before the gateway is asked again, in milliseconds, where `gateway_retry_delay` does not say.
const RETRY_DELAY: u64 = 5_000;
/// Attempts of a payment where `payment_max_attempts` does not say.
const MAX_ATTEMPTS: u32 = 3;

/// Handles an event.
///
/// # Errors
/// `Retry` where the store does not answer; `Reject` where the event or the stored value makes no sense.
pub(crate) async fn handle<P: Ports>(ports: &P, meta: &Metadata, event: &Event) -> Result<Vec<Output>, Failure> {
    let settings = settings(ports);
    let mut heard: Option<(Call, Answer)> = None;
    let mut calls = 0;
    for _ in 0..MAX_CONFLICTS {
        let loaded = load::<Payment, P>(ports, &meta.aggregate_id).await?;
        let version = loaded.stored.version + 1;
        let input = aggregate::Input { id: &meta.aggregate_id, meta, event, version };
        match loaded.stored.inbox.lookup(input.origin()) {
            Known::Settled => return Ok(Vec::new()),
            Known::Outcome(outcome) => return Ok(outcome.into_outputs()),
            Known::No => {}
        }
        match next(&loaded.stored.state, settings, input, heard.as_ref()) {
            Next::Ignore => return Ok(Vec::new()),
            Next::Reject(reason) => return Err(Failure::Reject(reason)),
            Next::Settle(change) => {
                if let Written::Done(outcome, _) = commit(ports, loaded, input, *change, Arrival::Delivered).await? {
                    return Ok(outcome.into_outputs());
                }
            }
            Next::Call(intended, call) => {
                if *intended != loaded.stored.state {
                    let intent = aggregate::Change::to(*intended);
                    if let Written::Again = commit(ports, loaded, input, intent, Arrival::Intent).await? {
                        continue;
                    }
                }
                if calls == MAX_CALLS {
                    return Err(again(format!("payment {} changed under {MAX_CALLS} calls", input.id)));
                }
                calls += 1;
                let answer = gateway::call(ports, &call).await;
                heard = Some((call, answer));
            }
        }
    }
    Err(again(format!("{MAX_CONFLICTS} swaps of payment {} were lost", meta.aggregate_id)))
}

fn again(reason: String) -> Failure {
    Failure::Retry(Retry { after: None, reason })
}

fn settings<P: Ports>(ports: &P) -> Settings {
    let max_attempts = ports.variable("payment_max_attempts").and_then(|text| text.parse().ok());
    Settings {
        retry_delay: duration_variable(ports, "gateway_retry_delay", RETRY_DELAY),
        max_attempts: max_attempts.filter(|attempts| *attempts > 0).unwrap_or(MAX_ATTEMPTS),
    }
}
