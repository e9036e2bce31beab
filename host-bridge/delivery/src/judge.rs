//! From a handler's verdict to what becomes of the event.

use super::{Policy, backoff};
use crate::message::{DeadLetterCause, Message, Settlement};
use crate::verdict::{Rejection, Verdict};
use std::time::Duration;

/// From how many ends of the process on that it was in hand at an event is a suspect, where it has attempts enough: the
/// first end is an accident, and what was in hand at it goes on at full speed.
const SUSPECT: u32 = 2;
/// Attempts from which on that holds: an innocent that was beside what kills has as many again.
const ENOUGH: u32 = 4;
/// How long the process must have lived before it is handed what was in hand at one end more than makes a suspect; twice as
/// long for each further one. So what kills the process kills it seldom, and a process that ends for another cause again
/// and again ends before it is handed an innocent, which then is not counted for it.
const CALM: Duration = Duration::from_secs(1);

/// What becomes of an event.
#[derive(Debug)]
pub enum Judgement {
    /// It is over.
    Settle(Settlement),
    /// It failed and comes again after a wait.
    Again { wait: Duration, reason: String },
    /// It was not handled at all, and no other event of the source would be.
    Outage { reason: String },
}

/// Judges the answer to a hand-out of `message`.
pub fn judge(verdict: Verdict, message: &Message, policy: &Policy) -> Judgement {
    match verdict {
        Verdict::Done(effects) => Judgement::Settle(Settlement::Done(effects)),
        Verdict::Reject(rejection) => Judgement::Settle(Settlement::DeadLetter(rejected(rejection, message, policy))),
        Verdict::Retry { after, reason } => failed(after, reason, message, policy),
        Verdict::Broken { reason } => failed(None, reason, message, policy),
        Verdict::Unavailable { reason } => Judgement::Outage { reason },
    }
}

/// Why `message` must not be handed out at all, where its counts say so.
pub fn doomed(message: &Message, policy: &Policy) -> Option<DeadLetterCause> {
    let (failures, unanswered) = (message.failures, message.unanswered);
    let (kind, reason) = if failures >= policy.max_attempts {
        ("exhausted", format!("it failed {failures} times before the process was restarted"))
    } else if unanswered >= policy.max_attempts {
        ("killed", format!("{unanswered} hand-outs had no answer: the process ended while it was being handled"))
    } else {
        return None;
    };
    Some(cause(kind, reason, failures.saturating_add(unanswered), policy))
}

/// Whether `message` may be what kills the process: it runs beside no other such.
pub fn is_suspect(message: &Message, policy: &Policy) -> bool {
    ends_as_suspect(message, policy).is_some()
}

/// How long the process must have lived before `message` is handed out.
pub fn calm(message: &Message, policy: &Policy) -> Duration {
    match ends_as_suspect(message, policy) {
        None | Some(0) => Duration::ZERO,
        Some(ends) => CALM.saturating_mul(1 << (ends - 1).min(16)),
    }
}

/// At how many ends of the process it was in hand since it is a suspect.
fn ends_as_suspect(message: &Message, policy: &Policy) -> Option<u32> {
    message.unanswered.checked_sub(if policy.max_attempts < ENOUGH { 1 } else { SUSPECT })
}

/// The cause of an event whose effects the bus will never take.
pub fn unpublishable(reason: String, message: &Message, policy: &Policy) -> DeadLetterCause {
    cause("rejected", reason, attempt(message), policy)
}

/// Which hand-out of `message` the next, or current, one is, from 1.
pub fn attempt(message: &Message) -> u32 {
    message.failures.saturating_add(message.unanswered).saturating_add(1)
}

fn failed(after: Option<Duration>, reason: String, message: &Message, policy: &Policy) -> Judgement {
    let failures = message.failures.saturating_add(1);
    if failures < policy.max_attempts {
        let wait = message.event.id().map_or_else(
            || backoff::wait(message.event.subject.as_str(), failures, after),
            |id| backoff::wait(id, failures, after),
        );
        return Judgement::Again { wait, reason };
    }
    let reason = format!("it failed {failures} times, at last: {reason}");
    Judgement::Settle(Settlement::DeadLetter(cause("exhausted", reason, attempt(message), policy)))
}

fn rejected(rejection: Rejection, message: &Message, policy: &Policy) -> DeadLetterCause {
    // Only who decodes an event knows a place in it; a handler and a grant reject in words.
    let undecodable = rejection.path.is_some() || message.event.envelope().is_err();
    let kind = if undecodable { "undecodable" } else { "rejected" };
    DeadLetterCause { path: rejection.path, ..cause(kind, rejection.reason, attempt(message), policy) }
}

fn cause(kind: &str, reason: String, deliveries: u32, policy: &Policy) -> DeadLetterCause {
    let component_digest = policy.component_digest.clone();
    DeadLetterCause { kind: kind.to_owned(), reason, path: None, deliveries, component_digest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Headers};
    use crate::subject::Subject;
    use crate::tests::world::{message, policy};
    use std::sync::Arc;

    #[track_caller]
    fn buried(verdict: Verdict, message: &Message) -> DeadLetterCause {
        let policy = Policy { component_digest: Some("5ha".into()), ..policy() };
        match judge(verdict, message, &policy) {
            Judgement::Settle(Settlement::DeadLetter(cause)) => cause,
            other => panic!("{other:?}"),
        }
    }

    fn rejection(path: Option<&str>) -> Verdict {
        Verdict::Reject(Rejection { reason: "never".into(), path: path.map(str::to_owned) })
    }

    #[test]
    fn a_dead_letter_says_who_did_not_take_it_and_where_it_is_wrong() {
        let by_handler = buried(rejection(None), &message(1));
        let by_codec = buried(rejection(Some("eventData.total")), &message(1));
        assert_eq!((&*by_handler.kind, by_handler.path), ("rejected", None));
        assert_eq!((&*by_codec.kind, by_codec.path.as_deref()), ("undecodable", Some("eventData.total")));
        assert_eq!((&*by_codec.reason, by_codec.deliveries), ("never", 1));
        assert_eq!(by_codec.component_digest.as_deref(), Some("5ha"));
    }

    #[test]
    fn what_is_no_event_cannot_be_decoded_whoever_says_so() {
        let event = Event::new(Subject::new("order.created").unwrap(), "{".into(), Headers::default());
        let message = Message { event: Arc::new(event), ..message(1) };
        assert_eq!(buried(rejection(None), &message).kind, "undecodable");
    }
}
