//! One hand-out: counted, handled within its time, always answered.

use super::source::Source;
use crate::bus::Message;
use crate::delivery::Slot;
use crate::dispatch::{Delivery, Verdict};
use crate::failpoint::{self, Point};
use futures::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// How much longer than the handler's own limit the trigger waits: the engine ends an invocation itself, this net is for
/// one that hangs in the host.
const GRACE: Duration = Duration::from_secs(1);

/// The answer to one hand-out.
#[derive(Debug)]
pub struct Answer {
    /// Which.
    pub slot: Slot,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// One hand-out.
pub struct Invocation {
    /// By which name it is answered.
    pub slot: Slot,
    /// What is handed out.
    pub message: Message,
    /// The same, for the component.
    pub delivery: Delivery,
    /// Where the answer goes. At most one a permit is under way, so the channel is bounded by the concurrency.
    pub answers: UnboundedSender<Answer>,
}

impl Invocation {
    /// Runs it, in a task of its own; a panic on the way is an answer too, so that it costs this delivery alone.
    pub async fn run(self, source: Arc<Source>) {
        let Self { slot, message, delivery, answers } = self;
        let began = source.parts.clock.micros();
        let verdict = AssertUnwindSafe(handle(&source, &message, delivery))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Verdict::Broken { reason: format!("the host panicked: {}", words(&*panic)) });
        let took = Duration::from_micros(source.parts.clock.micros().saturating_sub(began));
        // Nobody listens any more once the driver has given up on it at shutdown.
        let _ = answers.send(Answer { slot, verdict, took });
    }
}

async fn handle(source: &Source, message: &Message, delivery: Delivery) -> Verdict {
    if let Err(error) = source.consumer.handed_out(message).await {
        return Verdict::Unavailable { reason: format!("the hand-out could not be counted: {error}") };
    }
    let limit = source.handler_timeout.saturating_add(GRACE);
    let handling = source.parts.dispatch.dispatch(&source.component, delivery);
    let verdict = tokio::time::timeout(limit, handling).await.unwrap_or_else(|_| Verdict::Broken {
        reason: format!("no answer within {} ms, past the handler's own limit", limit.as_millis()),
    });
    if failpoint::reached(Point::Answer, &source.component).await.fails() {
        return Verdict::Broken { reason: "a failpoint".to_owned() };
    }
    verdict
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
