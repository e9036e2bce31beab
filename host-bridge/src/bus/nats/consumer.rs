//! An open consumer: hands out what is unsettled, then what is new; settles by publishing first and writing its position
//! last.

use super::careful::Careful;
use super::core::Core;
use super::filters::on_server;
use super::holding::Holding;
use super::paused::Paused;
use super::reader::{Read, Reader, Reading};
use super::{BusError, bells, headers, nodes, replays};
use crate::bus::{Consumer, ConsumerConfig, Leave, Message, Settlement};
use crate::clock::Millis;
use crate::dispatch::Effect;
use crate::durability::Watermark;
use crate::event::Event;
use futures::future::{BoxFuture, FutureExt as _, ready};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often it is looked by itself whether the consumer has replays.
const LOOK: Duration = Duration::from_secs(5);
/// Unsettled messages past which nothing more is handed out: the position is one value.
const MAX_UNSETTLED: usize = 8_192;
/// Messages of an earlier holder that are read at once.
const AGAIN: usize = 64;
/// A consumer is not given to another process before this long: it would only wander.
const SETTLING_IN: Duration = Duration::from_secs(5);
/// How often it is looked whether another process should have it.
const DEALING: Duration = Duration::from_secs(1);

/// The holder's handle.
pub(super) struct NatsConsumer {
    core: Arc<Core>,
    name: String,
    component: String,
    stream: String,
    source: Arc<str>,
    replay_source: Arc<str>,
    backlog_end: u64,
    holding: Arc<Holding>,
    careful: Careful,
    paused: Paused,
    reading: tokio::sync::Mutex<State>,
}

/// What only the reader of messages uses.
struct State {
    reader: Reader,
    /// There may be replays.
    replays: bool,
    replayed: bells::Ear,
    looked: Instant,
}

impl NatsConsumer {
    /// The handle of what `holding` holds; reading begins after its cursor.
    pub(super) fn start(
        core: Arc<Core>,
        config: &ConsumerConfig,
        (incarnation, backlog_end): (u64, u64),
        (unclean, paused): (bool, bool),
        holding: Arc<Holding>,
    ) -> Self {
        let name = config.name();
        let taken = core.stream(&config.stream).map(|stream| stream.subjects.clone()).unwrap_or_default();
        let wanted: Vec<_> = config.filters.iter().map(|(pattern, _)| pattern.clone()).collect();
        let reading = Reading {
            stream: config.stream.clone(),
            incarnation,
            filters: on_server(&wanted, &taken),
            after: holding.look(|position| position.cursor()),
        };
        let state = State {
            reader: Reader::start(core.nats.clone(), reading),
            replays: true,
            replayed: core.bells.replays.hear(),
            looked: Instant::now(),
        };
        Self {
            source: format!("{name}#{incarnation}").into(),
            replay_source: format!("{}/dlq/{}", config.component, config.stream).into(),
            component: config.component.clone(),
            stream: config.stream.clone(),
            careful: Careful::new(unclean),
            paused: Paused::follow(&core, (&config.component, &config.stream), paused),
            reading: tokio::sync::Mutex::new(state),
            name,
            core,
            backlog_end,
            holding,
        }
    }

