//! Reads a stream in order from a sequence on, ahead of whoever takes it, and goes on by itself whatever the server
//! forgets: the consumer on the server is thrown away and made anew from the last sequence read.
//!
//! Ours and not the client's ordered consumer, because it must end where the stream is another one, ask for no more than
//! there is room for, and notice silence.

use super::BusError;
use super::layout;
use crate::nats::Nats;
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, ReplayPolicy};
use bytes::Bytes;
use futures::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Messages asked for at once.
const BATCH: usize = 256;
/// Messages held until they are taken.
const QUEUE: usize = 512;
/// Kibibytes of bodies held until they are taken.
const ROOM_KIB: u32 = 8 * 1024;
/// Bytes the server sends at once, at least.
const BATCH_BYTES: usize = 16 << 20;
/// How long one request waits at the server.
const EXPIRES: Duration = Duration::from_secs(2);
/// How much longer until the silence counts as a fault.
const GRACE: Duration = Duration::from_secs(1);
/// The server forgets a consumer that nobody has asked for this long.
const INACTIVE: Duration = Duration::from_secs(30);
/// How long the server may take to make a consumer: while a cluster elects whoever makes them, the question is lost, and
/// must not be waited for until long after.
const MAKING: Duration = Duration::from_secs(1);
/// How often it is looked whether the server is there again.
const LOOK: Duration = Duration::from_millis(20);
/// Waits after a fault.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(800);

/// What is to be read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// The stream.
    pub stream: String,
    /// Which stream of that name.
    pub incarnation: u64,
    /// What the server filters by; empty for everything.
    pub filters: Vec<String>,
    /// Read what lies after this sequence.
    pub after: u64,
}

/// One message.
#[derive(Debug)]
pub(super) struct Read {
    pub sequence: u64,
    pub subject: async_nats::Subject,
    pub headers: Option<HeaderMap>,
    pub payload: Bytes,
    /// When the server stored it, in nanoseconds since the epoch: it orders what was published within a millisecond.
    pub stored_ns: u64,
    /// How many more there were when it was sent.
    pub pending: u64,
    room: Option<OwnedSemaphorePermit>,
}

impl Read {
    /// Makes room for the next: it was taken.
    fn taken(mut self) -> Self {
        self.room = None;
        self
    }
}

