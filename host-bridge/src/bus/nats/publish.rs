//! Publishing: to the stream that takes the subject, with the event's id, waiting until the stream has it.

use super::core::Core;
use super::{BusError, headers};
use crate::bus::Receipt;
use crate::durability::Watermark;
use crate::event::Event;
use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Core {
    /// The stream that takes `event`.
    pub(super) fn route(&self, event: &Event) -> Result<&str, BusError> {
        let subject = event.subject.as_str();
        let takes = |stream: &&crate::bus::StreamConfig| stream.subjects.iter().any(|pattern| pattern.matches(subject));
        let found = self.streams.iter().find(takes).map(|stream| stream.name.as_str());
        found.ok_or_else(|| BusError::NoStream(subject.to_owned()))
    }

    pub(super) async fn publish_event(&self, event: &Arc<Event>) -> Result<Receipt, BusError> {
        let stream = self.route(event)?;
        let headers = headers::of_event(event, stream, self.clock.now());
        let ack = self.publish(event.subject.as_str(), headers, event.body.clone()).await?;
        let incarnation = self.incarnation(stream).await?;
        Ok(Receipt {
            stream: ack.stream,
            incarnation,
            sequence: ack.sequence,
            duplicate: ack.duplicate,
            watermark: self.watermark(),
        })
    }

    /// Publishes all of them, in this order where they go to one stream; fails with the first error, after all were
    /// answered.
    pub(super) async fn publish_all(&self, events: &[&Arc<Event>]) -> Result<(), BusError> {
        let now = self.clock.now();
        let mut answers = Vec::with_capacity(events.len());
        let mut failed = None;
        for event in events {
            let stream = self.route(event)?;
            let headers = headers::of_event(event, stream, now);
            match self.send(event.subject.as_str(), headers, event.body.clone()).await {
                Ok(answer) => answers.push((event, answer)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        for (event, answer) in answers {
            if let Err(error) = self.answered(event.subject.as_str(), answer).await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Publishes one message and waits until its stream has it.
    pub(super) async fn publish(&self, subject: &str, headers: HeaderMap, body: Bytes) -> Result<PublishAck, BusError> {
        let answer = self.send(subject, headers, body).await?;
        self.answered(subject, answer).await
    }

    /// The server's answer; no later than it can still come.
    async fn answered(&self, subject: &str, answer: PublishAckFuture) -> Result<PublishAck, BusError> {
        let answered = self.nats.answer(answer.into_future()).await;
        let lost = || BusError::Unknown(format!("publishing {subject}"));
        answered.ok_or_else(lost)?.map_err(|error| refused(subject, &error))
    }

    async fn send(&self, subject: &str, headers: HeaderMap, body: Bytes) -> Result<PublishAckFuture, BusError> {
        if !self.nats.is_up() {
            // It would wait in the client and go out when nobody expects it any more.
            return Err(BusError::Unavailable("no connection to NATS".to_owned()));
        }
        let sent = self.nats.jetstream().publish_with_headers(subject.to_owned(), headers, body).await;
        sent.map_err(|error| refused(subject, &error))
    }

    /// Something was stored: a position that comes after all before.
    pub(super) fn watermark(&self) -> Watermark {
        Watermark(self.ticks.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

fn refused(subject: &str, error: &PublishError) -> BusError {
    let text = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    let code = error.source().and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
    match (error.kind(), code.map(async_nats::jetstream::Error::error_code)) {
        (PublishErrorKind::MaxPayloadExceeded, _) => BusError::TooLarge(text),
        (_, Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM)) => {
            BusError::TooLarge(text)
        }
        (_, Some(ErrorCode::STREAM_STORE_FAILED)) if text.contains("maximum") => {
            BusError::StreamFull(format!("of {subject}"))
        }
        // Nobody takes it now though a stream should: it was deleted, or the server is still starting.
        (PublishErrorKind::StreamNotFound, _) => BusError::Unavailable(format!("no stream answers for {subject}")),
        (_, Some(_)) => BusError::Unavailable(text),
        _ => BusError::Unknown(text),
    }
}