    async fn next_messages(&self, max: usize) -> Result<Vec<Message>, BusError> {
        let max = max.max(1);
        let mut state = self.reading.lock().await;
        loop {
            self.holding.fresh().await?;
            if state.looked.elapsed() >= LOOK {
                (state.looked, state.replays) = (Instant::now(), true);
            }
            if self.paused.is_on() || self.holding.look(|position| position.unsettled()) >= MAX_UNSETTLED {
                self.sleep().await;
                continue;
            }
            let mut messages = self.again(max).await?;
            if messages.is_empty() && state.replays {
                messages.extend(self.replay(&mut state).await?);
            }
            if messages.is_empty() {
                messages = self.new_messages(&mut state, max).await?;
            }
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    /// Messages that an earlier holder left unsettled, those of the stream first.
    async fn again(&self, max: usize) -> Result<Vec<Message>, BusError> {
        let (wanted, of_replays) = self.holding.look(|position| position.again(max.min(AGAIN)));
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        if of_replays {
            return self.replays_again(&wanted).await;
        }
        let stream = self.core.reading(&self.stream).await?;
        let reads = wanted.iter().map(|sequence| stream.get_raw_message(*sequence));
        let mut found = Vec::with_capacity(wanted.len());
        for (sequence, answer) in wanted.iter().zip(futures::future::join_all(reads).await) {
            let message = replays::found(answer)?;
            let event = message.and_then(|one| headers::to_event(&one.subject, Some(&one.headers), one.payload));
            if event.is_none() {
                tracing::error!(consumer = self.name, sequence, "an unsettled event is missing in the stream");
            }
            found.push((*sequence, event));
        }
        Ok(self.holding.change(|position| {
            let deliver =
                |(sequence, event): &(u64, Option<Arc<Event>>)| position.deliver_again(*sequence, event.as_ref());
            found.iter().filter_map(deliver).collect()
        }))
    }

    async fn replays_again(&self, wanted: &[u64]) -> Result<Vec<Message>, BusError> {
        let mut messages = Vec::new();
        for sequence in wanted {
            let found = self.core.replay_at(*sequence).await?;
            let found = found.as_ref().map(|replayed| (replayed.place, &replayed.event));
            messages.extend(self.holding.change(|position| position.deliver_replay_again(*sequence, found)));
        }
        Ok(messages)
    }

    /// The next replay, if there is one.
    async fn replay(&self, state: &mut State) -> Result<Option<Message>, BusError> {
        let after = self.holding.look(|position| position.replay_cursor());
        let found = self.core.next_replay((&self.component, &self.stream), after).await?;
        state.replays = found.is_some();
        Ok(found.map(|one| self.holding.change(|position| position.pass_replay(one.sequence, one.place, &one.event))))
    }

    /// What comes next in the stream; nothing where something else is to be looked at first.
    async fn new_messages(&self, state: &mut State, max: usize) -> Result<Vec<Message>, BusError> {
        let first = tokio::select! {
            read = state.reader.next() => read,
            () = self.paused.changed() => return Ok(Vec::new()),
            () = state.replayed.rung() => {
                state.replays = true;
                return Ok(Vec::new());
            }
            () = self.holding.ended() => return Ok(Vec::new()),
            () = tokio::time::sleep_until(state.looked + LOOK) => return Ok(Vec::new()),
        };
        let Some(first) = first else {
            self.holding.give_up("its stream was deleted or created anew");
            return Ok(Vec::new());
        };
        let mut reads = vec![first];
        while reads.len() < max
            && let Some(read) = state.reader.ready()
        {
            reads.push(read);
        }
        Ok(self.pass(reads))
    }

    fn pass(&self, reads: Vec<Read>) -> Vec<Message> {
        let event = |read: Read| {
            let event = headers::to_event(&read.subject, read.headers.as_ref(), read.payload);
            event.map(|event| (read.sequence, event))
        };
        let events: Vec<_> = reads.into_iter().filter_map(event).collect();
        self.holding
            .change(|position| events.iter().filter_map(|(sequence, event)| position.pass(*sequence, event)).collect())
    }

    /// Sleeps until something may have changed.
    async fn sleep(&self) {
        tokio::select! {
            () = self.paused.changed() => {}
            () = self.holding.ended() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }

    async fn count(&self, message: &Message) -> Result<(), BusError> {
        self.holding.fresh().await?;
        self.holding.change(|position| position.count(message));
        let drained = self.holding.look(|position| position.is_settled_to(self.backlog_end));
        if self.careful.is_on(drained) { self.holding.written().await } else { Ok(()) }
    }

    async fn settle_now(&self, message: &Message, settlement: Settlement) -> Result<Watermark, BusError> {
        if let Some(lost) = self.holding.lost() {
            return Err(lost);
        }
        if !self.holding.look(|position| position.is_settled(message)) {
            match settlement {
                Settlement::Done(effects) => self.carry_out(&effects).await?,
                Settlement::DeadLetter(cause) => {
                    self.holding.confirmed().await?;
                    let origin = self.holding.look(|position| position.origin(message));
                    let place = replays::Place { component: &self.component, stream: &self.stream, origin };
                    self.core.bury(place, &self.source, message, &cause).await?;
                }
            }
            self.holding.change(|position| position.settle(message));
        }
        self.holding.written().await?;
        if message.replay > 0 {
            self.core.forget_replay(message.sequence);
        }
        Ok(self.core.watermark())
    }

    /// Publishes everything, then sets and cancels timers; nothing where one of them has no stream.
    async fn carry_out(&self, effects: &[Effect]) -> Result<(), BusError> {
        let mut events = Vec::new();
        for effect in effects {
            match effect {
                Effect::Publish(event) => {
                    self.core.route(event)?;
                    events.push(event);
                }
                Effect::SetTimer(timer) => drop(self.core.route(&timer.event)?),
                Effect::CancelTimer { .. } => {}
            }
        }
        self.core.publish_all(&events).await?;
        self.core.carry_timers(&self.component, effects).await
    }

    async fn note(&self, message: &Message, at: Millis, failed: bool) -> Result<(), BusError> {
        self.holding.change(|position| position.wait(message, at, failed));
        self.holding.written().await
    }
}

impl Drop for NatsConsumer {
    /// Lets go of the consumer in the background, and tells the others.
    fn drop(&mut self) {
        self.holding.close();
        // Whoever waits for it again says so.
        self.core.nodes.renounce(&self.name);
        let (core, holding) = (self.core.clone(), self.holding.clone());
        // Outside a runtime the process ends: the lease runs out by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            holding.ended().await;
            nodes::say(&core, false).await;
            let _unheard = core.nats.client().publish(core.names.freed(), bytes::Bytes::new()).await;
        });
    }
}

impl Consumer for NatsConsumer {
    fn source(&self) -> Arc<str> {
        self.source.clone()
    }

