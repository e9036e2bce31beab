//! A position that this process holds: changed in memory, written by one task. While a write is under way further
//! changes gather for the next (group commit); whoever needs one to be durable waits for the write that contains it.

use super::BusError;
use super::bucket::{Bucket, Cell, WriteError};
use super::lease::{BEAT, FRESH};
use super::position::Position;
use super::record::Record;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Wait after a write whose outcome could not be learnt.
const AGAIN: Duration = Duration::from_millis(100);
/// Wait after one that was refused though nobody else has written: an earlier one of ours may still be on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Holding {
    key: String,
    bucket: Bucket,
    held: Mutex<Held>,
    work: Notify,
    written: watch::Sender<Written>,
    /// A test plays a process that is stopped: it writes nothing.
    #[cfg(test)]
    stopped: std::sync::atomic::AtomicBool,
}

#[derive(Debug)]
struct Held {
    /// What does not change while it is held, and the beat.
    record: Record,
    position: Position,
    /// Counts changes of the position.
    changes: u64,
    /// Somebody waits until this change is written.
    wanted: u64,
    /// It is to be let go of.
    closing: bool,
}

/// What is known to be in the bucket.
#[derive(Debug, Clone)]
struct Written {
    changes: u64,
    /// When the last write that landed was begun.
    renewed: Instant,
    /// How often the lease could not be renewed in time and was again.
    lapses: u64,
    end: Option<End>,
}

/// How a holding ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Lost(String),
    Released,
}

impl Holding {
    /// Holds what was written as `record` with `revision` at `began`, and starts to renew it.
    pub(super) fn start(bucket: Bucket, key: String, (record, revision): (Record, u64), began: Instant) -> Arc<Self> {
        let position = Position::restored(&record);
        let written = Written { changes: 0, renewed: began, lapses: 0, end: None };
        let holding = Arc::new(Self {
            key,
            bucket,
            held: Mutex::new(Held { record, position, changes: 0, wanted: 0, closing: false }),
            work: Notify::new(),
            written: watch::Sender::new(written),
            #[cfg(test)]
            stopped: std::sync::atomic::AtomicBool::new(false),
        });
        tokio::spawn(holding.clone().keep(revision));
        holding
    }

