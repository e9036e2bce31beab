//! Settling and noting, tried again until the bus has taken it or the consumer is lost: none of this spends an attempt.

use super::observer::Happening;
use super::source::Source;
use crate::bus::{BusError, Message, Settlement};
use crate::clock::Millis;
use crate::delivery::Slot;
use crate::failpoint::{self, Point};
use std::sync::Arc;
use std::time::Duration;

/// Wait after the bus did not answer the first time.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Longest wait until it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What the bus has taken, or never will.
#[derive(Debug)]
pub enum Carried {
    /// The event is settled.
    Settled(Slot),
    /// The effects are such that no bus takes them.
    Unpublishable(Slot, String),
    /// The answer is noted.
    Noted(Slot),
    /// The consumer is lost: whoever has it now hands the event out again.
    Lost,
}

/// Settles `message`.
pub async fn settle(source: Arc<Source>, slot: Slot, message: Message, settlement: Settlement) -> Carried {
    let mut wait = FIRST_WAIT;
    loop {
        let error = match settle_once(&source, &message, settlement.clone()).await {
            Ok(_) => return Carried::Settled(slot),
            Err(error) => error,
        };
        match (&error, &settlement) {
            (BusError::Lost(_), _) => return Carried::Lost,
            (BusError::NoStream(_) | BusError::TooLarge(_), Settlement::Done(_)) => {
                return Carried::Unpublishable(slot, error.to_string());
            }
            _ => {}
        }
        pause(&source, &message, &error, &mut wait).await;
    }
}

async fn settle_once(source: &Source, message: &Message, settlement: Settlement) -> Result<(), BusError> {
    let unknown = || BusError::Unknown("a failpoint".to_owned());
    if failpoint::reached(Point::BeforeSettle, &source.component).await.fails() {
        return Err(unknown());
    }
    source.consumer.settle(message, settlement).await?;
    if failpoint::reached(Point::AfterSettle, &source.component).await.fails() {
        return Err(unknown());
    }
    Ok(())
}

/// Notes a retry of `message` at `at`.
pub async fn note(source: Arc<Source>, slot: Slot, message: Message, (at, failed): (Millis, bool)) -> Carried {
    let mut wait = FIRST_WAIT;
    while let Err(error) = source.consumer.retry_at(&message, at, failed).await {
        if matches!(error, BusError::Lost(_)) {
            return Carried::Lost;
        }
        pause(&source, &message, &error, &mut wait).await;
    }
    Carried::Noted(slot)
}

async fn pause(source: &Source, message: &Message, error: &BusError, wait: &mut Duration) {
    source.tell(&Happening::Unsettled { about: source.about(message), error, wait: *wait });
    tokio::time::sleep(*wait).await;
    *wait = next_wait(*wait);
}

/// The wait that follows `wait`.
pub fn next_wait(wait: Duration) -> Duration {
    if wait.is_zero() { FIRST_WAIT } else { wait.saturating_mul(2).min(LONGEST_WAIT) }
}
