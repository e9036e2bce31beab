//! One SQLite file under one state in memory: what the embedded bus and the embedded key-value store stand on.
//!
//! Memory decides every change at once; one writer thread brings the changes to disk in the same order, many in one
//! transaction. A crash loses a suffix of that order, of events, values, positions and timers alike. Whoever lets
//! something leave the process waits for its [`Watermark`].

mod backup;
mod batch;
mod cells;
mod dedup;
mod error;
mod expiry;
mod export;
mod faults;
mod hash;
mod header;
mod load;
mod lock;
pub(crate) mod log;
pub(crate) mod pending;
pub(crate) mod position;
pub(crate) mod readers;
mod room;
mod rows;
mod schema;
mod sizes;
pub(crate) mod state;
pub(crate) mod stepping;
#[cfg(test)]
mod tests;
pub(crate) mod timers;
mod upcast;
mod upkeep;
mod values;
mod vitals;
mod wal;
mod writer;

pub use backup::restore;
pub(crate) use batch::{LetterChange, ReplayChange};
pub use error::StoreError;
pub(crate) use export::{KeptConsumer, KeptStream};
pub use faults::{CommitFailed, Faults};
pub(crate) use hash::correlation as correlation_fingerprint;
pub(crate) use lock::DirectoryLock;
pub use sizes::Sizes;

use crate::bus::{Fired, StreamConfig};
use crate::clock::Clock;
use crate::durability::{Durability, Stalled, Watermark};
use crate::event::Event;
use crate::keyvalue::Expiries;
use futures::future::BoxFuture;
use parking_lot::{Condvar, Mutex, MutexGuard};
use readers::Readers;
use room::Room;
use state::{State, Stop};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};
use vitals::Vitals;

/// The database's name in the state directory.
pub const DATABASE: &str = "a4co.db";
/// Events a slow reader of the tail may lag behind before it loses some.
const TAIL_CAPACITY: usize = 4_096;

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The streams there are.
    pub streams: Vec<StreamConfig>,
    /// Bytes of key-value pairs kept in memory once they are on disk: what handlers read again and again.
    pub value_cache_bytes: usize,
    /// Bytes of newest events kept in memory, over all streams: consumers that keep up never read the disk.
    pub event_cache_bytes: usize,
    /// Whether what is no longer needed is deleted: not while everything is read out, where rows must not go between two
    /// reads.
    pub upkeep: bool,
    /// Which values go by age.
    pub expiries: Expiries,
    /// What a test breaks.
    pub faults: Arc<Faults>,
    /// A file that shows, even after a crash, how far the store had come: for tests and diagnosis.
    pub vitals: Option<PathBuf>,
    /// Is told of every flush: how long it took, and how many changes it carried.
    pub flushed: Option<Arc<dyn Fn(Duration, u64) + Send + Sync>>,
    /// Is told of every event that a timer published.
    pub fired: Option<Fired>,
}

impl StoreOptions {
    /// The defaults: 32 MiB of values, 16 MiB of events, upkeep, no faults, no vitals, nobody told.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, streams: Vec<StreamConfig>) -> Self {
        let (value_cache_bytes, event_cache_bytes) = (32 << 20, 16 << 20);
        Self {
            clock,
            streams,
            value_cache_bytes,
            event_cache_bytes,
            upkeep: true,
            expiries: Expiries::default(),
            faults: Arc::default(),
            vitals: None,
            flushed: None,
            fired: None,
        }
    }
}

/// An open state directory. Dropped without [`Store::close`] it ends as if the process had been killed.
pub struct Store {
    inner: Arc<Inner>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<DirectoryLock>>,
}

/// What the writer shares with everyone.
struct Inner {
    file: PathBuf,
    clock: Arc<dyn Clock>,
    faults: Arc<Faults>,
    vitals: Option<Vitals>,
    flushed: Option<Arc<dyn Fn(Duration, u64) + Send + Sync>>,
    fired: Option<Fired>,
    state: Mutex<State>,
    /// Tells the writer that there is work.
    work: Condvar,
    durable: AtomicU64,
    room: Room,
    waiters: Mutex<Vec<(u64, oneshot::Sender<()>)>>,
    readers: Readers,
    tail: broadcast::Sender<Arc<Event>>,
    flushes: AtomicU64,
    changes: AtomicU64,
    /// One administrative change at a time: it reads from disk what it then changes.
    admin: tokio::sync::Mutex<()>,
}

impl Inner {
    fn note_vitals(&self, state: &State) {
        if let Some(vitals) = &self.vitals {
            vitals.note(state);
        }
    }
}

