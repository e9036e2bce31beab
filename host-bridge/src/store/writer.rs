//! The one thread that writes: takes what has changed, writes it in one transaction, tells who waits for it.
//!
//! While one batch is being committed the next one gathers, and as long again: so a commit is shared by as many changes as
//! the disk is slow, and half of the time at least the disk and a processor are others'.

use super::batch::Batch;
use super::rows::{self, WriteError};
use super::state::Stop;
use super::{Inner, expiry, room, schema, upkeep};
use rusqlite::{Connection, TransactionBehavior};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the writer sleeps at most: then it looks whether something is to be deleted.
const IDLE: Duration = Duration::from_millis(500);

/// The longest rest: a commit that moved the log into the database takes many times as long as others, and nobody is to
/// wait for it twice.
const LONGEST_REST: Duration = Duration::from_millis(4);

/// Runs until the store is closed.
pub(super) fn run(inner: &Arc<Inner>, mut connection: Connection) {
    while let Some(batch) = next_batch(inner) {
        let began = inner.clock.micros();
        match write_with_room(inner, &mut connection, &batch) {
            Ok(Some(more)) => {
                if let Some(told) = inner.flushed.as_ref().filter(|_| batch.changes > 0) {
                    told(Duration::from_micros(inner.clock.micros().saturating_sub(began)), batch.changes);
                }
                let aged = batch.upkeep.is_some() && expire(inner, &connection);
                flushed(inner, &batch, more | aged);
                let took = Duration::from_micros(inner.clock.micros().saturating_sub(began));
                // What a commit costs is mostly the commit's, not its changes': pages of every table, frames, a sync.
                inner.stopped_within(took.min(LONGEST_REST));
            }
            Ok(None) => return,
            Err(error) => {
                inner.state.lock().stop = Some(Stop::Crash);
                inner.faults.commit_failed(&format!(
                    "could not write to {}: {error}. The process ends, so that nothing is promised that is not on disk. \
                     Check the disk's space and health, then start again.",
                    inner.file.display()
                ));
                return;
            }
        }
    }
    if inner.state.lock().stop == Some(Stop::Clean) {
        finish(inner, &connection);
    }
}

/// The next batch; `None` where the store is to end and nothing is left.
fn next_batch(inner: &Inner) -> Option<Batch> {
    let mut state = inner.state.lock();
    loop {
        match state.stop {
            Some(Stop::Crash) => return None,
            Some(Stop::Clean) if !state.has_work() && !state.has_lazy_work() => return None,
            Some(Stop::Clean) => return Some(state.take_batch(inner.clock.now())),
            None => {}
        }
        if state.has_work() || state.upkeep_is_due(inner.clock.now()) {
            return Some(state.take_batch(inner.clock.now()));
        }
        state.writer_waiting = true;
        inner.work.wait_for(&mut state, IDLE);
        state.writer_waiting = false;
    }
}

/// Writes a batch, again and again while there is no room for it: a transaction that found none is undone as a whole.
fn write_with_room(inner: &Inner, connection: &mut Connection, batch: &Batch) -> Result<Option<bool>, WriteError> {
    loop {
        match write(inner, connection, batch) {
            Err(error) if error.is_for_want_of_room() => inner.room.ran_out(&inner.file, &error),
            written => {
                inner.room.is_there(&inner.file);
                return written;
            }
        }
        if let Some(stop) = inner.stopped_within(room::RETRY) {
            if stop == Stop::Clean {
                tracing::error!("the latest changes are not written: there is no room. None of them was promised.");
            }
            return Ok(None);
        }
    }
}

impl Inner {
    /// How the store is to end, where it is told to within that time.
    fn stopped_within(&self, time: Duration) -> Option<Stop> {
        let mut state = self.state.lock();
        if state.stop.is_none() {
            self.work.wait_for(&mut state, time);
        }
        state.stop
    }
}

/// Writes a batch; whether upkeep has more to do, or `None` after a test's crash.
fn write(inner: &Inner, connection: &mut Connection, batch: &Batch) -> Result<Option<bool>, WriteError> {
    // Without a write this transaction never takes a lock and its commit costs nothing.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    rows::write(&transaction, batch)?;
    let more = batch.upkeep.as_ref().map_or(Ok(false), |upkeep| upkeep::run(&transaction, upkeep))?;
    inner.faults.before_commit()?;
    if inner.state.lock().stop == Some(Stop::Crash) {
        return Ok(None);
    }
    transaction.commit()?;
    Ok(Some(more))
}

/// Lets values go by age, whose deletion the next batch carries; true where there may be more.
fn expire(inner: &Inner, connection: &Connection) -> bool {
    match expiry::due(connection, inner.clock.now()) {
        Ok((due, more)) => {
            if !due.is_empty() {
                inner.state.lock().expire(due);
            }
            more
        }
        Err(error) => {
            tracing::warn!(%error, "which values are past their age could not be read; they stay for now");
            false
        }
    }
}

/// Tells everyone that a batch is on disk.
fn flushed(inner: &Inner, batch: &Batch, more: bool) {
    {
        let mut state = inner.state.lock();
        state.durable = batch.tick;
        inner.note_vitals(&state);
        if more {
            state.hurry_upkeep();
        }
    }
    inner.durable.store(batch.tick, Ordering::Release);
    inner.flushes.fetch_add(u64::from(batch.changes > 0), Ordering::Relaxed);
    inner.changes.fetch_add(batch.changes, Ordering::Relaxed);
    let waiters = {
        let mut waiters = inner.waiters.lock();
        let all = std::mem::take(&mut *waiters);
        let (ready, rest) = all.into_iter().partition(|(tick, _)| *tick <= batch.tick);
        *waiters = rest;
        let ready: Vec<_> = ready;
        ready
    };
    for (_, waiter) in waiters {
        // Whoever stopped waiting needs no answer.
        let _ = waiter.send(());
    }
    if inner.tail.receiver_count() > 0 {
        for row in &batch.events {
            let _ = inner.tail.send(row.event.clone());
        }
    }
}

/// The clean end: the marker, and everything moved into the one file.
fn finish(inner: &Inner, connection: &Connection) {
    inner.readers.close();
    let marked = schema::set_meta(connection, "clean", 1);
    let moved = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = marked.and(moved) {
        tracing::warn!(%error, "could not mark the end of the store as clean; the next start checks it");
    }
}