/// A running reader. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Reader {
    queue: mpsc::Receiver<Read>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Starts to read.
    pub(super) fn start(nats: Nats, reading: Reading) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
        let worker = Worker { nats, reading, sender, room };
        Self { queue, task: tokio::spawn(worker.run()) }
    }

    /// The next message; `None` once the stream is gone or another one.
    pub(super) async fn next(&mut self) -> Option<Read> {
        self.queue.recv().await.map(Read::taken)
    }

    /// The next message, if it is there.
    pub(super) fn ready(&mut self) -> Option<Read> {
        self.queue.try_recv().ok().map(Read::taken)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Worker {
    nats: Nats,
    reading: Reading,
    sender: mpsc::Sender<Read>,
    room: Arc<Semaphore>,
}

/// Why a consumer on the server is of no use any more.
enum Fault {
    /// Make another one.
    Rebuild(String),
    /// There is nothing to read ever: the stream is gone, or nobody listens.
    End(String),
}

impl Worker {
    async fn run(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            let before = self.reading.after;
            // The consumer may have gone with its server, and what was asked of it has in any case.
            let nats = self.nats.clone();
            let lost = || Fault::Rebuild("the connection was lost".to_owned());
            match nats.while_up(self.read()).await.unwrap_or_else(lost) {
                Fault::Rebuild(why) => {
                    tracing::debug!(stream = self.reading.stream, why, "the reader of a stream is made anew");
                }
                Fault::End(why) => {
                    tracing::debug!(stream = self.reading.stream, why, "the reader of a stream ends");
                    return;
                }
            }
            while !self.nats.is_up() {
                // Nothing to try: what waits must not have grown when the server is there again.
                tokio::time::sleep(LOOK).await;
                wait = FIRST_WAIT;
            }
            wait = if self.reading.after > before { FIRST_WAIT } else { wait.saturating_mul(2).min(LONGEST_WAIT) };
            tokio::time::sleep(wait).await;
        }
    }

    /// Reads by one consumer on the server until that is of no use any more.
    async fn read(&mut self) -> Fault {
        let consumer = match tokio::time::timeout(MAKING, self.consumer()).await {
            Ok(Ok(consumer)) => consumer,
            Ok(Err(fault)) => return fault,
            Err(_) => return Fault::Rebuild("the server does not make a consumer in time".to_owned()),
        };
        let mut expected = 1;
        loop {
            // Room first: what is asked for must not wait where it times out.
            match self.sender.reserve_many(BATCH).await {
                Ok(permits) => drop(permits),
                Err(_) => return Fault::End("nobody listens".to_owned()),
            }
            if let Err(fault) = self.pull(&consumer, &mut expected).await {
                return fault;
            }
        }
    }

    async fn consumer(&self) -> Result<Consumer<Config>, Fault> {
        let Reading { stream, incarnation, filters, after } = &self.reading;
        let info = layout::info(&self.nats, stream).await.map_err(|error| match error {
            BusError::NotFound(_) => Fault::End(error.to_string()),
            error => Fault::Rebuild(error.to_string()),
        })?;
        if layout::incarnation(&info) != *incarnation {
            return Err(Fault::End("the stream was created anew".to_owned()));
        }
        let config = config(filters, after + 1);
        let consumer = self.nats.jetstream().create_consumer_on_stream(config, stream).await;
        consumer.map_err(|error| Fault::Rebuild(error.to_string()))
    }

    async fn pull(&mut self, consumer: &Consumer<Config>, expected: &mut u64) -> Result<(), Fault> {
        let rebuild = |error: &dyn ToString| Fault::Rebuild(error.to_string());
        let most = BATCH_BYTES.max(self.nats.client().server_info().max_payload.saturating_mul(2));
        let batch = consumer.batch().max_messages(BATCH).max_bytes(most).expires(EXPIRES).messages().await;
        let mut batch = batch.map_err(|error| rebuild(&error))?;
        loop {
            let item = tokio::time::timeout(EXPIRES + GRACE, batch.next()).await;
            let message = match item.map_err(|_| Fault::Rebuild("the server is silent".to_owned()))? {
                None => return Ok(()),
                Some(Ok(message)) => message,
                // The request was full by bytes: the next one goes on.
                Some(Err(error)) if error.to_string().contains("MaxBytes") => return Ok(()),
                Some(Err(error)) => return Err(rebuild(&error)),
            };
            let info = message.info().map_err(|error| rebuild(&error))?;
            if info.consumer_sequence != *expected {
                return Err(Fault::Rebuild(format!("message {expected} is missing before {}", info.consumer_sequence)));
            }
            *expected += 1;
            let (sequence, pending) = (info.stream_sequence, info.pending);
            let stored_ns = u64::try_from(info.published.unix_timestamp_nanos()).unwrap_or_default();
            let message = message.message;
            let kib = u32::try_from(message.payload.len() / 1024 + 1).unwrap_or(ROOM_KIB).min(ROOM_KIB);
            let room = self.room.clone().acquire_many_owned(kib).await.ok();
            let (subject, headers, payload) = (message.subject, message.headers, message.payload);
            let read = Read { sequence, subject, headers, payload, stored_ns, pending, room };
            if self.sender.send(read).await.is_err() {
                return Err(Fault::End("nobody listens".to_owned()));
            }
            self.reading.after = sequence;
        }
    }
}

/// A consumer that the server may forget, from `start` on.
pub(super) fn config(filters: &[String], start: u64) -> Config {
    Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start },
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        filter_subjects: filters.to_vec(),
        inactive_threshold: INACTIVE,
        memory_storage: true,
        num_replicas: 1,
        ..Config::default()
    }
}
