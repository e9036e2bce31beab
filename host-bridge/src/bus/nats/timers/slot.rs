//! One timer's place as it lies in the bucket: what is set, and which causes may not set it again. Pure.

use crate::clock::Millis;
use crate::dispatch::Timer;
use crate::event::{Event, Headers};
use crate::subject::Subject;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long after its instant a timer that fired or was cancelled cannot be set again by the same cause: a copy of the
/// cause may come that late, such as a dead letter that is replayed.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Causes remembered of one timer at most; past it the oldest are forgotten.
const MOST_REMEMBERED: usize = 64;

/// What a timer is found by: (component, aggregate, name), in 16 bytes.
pub(in crate::bus::nats) type TimerKey = u128;

/// The namespace of such keys.
const NAMESPACE: uuid::Uuid = uuid::uuid!("d2a6e1b0-8c1f-5b8e-9d55-0f6f6b0c7a31");

/// The key of a timer. Parts are preceded by their lengths, so that no two lists of parts are the same bytes.
pub(in crate::bus::nats) fn key(component: &str, aggregate: &str, name: &str) -> TimerKey {
    let mut bytes = Vec::new();
    for part in [component, aggregate, name] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    uuid::Uuid::new_v5(&NAMESPACE, &bytes).as_u128()
}

/// The key as it is written.
pub(in crate::bus::nats) fn key_text(key: TimerKey) -> String {
    format!("{key:032x}")
}

/// The key that was written as `text`.
pub(in crate::bus::nats) fn parse_key(text: &str) -> Option<TimerKey> {
    (text.len() == 32).then(|| TimerKey::from_str_radix(text, 16).ok())?
}

/// A timer's place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bus::nats) struct Slot {
    /// For whoever looks into the bucket.
    pub component: String,
    pub aggregate: String,
    pub name: String,
    /// What is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Set>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spent: Vec<Spent>,
}

/// A timer that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bus::nats) struct Set {
    pub cause: String,
    pub fire_at: u64,
    pub set_at: u64,
    subject: String,
    body: String,
    #[serde(default)]
    headers: Headers,
}

/// A cause that had its timer, and until when that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Spent {
    cause: String,
    until: u64,
}

impl Slot {
    /// The place of a timer that nobody set so far.
    pub(in crate::bus::nats) fn new(component: &str, aggregate: &str, name: &str) -> Self {
        let (component, aggregate, name) = (component.to_owned(), aggregate.to_owned(), name.to_owned());
        Self { component, aggregate, name, set: None, spent: Vec::new() }
    }

    /// Sets the timer, replacing what is set; not if the same cause had it already and it fired, was cancelled or was
    /// replaced. Tells whether something changed.
    pub(in crate::bus::nats) fn set(&mut self, timer: &Timer, now: Millis) -> bool {
        self.forget(now);
        if self.spent.iter().any(|spent| spent.cause == timer.cause) {
            return false;
        }
        match &self.set {
            Some(set) if set.cause == timer.cause && set.fire_at == timer.fire_at.0 => return false,
            Some(set) if set.cause != timer.cause => {
                self.spend();
            }
            _ => {}
        }
        self.set = Some(Set {
            cause: timer.cause.clone(),
            fire_at: timer.fire_at.0,
            set_at: timer.set_at.0,
            subject: timer.event.subject.as_str().to_owned(),
            // Events that handlers author are JSON.
            body: String::from_utf8_lossy(&timer.event.body).into_owned(),
            headers: timer.event.headers.clone(),
        });
        true
    }

    /// Bytes of the event that waits in it.
    pub(in crate::bus::nats) fn event_bytes(&self) -> usize {
        self.set.as_ref().map_or(0, |set| set.body.len())
    }

    /// Takes away what is set, for good: it fired, was cancelled or replaced. Tells whether something was set.
    pub(in crate::bus::nats) fn spend(&mut self) -> bool {
        let Some(set) = self.set.take() else { return false };
        let until = Millis(set.fire_at).after(REMEMBERED).0;
        self.spent.push(Spent { cause: set.cause, until });
        let excess = self.spent.len().saturating_sub(MOST_REMEMBERED);
        self.spent.drain(..excess);
        true
    }

    /// Until when something of it must be remembered.
    pub(in crate::bus::nats) fn until(&self) -> u64 {
        self.spent.iter().map(|spent| spent.until).max().unwrap_or_default()
    }

    fn forget(&mut self, now: Millis) {
        self.spent.retain(|spent| spent.until > now.0);
    }
}

impl Set {
    /// What it publishes; `None` where its subject is none.
    pub(in crate::bus::nats) fn event(&self) -> Option<Arc<Event>> {
        let subject = Subject::new(&self.subject).ok()?;
        Some(Arc::new(Event::new(subject, self.body.clone().into(), self.headers.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract::event;

    fn timer(cause: &str, fire_at: u64) -> Timer {
        Timer {
            aggregate: "a".to_owned(),
            name: "t".to_owned(),
            cause: cause.to_owned(),
            fire_at: Millis(fire_at),
            set_at: Millis(0),
            event: event("stock.low", cause),
        }
    }

    #[test]
    fn a_cause_that_was_cancelled_or_replaced_sets_nothing_again() {
        let mut slot = Slot::new("c", "a", "t");
        assert!(slot.set(&timer("one", 100), Millis(0)));
        assert!(!slot.set(&timer("one", 100), Millis(0)), "it is set");
        assert!(slot.set(&timer("one", 200), Millis(0)), "at another instant");
        assert!(slot.set(&timer("two", 300), Millis(0)), "another cause replaces");
        assert!(!slot.set(&timer("one", 100), Millis(0)), "the replaced one does not come back");
        assert!(slot.spend() && !slot.spend());
        assert!(!slot.set(&timer("two", 300), Millis(0)));
        assert!(slot.set(&timer("three", 300), Millis(0)));
        let later = Millis(400).after(REMEMBERED);
        assert!(slot.set(&timer("one", 500), later), "in a week it is forgotten");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut slot = Slot::new("c", "a", "t");
        for number in 0..200 {
            slot.set(&timer(&format!("cause {number}"), 100), Millis(0));
        }
        assert_eq!(slot.spent.len(), MOST_REMEMBERED);
        assert_eq!(slot.set.as_ref().map(|set| set.cause.as_str()), Some("cause 199"));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut slot = Slot::new("c", "a", "t");
        slot.set(&timer("one", 100), Millis(0));
        slot.set(&timer("two", 200), Millis(0));
        let text = serde_json::to_string(&slot).unwrap();
        let read: Slot = serde_json::from_str(&text).unwrap();
        assert_eq!(read, slot);
        let event = read.set.and_then(|set| set.event()).unwrap();
        assert_eq!(event.id(), Some("two"));
        assert_eq!(parse_key(&key_text(key("c", "a", "t"))), Some(key("c", "a", "t")));
    }
}
