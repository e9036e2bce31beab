//! An open consumer: reads ahead where it lags, and settles a message with all its effects in one step.

use super::{PAGE, away, both, wake};
use crate::bus::letter_id::letter_id;
use crate::bus::{BusError, Consumer, ConsumerConfig, DeadLetter, DeadLetterCause, Message, Settlement};
use crate::clock::Millis;
use crate::dispatch::Effect;
use crate::durability::Watermark;
use crate::store::log::{Prepared, Wakes};
use crate::store::position::{Page, Step};
use crate::store::state::State;
use crate::store::{LetterChange, ReplayChange, Store, readers};
use futures::future::{BoxFuture, ready};
use std::sync::Arc;
use tokio::sync::Notify;

/// The holder's handle.
#[derive(Debug)]
pub(super) struct EmbeddedConsumer {
    store: Arc<Store>,
    index: usize,
    source: Arc<str>,
    replay_source: Arc<str>,
    stream: String,
    backlog_end: u64,
    page: tokio::sync::Mutex<Page>,
}

impl EmbeddedConsumer {
    pub(super) fn new(
        store: Arc<Store>,
        index: usize,
        source: Arc<str>,
        config: &ConsumerConfig,
        backlog_end: u64,
    ) -> Self {
        let replay_source = format!("{}/dlq/{}", config.component, config.stream).into();
        let stream = config.stream.clone();
        Self { store, index, source, replay_source, stream, backlog_end, page: tokio::sync::Mutex::default() }
    }

