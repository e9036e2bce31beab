//! Taking over what another bus has kept: each piece is written as if it had happened here, and may be written again.

use super::core::Core;
use super::names::source_key;
use super::record::{Record, Unsettled};
use super::replays::Place;
use super::timers::slot::{self, Slot};
use super::{BusError, NatsBus, headers, layout};
use crate::bus::DeadLetter;
use crate::clock::Millis;
use crate::dispatch::Timer;
use crate::event::Event;
use crate::store::pending::Pending;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where it is noted that a take-over has begun.
const MARK: &str = "import";
/// What the server checks before it stores a message.
const EXPECTED_LAST: &str = "Nats-Expected-Last-Sequence";
/// What timers whose owner is not known are kept under.
const OF_BEFORE: &str = "imported";

/// A take-over: of whom, and whether it came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    source: String,
    done: bool,
}

/// How a take-over stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was ever taken over.
    New,
    /// This one has begun and not ended.
    Begun,
    /// This one has ended.
    Done,
    /// Another one was made here.
    Others,
}

/// One consumer's position as it was kept elsewhere.
pub(crate) struct ImportedPosition {
    pub component: String,
    pub stream: String,
    /// Patterns, each with the sequence from which it holds.
    pub filters: serde_json::Value,
    pub paused: bool,
    pub cursor: u64,
    pub outstanding: BTreeMap<u64, Pending>,
}

/// See the module.
pub(crate) struct Import(Arc<Core>);

impl NatsBus {
    /// Takes over what another bus has kept.
    pub(crate) fn import(&self) -> Import {
        Import(Arc::clone(&self.core))
    }
}

impl Import {
    /// How the take-over of `source` stands.
    pub(crate) async fn standing(&self, source: &str) -> Result<Standing, BusError> {
        Ok(match self.mark().await? {
            None => Standing::New,
            Some(mark) if mark.source != source => Standing::Others,
            Some(mark) if mark.done => Standing::Done,
            Some(_) => Standing::Begun,
        })
    }

    /// Whether one has begun that did not end: what is here is a part.
    pub(crate) async fn is_unfinished(&self) -> Result<bool, BusError> {
        Ok(self.mark().await?.is_some_and(|mark| !mark.done))
    }

    /// Notes that the take-over of `source` begins, or has ended.
    pub(crate) async fn note(&self, source: &str, done: bool) -> Result<(), BusError> {
        let mark = Mark { source: source.to_owned(), done };
        self.0.buckets.control.put(MARK, &mark).await.map(|_| ())
    }

    async fn mark(&self) -> Result<Option<Mark>, BusError> {
        Ok(self.0.buckets.control.read::<Mark>(MARK).await?.value)
    }

    /// What is here already that a take-over would mix with, in words.
    pub(crate) async fn others(&self) -> Result<Vec<String>, BusError> {
        let mut others = Vec::new();
        let own = [self.0.names.letters(), self.0.names.replays()];
        for name in self.0.streams.iter().map(|stream| &stream.name).chain(&own) {
            let messages = layout::info(&self.0.nats, name).await?.state.messages;
            if messages > 0 {
                others.push(format!("stream {name} with {messages} messages"));
            }
        }
        let consumers = self.0.statuses().await?;
        others.extend(consumers.iter().map(|one| format!("consumer {}/{}", one.component, one.stream)));
        Ok(others)
    }

    /// The last sequence of a stream; events follow it.
    pub(crate) async fn last(&self, stream: &str) -> Result<u64, BusError> {
        Ok(self.0.look_at(stream).await?.state.last_sequence)
    }

    /// Puts an event at exactly this sequence of its stream.
    pub(crate) async fn event(
        &self,
        stream: &str,
        (sequence, published_at): (u64, Millis),
        event: &Event,
    ) -> Result<(), BusError> {
        let mut map = headers::of_event(event, stream, published_at);
        headers::put(&mut map, EXPECTED_LAST, &sequence.saturating_sub(1).to_string());
        let subject = event.subject.as_str();
        let mut ack = self.0.publish(subject, map.clone(), event.body.clone()).await?;
        if ack.duplicate {
            // It lies in the stream twice, published at times that were far apart.
            headers::put(&mut map, headers::MESSAGE_ID, &format!("{sequence}#{}", event.id().unwrap_or_default()));
            ack = self.0.publish(subject, map, event.body.clone()).await?;
        }
        if ack.sequence != sequence || ack.stream != stream {
            return Err(BusError::Unavailable(format!(
                "an event that belongs at {sequence} of {stream} came to lie at {} of {}: somebody else publishes",
                ack.sequence, ack.stream
            )));
        }
        Ok(())
    }

    /// Keeps a dead letter as it was.
    pub(crate) async fn letter(&self, letter: &DeadLetter) -> Result<(), BusError> {
        self.0.keep_letter(letter).await
    }

    /// Forgets all replays: they are taken over anew.
    pub(crate) async fn clear_replays(&self) -> Result<(), BusError> {
        let replays = self.0.reading(&self.0.names.replays()).await?;
        let purged = replays.purge().await;
        purged.map(|_| ()).map_err(|error| BusError::Unknown(format!("the replays cannot be cleared: {error}")))
    }

    /// Puts a dead letter into its consumer's replay source.
    pub(crate) async fn replay(
        &self,
        (component, stream): (&str, &str),
        (origin, number, sequence): (u64, u32, u64),
        event: &Arc<Event>,
    ) -> Result<(), BusError> {
        let place = Place { component, stream, origin };
        // An id of its own each time: the replays before were cleared, but not the server's memory of their ids.
        let id = format!("import/{sequence}/{}", self.0.clock.now().0);
        self.0.add_replay(place, (number, &id), event).await.map(|_| ())
    }

    /// Sets a timer whose owner is known by a fingerprint only: it fires as it would have. A cancellation that comes later
    /// does not find it, so its deadline comes and is stale.
    pub(crate) async fn timer(
        &self,
        fingerprint: &str,
        (fire_at, set_at): (Millis, Millis),
        event: &Arc<Event>,
    ) -> Result<(), BusError> {
        let mut place = Slot::new(OF_BEFORE, fingerprint, "");
        let (aggregate, cause) = (fingerprint.to_owned(), event.id().unwrap_or_default().to_owned());
        let timer = Timer { aggregate, name: String::new(), cause, fire_at, set_at, event: Arc::clone(event) };
        place.set(&timer, self.0.clock.now());
        let key = slot::key_text(slot::key(OF_BEFORE, fingerprint, ""));
        self.0.buckets.timers.put(&key, &place).await.map(|_| ())
    }

    /// Sets a consumer to where it was; nobody holds it.
    pub(crate) async fn position(&self, position: ImportedPosition) -> Result<(), BusError> {
        let ImportedPosition { component, stream, filters, paused, cursor, outstanding } = position;
        let unsettled = |(sequence, pending)| Unsettled { sequence, pending };
        let malformed = |error| BusError::Unavailable(format!("the filters of {component}/{stream}: {error}"));
        let record = Record {
            incarnation: self.0.incarnation(&stream).await?,
            filters: serde_json::from_value(filters).map_err(malformed)?,
            cursor,
            outstanding: outstanding.into_iter().map(unsettled).collect(),
            component: component.clone(),
            stream: stream.clone(),
            ..Record::default()
        };
        self.0.buckets.positions.put(&source_key(&component, &stream), &record).await?;
        if paused {
            self.0.set_paused(&component, &stream, true).await?;
        }
        Ok(())
    }
}
