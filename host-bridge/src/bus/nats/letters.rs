//! Dead letters: a stream in which each letter has a subject of its own, the original's bytes as body and its cause in
//! headers.

use super::core::Core;
use super::reader::Reading;
use super::replays::{Place, found};
use super::{BusError, headers, layout, range};
use crate::bus::letter_id::letter_id;
use crate::bus::{DeadLetter, DeadLetterCause, Message};
use crate::clock::Millis;
use crate::durability::Watermark;
use async_nats::HeaderMap;
use bytes::Bytes;

const ID: &str = "Dead-Letter-Id";
const SUBJECT: &str = "Dead-Letter-Subject";
const COMPONENT: &str = "Dead-Letter-Component";
const STREAM: &str = "Dead-Letter-Stream";
const SEQUENCE: &str = "Dead-Letter-Sequence";
const REPLAY: &str = "Dead-Letter-Replay";
const DIED_AT: &str = "Dead-Letter-Died-At";
const CAUSE: &str = "Dead-Letter-Cause";
/// Sequences looked through at first for a page of letters; more where too many of them are gone.
const WINDOW: u64 = 256;

impl Core {
    /// Keeps a letter. The same message failing again is the same letter.
    pub(super) async fn bury(
        &self,
        place: Place<'_>,
        source: &str,
        message: &Message,
        cause: &DeadLetterCause,
    ) -> Result<(), BusError> {
        let letter = DeadLetter {
            id: letter_id(source, place.origin, message.replay),
            component: place.component.to_owned(),
            stream: place.stream.to_owned(),
            sequence: place.origin,
            replay: message.replay,
            event: message.event.clone(),
            cause: cause.clone(),
            died_at: self.clock.now(),
        };
        self.keep_letter(&letter).await
    }

    /// Keeps a letter as it is; one of the same id takes its place.
    pub(super) async fn keep_letter(&self, letter: &DeadLetter) -> Result<(), BusError> {
        let DeadLetter { id, component, stream, sequence, replay, event, cause, died_at } = letter;
        let mut map = headers::of_event(event, &self.names.letters(), *died_at);
        let cause = serde_json::to_string(cause).map_err(|error| BusError::Unknown(error.to_string()))?;
        let set = [
            (headers::MESSAGE_ID, id.as_str()),
            (ID, id),
            (SUBJECT, event.subject.as_str()),
            (COMPONENT, component),
            (STREAM, stream),
            (SEQUENCE, &sequence.to_string()),
            (REPLAY, &replay.to_string()),
            (DIED_AT, &died_at.0.to_string()),
            (CAUSE, &cause),
        ];
        for (name, value) in set {
            headers::put(&mut map, name, value);
        }
        let subject = self.names.letter((component, stream), id);
        match self.publish(&subject, map.clone(), event.body.clone()).await {
            // The original just fitted; with its cause it does not. What is lost then is said.
            Err(BusError::TooLarge(why)) => {
                tracing::error!(letter = id, why, "a dead letter is kept without its body");
                self.publish(&subject, map, Bytes::new()).await.map(|_| ())
            }
            kept => kept.map(|_| ()),
        }
    }

    /// Letters from the newest back, at most `limit`, older than `before` where given.
    pub(super) async fn letters(&self, limit: usize, before: Option<String>) -> Result<Vec<DeadLetter>, BusError> {
        let info = layout::info(&self.nats, &self.names.letters()).await?;
        let mut until = match before {
            Some(id) => self.letter_place(&id).await?.map_or(0, |(sequence, _)| sequence - 1),
            None => info.state.last_sequence,
        };
        let (mut letters, mut window) = (Vec::new(), WINDOW);
        while letters.len() < limit && until >= info.state.first_sequence && until > 0 {
            let after = until.saturating_sub(window);
            let (stream, incarnation) = (self.names.letters(), layout::incarnation(&info));
            let reading = Reading { stream, incarnation, filters: Vec::new(), after };
            let mut page = Vec::new();
            range::read(&self.nats, reading, until, |read| {
                if read.sequence <= until {
                    page.extend(letter(read.headers.as_ref(), read.payload));
                }
                read.sequence < until
            })
            .await?;
            letters.extend(page.into_iter().rev());
            (until, window) = (after, window.saturating_mul(2));
        }
        letters.truncate(limit);
        Ok(letters)
    }

    /// One letter.
    pub(super) async fn letter(&self, id: &str) -> Result<DeadLetter, BusError> {
        let found = self.letter_place(id).await?.map(|(_, letter)| letter);
        found.ok_or_else(|| BusError::NotFound(format!("dead letter {id}")))
    }

    /// Hands a letter to the consumer that failed, then takes it away. In this order a crash between the two leaves a
    /// letter that can be replayed once more; what that repeats is known by its id.
    pub(super) async fn replay_letter(&self, id: &str) -> Result<Watermark, BusError> {
        let letter = self.letter(id).await?;
        self.position(&letter.component, &letter.stream).await?;
        let (component, stream) = (letter.component.as_str(), letter.stream.as_str());
        let place = Place { component, stream, origin: letter.sequence };
        self.add_replay(place, (letter.replay + 1, &format!("replay/{id}")), &letter.event).await?;
        self.discard_letter(id).await
    }

    /// Takes a letter away.
    pub(super) async fn discard_letter(&self, id: &str) -> Result<Watermark, BusError> {
        let gone = || BusError::NotFound(format!("dead letter {id}"));
        let (sequence, _) = self.letter_place(id).await?.ok_or_else(gone)?;
        let letters = self.reading(&self.names.letters()).await?;
        let deleted = letters.delete_message(sequence).await;
        deleted.map_err(|error| BusError::Unknown(format!("dead letter {id} cannot be removed: {error}")))?;
        Ok(self.watermark())
    }

    async fn letter_place(&self, id: &str) -> Result<Option<(u64, DeadLetter)>, BusError> {
        let letters = self.reading(&self.names.letters()).await?;
        let message = found(letters.get_last_raw_message_by_subject(&self.names.letter_of(id)).await)?;
        Ok(message.and_then(|message| Some((message.sequence, letter(Some(&message.headers), message.payload)?))))
    }
}

fn letter(map: Option<&HeaderMap>, body: Bytes) -> Option<DeadLetter> {
    let text = |name| headers::text(map, name).map(str::to_owned);
    let number = |name| headers::number(map, name);
    Some(DeadLetter {
        id: text(ID)?,
        component: text(COMPONENT)?,
        stream: text(STREAM)?,
        sequence: number(SEQUENCE)?,
        replay: u32::try_from(number(REPLAY)?).ok()?,
        event: headers::to_event(headers::text(map, SUBJECT)?, map, body)?,
        cause: serde_json::from_str(headers::text(map, CAUSE)?).ok()?,
        died_at: Millis(number(DIED_AT)?),
    })
}