    /// Looks at the position.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Position) -> T) -> T {
        look(&self.held.lock().position)
    }

    /// Changes the position; the change is written some time, within a beat.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Position) -> T) -> T {
        let mut held = self.held.lock();
        held.changes += 1;
        change(&mut held.position)
    }

    /// Returns once all changes so far are written.
    ///
    /// # Errors
    /// [`BusError::Lost`], and no other: while the server is away it waits.
    pub(super) async fn written(&self) -> Result<(), BusError> {
        let wanted = {
            let mut held = self.held.lock();
            held.wanted = held.changes;
            held.changes
        };
        self.work.notify_one();
        self.until(|written| written.changes >= wanted).await
    }

    /// The same, for a caller that wants to know that it holds the lease now.
    pub(super) async fn confirmed(&self) -> Result<(), BusError> {
        if self.is_fresh() {
            return self.lost().map_or(Ok(()), Err);
        }
        self.change(|_| ());
        self.written().await
    }

    /// Returns once the lease is renewed in time: until then nothing is to be handed out.
    pub(super) async fn fresh(&self) -> Result<(), BusError> {
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        if self.is_fresh() {
            return Ok(());
        }
        self.until(|written| written.renewed.elapsed() < FRESH).await
    }

    /// Whether the lease was renewed in time.
    pub(super) fn is_fresh(&self) -> bool {
        self.written.borrow().renewed.elapsed() < FRESH
    }

    /// How often it could not be renewed in time and was again later.
    pub(super) fn lapses(&self) -> u64 {
        self.written.borrow().lapses
    }

    /// The error that tells that it is lost, where it is.
    pub(super) fn lost(&self) -> Option<BusError> {
        match &self.written.borrow().end {
            Some(End::Lost(why)) => Some(BusError::Lost(why.clone())),
            Some(End::Released) => Some(BusError::Lost("it was released".to_owned())),
            None => None,
        }
    }

    /// Returns when it is not held any more, however that came.
    pub(super) async fn ended(&self) {
        let mut written = self.written.subscribe();
        // The sender lives as long as `self`.
        drop(written.wait_for(|written| written.end.is_some()).await);
    }

    /// Lets go of it, in the background: one last write frees it for others.
    pub(super) fn close(&self) {
        self.held.lock().closing = true;
        self.work.notify_one();
    }

    /// Whether [`Holding::close`] was called.
    pub(super) fn is_closing(&self) -> bool {
        self.held.lock().closing
    }

    /// Gives it up without a write: its stream is gone.
    pub(super) fn give_up(&self, why: &str) {
        self.end(End::Lost(why.to_owned()));
        self.work.notify_one();
    }

    /// Plays a process that is stopped, or goes on.
    #[cfg(test)]
    pub(super) fn stop(&self, stopped: bool) {
        self.stopped.store(stopped, std::sync::atomic::Ordering::Relaxed);
    }

    #[cfg(test)]
    async fn while_stopped(&self) {
        while self.stopped.load(std::sync::atomic::Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until(&self, holds: impl Fn(&Written) -> bool) -> Result<(), BusError> {
        let mut seen = self.written.subscribe();
        // The sender lives as long as `self`.
        drop(seen.wait_for(|written| written.end.is_some() || holds(written)).await);
        let written = self.written.borrow().clone();
        match written.end {
            Some(End::Released) if holds(&written) => Ok(()),
            Some(End::Released) => Err(BusError::Lost("it was released".to_owned())),
            Some(End::Lost(why)) => Err(BusError::Lost(why)),
            None => Ok(()),
        }
    }

    /// Renews and writes until it is lost or let go of.
    async fn keep(self: Arc<Self>, mut revision: u64) {
        while self.written.borrow().end.is_none() {
            self.has_work().await;
            #[cfg(test)]
            self.while_stopped().await;
            if self.written.borrow().end.is_some() {
                return;
            }
            let (record, changes, closing) = self.next_record();
            let began = Instant::now();
            revision = match self.bucket.write(&self.key, &record, revision).await {
                Ok(revision) => {
                    self.landed(changes, began, closing);
                    revision
                }
                Err(error) => match self.outcome(&record, error).await {
                    Outcome::Landed(revision) => {
                        self.landed(changes, began, closing);
                        revision
                    }
                    Outcome::NotYet(revision) => {
                        tokio::time::sleep(ON_ITS_WAY).await;
                        revision
                    }
                    Outcome::Unknown if closing => return self.end(End::Released),
                    Outcome::Unknown => {
                        tokio::time::sleep(AGAIN).await;
                        revision
                    }
                    Outcome::Lost(why) => return self.end(End::Lost(why)),
                },
            };
        }
    }

    /// Returns when something is to be written: a change somebody waits for, the end, or the next beat.
    async fn has_work(&self) {
        let beat = self.written.borrow().renewed + BEAT;
        loop {
            let urgent = {
                let held = self.held.lock();
                held.closing || held.wanted > self.written.borrow().changes
            };
            if urgent {
                return;
            }
            tokio::select! {
                () = self.work.notified() => {}
                () = tokio::time::sleep_until(beat) => return,
            }
            if self.written.borrow().end.is_some() {
                return;
            }
        }
    }

    fn next_record(&self) -> (Record, u64, bool) {
        let mut held = self.held.lock();
        held.record.beat += 1;
        let mut record = held.record.clone();
        held.position.store(&mut record);
        if held.closing {
            record.holder = None;
        }
        (record, held.changes, held.closing)
    }

    fn landed(&self, changes: u64, began: Instant, closing: bool) {
        self.written.send_modify(|written| {
            written.lapses += u64::from(began.saturating_duration_since(written.renewed) >= FRESH);
            (written.changes, written.renewed) = (changes, began);
            if closing {
                written.end = Some(End::Released);
            }
        });
    }

    fn end(&self, end: End) {
        self.written.send_modify(|written| {
            written.end.get_or_insert(end);
        });
    }

    /// What became of a write that was not answered with success.
    async fn outcome(&self, sent: &Record, error: WriteError) -> Outcome {
        if let WriteError::Unknown(error) = &error {
            tracing::debug!(key = self.key, error, "a position may not be written; it is read back");
        }
        let Ok(Cell { value, revision }) = self.bucket.read::<Record>(&self.key).await else { return Outcome::Unknown };
        let Some(found) = value else { return Outcome::Lost("its position was deleted".to_owned()) };
        if found.epoch == sent.epoch && (found.holder == sent.holder || found.holder == self.held.lock().record.holder)
        {
            return if found.beat == sent.beat { Outcome::Landed(revision) } else { Outcome::NotYet(revision) };
        }
        let holder = found.holder.unwrap_or_else(|| "nobody".to_owned());
        Outcome::Lost(format!("{holder} took over"))
    }
}

/// What became of a write.
enum Outcome {
    Landed(u64),
    /// Not written so far; an earlier one of ours is there.
    NotYet(u64),
    Unknown,
    Lost(String),
}