    fn replay_source(&self) -> Arc<str> {
        self.replay_source.clone()
    }

    fn backlog_end(&self) -> u64 {
        self.backlog_end
    }

    fn leave(&self) -> BoxFuture<'static, Leave> {
        let (core, holding, name) = (self.core.clone(), self.holding.clone(), self.name.clone());
        let dealt = async move {
            tokio::time::sleep(SETTLING_IN).await;
            while core.nodes.is_preferred(&name) {
                tokio::time::sleep(DEALING).await;
            }
        };
        async move {
            tokio::select! {
                () = holding.ended() => Leave::AtOnce,
                () = dealt => Leave::Orderly,
            }
        }
        .boxed()
    }

    fn paused(&self) -> Option<watch::Receiver<bool>> {
        Some(self.paused.told())
    }

    fn next(&self, max: usize) -> BoxFuture<'_, Result<Vec<Message>, BusError>> {
        self.next_messages(max).boxed()
    }

    fn handed_out(&self, message: &Message) -> BoxFuture<'_, Result<(), BusError>> {
        let message = message.clone();
        async move { self.count(&message).await }.boxed()
    }

    fn retry_at(&self, message: &Message, at: Millis, failed: bool) -> BoxFuture<'_, Result<(), BusError>> {
        let message = message.clone();
        async move { self.note(&message, at, failed).await }.boxed()
    }

    fn settle(&self, message: &Message, settlement: Settlement) -> BoxFuture<'_, Result<Watermark, BusError>> {
        let message = message.clone();
        async move { self.settle_now(&message, settlement).await }.boxed()
    }

    fn release(&self, messages: &[Message]) -> BoxFuture<'_, Result<(), BusError>> {
        // The write that lets go of the consumer carries it: nobody waits for a server that may be away.
        self.holding.change(|position| messages.iter().for_each(|message| position.take_back(message)));
        ready(Ok(())).boxed()
    }
}
