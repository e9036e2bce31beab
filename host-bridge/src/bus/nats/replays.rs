//! Replayed messages: a stream of their own, in which each consumer has a subject. Its sequences are the sequences of the
//! replay sources: they never start again.

use super::core::Core;
use super::{BusError, headers};
use crate::event::Event;
use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageError};
use std::sync::Arc;

const SUBJECT: &str = "Replay-Subject";
const ORIGIN: &str = "Replay-Of-Sequence";
const NUMBER: &str = "Replay-Number";

/// Where a replayed message lay, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub component: &'a str,
    pub stream: &'a str,
    pub origin: u64,
}

/// One replayed message.
#[derive(Debug)]
pub(super) struct Replayed {
    /// Its sequence in the replay source.
    pub sequence: u64,
    /// Where it lay, and which replay of it this is.
    pub place: (u64, u32),
    pub event: Arc<Event>,
}

impl Core {
    /// Puts a message into a consumer's replay source; the same `id` only once.
    pub(super) async fn add_replay(
        &self,
        place: Place<'_>,
        (number, id): (u32, &str),
        event: &Arc<Event>,
    ) -> Result<u64, BusError> {
        let mut map = headers::of_event(event, &self.names.replays(), self.clock.now());
        headers::put(&mut map, headers::MESSAGE_ID, id);
        headers::put(&mut map, SUBJECT, event.subject.as_str());
        headers::put(&mut map, ORIGIN, &place.origin.to_string());
        headers::put(&mut map, NUMBER, &number.to_string());
        let subject = self.names.replay(place.component, place.stream);
        let ack = self.publish(&subject, map, event.body.clone()).await?;
        Ok(ack.sequence)
    }

    /// The consumer's next replay after `after`, read from the leader.
    pub(super) async fn next_replay(
        &self,
        (component, stream): (&str, &str),
        after: u64,
    ) -> Result<Option<Replayed>, BusError> {
        let replays = self.reading(&self.names.replays()).await?;
        let subject = self.names.replay(component, stream);
        let found = found(replays.get_first_raw_message_by_subject(subject, after + 1).await)?;
        Ok(found.and_then(replayed))
    }

    /// The replay at `sequence`; none where it is gone.
    pub(super) async fn replay_at(&self, sequence: u64) -> Result<Option<Replayed>, BusError> {
        let replays = self.reading(&self.names.replays()).await?;
        Ok(found(replays.get_raw_message(sequence).await)?.and_then(replayed))
    }

    /// Removes a replay that is settled, in the background: one that stays is never read again.
    pub(super) fn forget_replay(self: &Arc<Self>, sequence: u64) {
        let core = self.clone();
        tokio::spawn(async move {
            if let Ok(replays) = core.reading(&core.names.replays()).await {
                let _may_be_gone = replays.delete_message(sequence).await;
            }
        });
    }
}

fn replayed(message: StreamMessage) -> Option<Replayed> {
    let map: Option<&HeaderMap> = Some(&message.headers);
    let number = u32::try_from(headers::number(map, NUMBER)?).ok()?;
    let place = (headers::number(map, ORIGIN)?, number);
    let event = headers::to_event(headers::text(map, SUBJECT)?, map, message.payload)?;
    Some(Replayed { sequence: message.sequence, place, event })
}

/// What a look-up found; nothing is no error.
pub(super) fn found(answer: Result<StreamMessage, RawMessageError>) -> Result<Option<StreamMessage>, BusError> {
    match answer {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(BusError::Unavailable(format!("a message cannot be read: {error}"))),
    }
}