impl Store {
    /// Opens the state directory, creating it where it is new.
    ///
    /// # Errors
    /// Where another process has it, the database is damaged or of another format, or access is refused: see
    /// [`StoreError`].
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let lock = DirectoryLock::take(directory)?;
        let file = directory.join(DATABASE);
        let (connection, clean) = schema::open(&file)?;
        let mut state = load::load(&connection, &options.streams, options.clock.now())
            .map_err(|source| StoreError::database(&file, source))?;
        if !clean {
            tracing::info!("the last end was not clean: hand-outs are counted on disk until the backlog is done");
        }
        state.careful.on = !clean;
        state.upkeep = options.upkeep;
        state.cells.limit = options.value_cache_bytes;
        state.cells.expiries = options.expiries;
        state.log.tail_limit = options.event_cache_bytes / state.log.streams.len().max(1);
        let inner = Arc::new(Inner {
            durable: AtomicU64::new(state.durable),
            readers: Readers::new(&file),
            room: Room::default(),
            file,
            clock: options.clock,
            faults: options.faults,
            flushed: options.flushed,
            fired: options.fired,
            vitals: options.vitals.as_deref().map(Vitals::create).transpose()?,
            state: Mutex::new(state),
            work: Condvar::new(),
            waiters: Mutex::default(),
            tail: broadcast::Sender::new(TAIL_CAPACITY),
            flushes: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            admin: tokio::sync::Mutex::default(),
        });
        let writers = inner.clone();
        let thread = std::thread::Builder::new().name("store-writer".into());
        let writer = thread.spawn(move || writer::run(&writers, connection));
        let writer = writer.map_err(|source| StoreError::file(&inner.file, source))?;
        Ok(Arc::new(Self { inner, writer: Mutex::new(Some(writer)), lock: Mutex::new(Some(lock)) }))
    }

    /// Writes everything and ends cleanly. Nothing may be changed afterwards; a second call does nothing.
    pub fn close(&self) {
        self.stop(Stop::Clean);
    }

    /// Ends as if the process had been killed: what is not flushed is lost. For tests.
    pub fn crash(&self) {
        self.stop(Stop::Crash);
    }

    fn stop(&self, how: Stop) {
        {
            let mut state = self.inner.state.lock();
            state.stop = state.stop.or(Some(how));
        }
        self.inner.work.notify_all();
        self.inner.faults.release_commits();
        if let Some(writer) = self.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
        self.inner.readers.close();
        drop(self.lock.lock().take());
    }

    /// Runs a change under the lock, then wakes the writer if there is something to write.
    pub(crate) fn change<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.inner.state.lock();
        let result = act(&mut state);
        self.inner.note_vitals(&state);
        self.wake_writer(state);
        result
    }

    /// Looks at the state.
    pub(crate) fn look<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.inner.state.lock())
    }

    fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        let wake = state.writer_waiting && state.has_work();
        if wake {
            state.writer_waiting = false;
        }
        drop(state);
        if wake {
            self.inner.work.notify_one();
        }
    }

    /// Runs a read beside the writer.
    pub(crate) fn read<R>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<R>,
    ) -> rusqlite::Result<R> {
        self.inner.readers.with(read).inspect_err(|error| {
            if checked_pages::is_damage(error) {
                tracing::error!(
                    "{} is damaged: a page of it is not what was written, and nothing is read from it. Stop this host and \
                     restore a backup with `a4co restore`.",
                    self.inner.file.display()
                );
            }
        })
    }

    /// Tells the time.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// Every event, once it is durable.
    pub(crate) fn tail(&self) -> broadcast::Receiver<Arc<Event>> {
        self.inner.tail.subscribe()
    }

    /// Tells that a timer published `event`.
    pub(crate) fn fired(&self, event: &Event) {
        if let Some(told) = &self.inner.fired {
            told(event);
        }
    }

    /// Held over an administrative change.
    pub(crate) async fn administer(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.admin.lock().await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("file", &self.inner.file).finish_non_exhaustive()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop(Stop::Crash);
    }
}

impl Durability for Store {
    fn is_durable(&self, watermark: Watermark) -> bool {
        self.inner.durable.load(Ordering::Acquire) >= watermark.0
    }

    fn latest(&self) -> Watermark {
        Watermark(self.inner.state.lock().tick)
    }

    fn durable(&self, watermark: Watermark) -> BoxFuture<'_, ()> {
        if self.is_durable(watermark) {
            return Box::pin(std::future::ready(()));
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiters = self.inner.waiters.lock();
            // Looked at again under the lock: a flush that ends now has either been seen or will see the waiter.
            if self.is_durable(watermark) {
                return Box::pin(std::future::ready(()));
            }
            waiters.push((watermark.0, sender));
        }
        Box::pin(async move {
            // A writer that ended will never answer, and nothing may leave that it has not written.
            if receiver.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn flushed(&self, watermark: Watermark) -> BoxFuture<'_, Result<(), Stalled>> {
        if self.is_durable(watermark) {
            return Box::pin(std::future::ready(Ok(())));
        }
        Box::pin(self.flushed_to(watermark))
    }
}