    async fn next_messages(&self, max: usize) -> Result<Vec<Message>, BusError> {
        let max = max.max(1);
        let mut page = self.page.lock().await;
        let wake: Arc<Notify> = self.store.look(|state| both(state, self.index).map(|(_, one)| one.wake.clone()))?;
        loop {
            let step = self.store.look(|state| {
                let (stream, position) = both(state, self.index)?;
                Ok::<_, BusError>((stream.id, position.step(max, stream, &mut page)))
            })?;
            let messages = match step {
                (_, Step::Messages(messages)) => messages,
                (_, Step::Wait) => {
                    wake.notified().await;
                    continue;
                }
                (stream, Step::ReadLog { after, until }) => {
                    *page = self.read_page(stream, after, until)?;
                    continue;
                }
                (stream, Step::ReadAgain(wanted)) => self.read_again(stream, &wanted).await?,
                (_, Step::ReadReplays(wanted)) => self.read_replays(&wanted).await?,
            };
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    fn read_page(&self, stream: u32, after: u64, until: u64) -> Result<Page, BusError> {
        let rows = self.store.read(|connection| readers::events(connection, stream, (after, until), PAGE));
        let rows = rows.map_err(away)?;
        let end = rows.last().filter(|_| rows.len() == PAGE).map_or(until, |last| last.sequence);
        Ok(Page { rows: rows.into(), end })
    }

    async fn read_again(&self, stream: u32, wanted: &[u64]) -> Result<Vec<Message>, BusError> {
        self.store.all_flushed().await?;
        let rows = self.store.read(|connection| readers::events_at(connection, stream, wanted)).map_err(away)?;
        self.store.look(|state| both(state, self.index).map(|(_, position)| position.deliver_again(wanted, rows)))
    }

    async fn read_replays(&self, wanted: &[u64]) -> Result<Vec<Message>, BusError> {
        self.store.all_flushed().await?;
        let rows = self.store.read(|connection| readers::replays(connection, wanted)).map_err(away)?;
        self.store.look(|state| both(state, self.index).map(|(_, position)| position.deliver_replays(wanted, rows)))
    }

    async fn count(&self, message: &Message) -> Result<(), BusError> {
        let now = self.store.clock().now();
        let careful = self.store.change(|state| {
            let (_, position) = both(state, self.index)?;
            if let Some(pending) = position.pending_mut(message) {
                pending.unanswered = pending.unanswered.saturating_add(1);
                let already = std::mem::replace(&mut pending.live, true);
                state.hand_outs.out += u64::from(!already);
            }
            Ok::<_, BusError>(state.is_careful(now).then(|| Watermark(state.advance())))
        })?;
        if let Some(watermark) = careful {
            self.store.flushed_to(watermark).await?;
        }
        Ok(())
    }

    fn note_retry(&self, message: &Message, at: Millis, failed: bool) -> Result<(), BusError> {
        self.store.change(|state| {
            let (_, position) = both(state, self.index)?;
            if let Some(pending) = position.pending_mut(message) {
                let live = answered(pending);
                pending.failures = pending.failures.saturating_add(u32::from(failed));
                pending.not_before = at.0;
                state.hand_outs.back += u64::from(live);
                state.advance();
            }
            Ok(())
        })
    }

    fn take_back(&self, messages: &[Message]) -> Result<(), BusError> {
        self.store.change(|state| {
            let (_, position) = both(state, self.index)?;
            let taken = messages.iter().filter(|message| position.pending_mut(message).is_some_and(answered));
            let taken = taken.count();
            state.hand_outs.back += u64::try_from(taken).unwrap_or_default();
            state.advance();
            Ok(())
        })
    }

    fn settle_now(&self, message: &Message, settlement: Settlement) -> Result<Watermark, BusError> {
        self.store.writable()?;
        let now = self.store.clock().now();
        let mut wakes = Wakes::new();
        let result = match settlement {
            Settlement::Done(effects) => {
                let publish = |effect: &Effect| match effect {
                    Effect::Publish(event) => Some(Prepared::new(event)),
                    _ => None,
                };
                let events: Vec<Prepared> = effects.iter().filter_map(publish).collect();
                self.store.change(|state| {
                    if self.is_settled(state, message) {
                        return Ok(Watermark(state.tick));
                    }
                    check_timers(state, &effects)?;
                    state.publish_all(&events, now, &mut wakes)?;
                    self.carry_timers(state, &effects);
                    Ok(self.acknowledge(state, message, &mut wakes))
                })
            }
            Settlement::DeadLetter(cause) => self.store.change(|state| {
                if !self.is_settled(state, message) {
                    self.keep_letter(state, message, cause, now);
                }
                Ok(self.acknowledge(state, message, &mut wakes))
            }),
        };
        wake(wakes);
        result
    }

    fn is_settled(&self, state: &State, message: &Message) -> bool {
        let Some(position) = state.consumers.get(self.index) else { return true };
        match message.replay {
            0 => !position.outstanding.contains_key(&message.sequence),
            _ => !position.replays.contains_key(&message.sequence),
        }
    }

    fn carry_timers(&self, state: &mut State, effects: &[Effect]) {
        let timed = effects.iter().any(|effect| !matches!(effect, Effect::Publish(_)));
        let Some(position) = state.consumers.get(self.index).filter(|_| timed) else { return };
        let component = position.component.clone();
        for effect in effects {
            match effect {
                Effect::Publish(_) => {}
                Effect::SetTimer(timer) => state.set_timer(&component, timer),
                Effect::CancelTimer { aggregate, name } => state.cancel_timer(&component, aggregate, name),
            }
        }
    }

    fn keep_letter(&self, state: &mut State, message: &Message, cause: DeadLetterCause, now: Millis) {
        let Some(position) = state.consumers.get(self.index) else { return };
        let replayed = position.replays.get(&message.sequence).filter(|_| message.replay > 0);
        let sequence = replayed.map_or(message.sequence, |replay| replay.origin);
        let letter = DeadLetter {
            id: letter_id(&self.source, sequence, message.replay),
            component: position.component.to_string(),
            stream: self.stream.clone(),
            sequence,
            replay: message.replay,
            event: message.event.clone(),
            cause,
            died_at: now,
        };
        let position = state.advance();
        state.batch.letters.push(LetterChange::Keep { position, letter: Box::new(letter) });
    }

    fn acknowledge(&self, state: &mut State, message: &Message, wakes: &mut Wakes) -> Watermark {
        let tick = state.advance();
        let Some(position) = state.consumers.get_mut(self.index) else { return Watermark(tick) };
        position.dirty = true;
        let live = if message.replay == 0 {
            position.outstanding.remove(&message.sequence).is_some_and(|pending| pending.live)
        } else if let Some(replay) = position.replays.remove(&message.sequence) {
            state.batch.replays.push(ReplayChange::Remove(message.sequence));
            replay.pending.live
        } else {
            false
        };
        state.hand_outs.back += u64::from(live);
        if position.has_more() {
            position.wake_into(wakes);
        }
        Watermark(tick)
    }
}

/// Fails before anything happened where a timer's event would have no stream.
fn check_timers(state: &mut State, effects: &[Effect]) -> Result<(), BusError> {
    for effect in effects {
        if let Effect::SetTimer(timer) = effect {
            state.log.route(&timer.event.subject)?;
        }
    }
    Ok(())
}

/// The hand-out of this life, if there was one, is not unanswered any more; whether there was one.
fn answered(pending: &mut crate::store::pending::Pending) -> bool {
    let live = std::mem::take(&mut pending.live);
    pending.unanswered = pending.unanswered.saturating_sub(u32::from(live));
    live
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.store.look(|state| {
            if let Some(position) = state.consumers.get_mut(self.index) {
                position.open = false;
            }
        });
    }
}

impl Consumer for EmbeddedConsumer {
    fn source(&self) -> Arc<str> {
        self.source.clone()
    }

    fn replay_source(&self) -> Arc<str> {
        self.replay_source.clone()
    }

    fn backlog_end(&self) -> u64 {
        self.backlog_end
    }

    fn next(&self, max: usize) -> BoxFuture<'_, Result<Vec<Message>, BusError>> {
        Box::pin(self.next_messages(max))
    }

    fn handed_out(&self, message: &Message) -> BoxFuture<'_, Result<(), BusError>> {
        let message = message.clone();
        Box::pin(async move { self.count(&message).await })
    }

    fn retry_at(&self, message: &Message, at: Millis, failed: bool) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(ready(self.note_retry(message, at, failed)))
    }

    fn settle(&self, message: &Message, settlement: Settlement) -> BoxFuture<'_, Result<Watermark, BusError>> {
        Box::pin(ready(self.settle_now(message, settlement)))
    }

    fn release(&self, messages: &[Message]) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(ready(self.take_back(messages)))
    }
}
