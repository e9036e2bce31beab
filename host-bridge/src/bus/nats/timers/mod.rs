//! Timers in a bucket: set and cancelled by whoever settles an event, fired by the one process that holds their lease.
//!
//! The server's own schedules are not used, though newer servers have them: they fire whatever the backlog is, and a
//! deadline must wait until what arrived before it has been handled.

mod backlog;
mod firing;
mod index;
pub(super) mod slot;
mod writing;

use super::core::Core;
use super::holding::Holding;
use super::names::TIMERS_KEY;
use super::reader::{Read, Reader, Reading};
use super::{BusError, bucket, layout};
use crate::bus::TimerRule;
use crate::clock::Millis;
use crate::nats::Remembered;
use backlog::Backlog;
use index::Index;
use parking_lot::Mutex;
use slot::{Slot, TimerKey};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// How long it may take to read the bucket.
const LOADING: Duration = Duration::from_secs(30);
/// How often it is looked whether the backlog is drained, while timers wait for it.
const CATCHING_UP: Duration = Duration::from_millis(300);

/// Bytes of the timers' places that are remembered for certain; as many again may be.
const REMEMBERED: usize = 2 << 20;

/// The driver of the timers, in every process; it drives where it holds the lease.
#[derive(Debug)]
pub(super) struct Driver {
    driving: tokio::sync::Mutex<Option<Driving>>,
    /// Present while this process drives.
    index: Mutex<Option<Index>>,
    changed: Notify,
    /// Waits for the lease, where another process has it.
    waiting: Mutex<Option<JoinHandle<()>>>,
    /// What this process wrote: who cancels a timer has nearly always set it.
    remembered: Remembered<TimerKey, Slot>,
}

impl Default for Driver {
    fn default() -> Self {
        Self {
            driving: tokio::sync::Mutex::default(),
            index: Mutex::default(),
            changed: Notify::default(),
            waiting: Mutex::default(),
            remembered: Remembered::new(REMEMBERED),
        }
    }
}

/// What the holder of the lease has.
#[derive(Debug)]
struct Driving {
    holding: Arc<Holding>,
    loaded: watch::Receiver<bool>,
    following: JoinHandle<()>,
    backlog: Option<Backlog>,
    /// Since when timers waited for a backlog: what was overdue then fires step by step, each after what follows from the
    /// one before is settled, as it would have been without the outage.
    stepping: Option<Millis>,
    lapses: u64,
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.following.abort();
        self.holding.close();
    }
}

impl Core {
    /// Fires what is due, if this process holds the lease; tells when the next is due.
    pub(super) async fn fire(self: &Arc<Self>, now: Millis, rule: TimerRule) -> Result<Option<Millis>, BusError> {
        let mut driving = self.timers.driving.lock().await;
        if !self.drive(&mut driving).await? {
            return Ok(None);
        }
        let Some(driving) = driving.as_mut() else { return Ok(None) };
        if !driving.holding.is_fresh() {
            return Err(BusError::Unavailable("the lease on the timers cannot be renewed".to_owned()));
        }
        let loaded = tokio::time::timeout(LOADING, driving.loaded.wait_for(|loaded| *loaded)).await;
        let loaded = loaded.is_ok_and(|loaded| loaded.is_ok());
        if !loaded {
            return Err(BusError::Unavailable("the timers cannot be read".to_owned()));
        }
        let rule = self.rule(driving, rule).await?;
        match driving.stepping.filter(|_| rule == TimerRule::CaughtUp) {
            None => self.fire_due(now, rule).await?,
            Some(_) if !self.fire_step(now).await? => driving.stepping = None,
            Some(since) => driving.backlog = Some(Backlog::found(self).await?.waited_for(since)),
        }
        self.clean_up(now).await;
        let mut index = self.timers.index.lock();
        Ok(index.as_mut().and_then(|index| index.promise(rule)))
    }

    /// Makes sure that this process drives, if it may; tells whether it does.
    async fn drive(self: &Arc<Self>, driving: &mut Option<Driving>) -> Result<bool, BusError> {
        if driving.as_ref().is_some_and(|driving| driving.holding.lost().is_none()) {
            return Ok(true);
        }
        *driving = None;
        *self.timers.index.lock() = None;
        let name = TIMERS_KEY;
        let taken = match self.take(name, TIMERS_KEY, |found| found.cloned().unwrap_or_default()).await {
            Ok(taken) => taken,
            Err(BusError::Held(_)) => {
                self.wait_for_timers();
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let backlog = Backlog::found(self).await?;
        *self.timers.index.lock() = Some(Index::default());
        let (loaded, seen) = watch::channel(false);
        let info = layout::info(&self.nats, self.buckets.timers.stream()).await?;
        let reading = Reading {
            stream: self.buckets.timers.stream().to_owned(),
            incarnation: layout::incarnation(&info),
            filters: Vec::new(),
            after: 0,
        };
        let reader = Reader::start(self.nats.clone(), reading);
        let following = tokio::spawn(follow(Arc::downgrade(self), reader, (info.state.last_sequence, loaded)));
        let (holding, lapses) = (taken.holding, 0);
        *driving = Some(Driving { holding, loaded: seen, following, backlog: Some(backlog), stepping: None, lapses });
        Ok(true)
    }

    /// Wakes the driver when the lease may be free.
    fn wait_for_timers(self: &Arc<Self>) {
        let mut waiting = self.timers.waiting.lock();
        if waiting.as_ref().is_some_and(|waiting| !waiting.is_finished()) {
            return;
        }
        let core = Arc::downgrade(self);
        *waiting = Some(tokio::spawn(async move {
            let Some(core) = core.upgrade() else { return };
            if core.stopping.run_until_cancelled(core.wait_for_lease(TIMERS_KEY, TIMERS_KEY)).await.is_some() {
                core.timers.changed.notify_one();
            }
        }));
    }

    /// The rule that holds: while what the streams held when this process took the lease, or when the server came back,
    /// and what followed from it, is not settled, whoever has it, timers wait as they do after a start.
    async fn rule(self: &Arc<Self>, driving: &mut Driving, rule: TimerRule) -> Result<TimerRule, BusError> {
        let lapses = driving.holding.lapses();
        if lapses != driving.lapses {
            driving.backlog = Some(Backlog::found(self).await?);
            (driving.lapses, driving.stepping) = (lapses, None);
        }
        let since = loop {
            let Some(backlog) = &mut driving.backlog else { return Ok(rule) };
            if !backlog.is_drained(self).await? {
                driving.stepping = Some(backlog.since);
                break backlog.since;
            }
            driving.backlog = backlog.followed(self).await?;
        };
        let core = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(CATCHING_UP).await;
            if let Some(core) = core.upgrade() {
                core.timers.changed.notify_one();
            }
        });
        let since = match rule {
            TimerRule::CaughtUp => since,
            TimerRule::CatchingUp { since: started } => started.max(since),
        };
        Ok(TimerRule::CatchingUp { since })
    }
}

impl Driver {
    /// Returns when the driver should look again.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Lets go of the lease.
    pub(super) async fn close(&self) {
        if let Some(waiting) = self.waiting.lock().take() {
            waiting.abort();
        }
        let driving = self.driving.lock().await.take();
        if let Some(driving) = driving {
            driving.holding.close();
            driving.holding.ended().await;
        }
    }

    /// Whether this process drives.
    #[cfg(test)]
    pub(super) async fn holds(&self) -> bool {
        self.driving.lock().await.as_ref().is_some_and(|driving| driving.holding.lost().is_none())
    }

    /// Plays the death of the process: nothing is written any more, not even that it lets go.
    #[cfg(test)]
    pub(super) async fn stop_for_test(&self) {
        if let Some(driving) = self.driving.lock().await.as_ref() {
            driving.holding.stop(true);
        }
    }

    fn saw(&self, key: TimerKey, revision: u64, slot: &Slot) {
        let earlier = self.index.lock().as_mut().is_some_and(|index| index.saw(key, revision, slot));
        if earlier {
            self.changed.notify_one();
        }
    }
}

/// Follows the bucket, and tells once what was there at first has been read.
async fn follow(core: Weak<Core>, mut reader: Reader, (last, loaded): (u64, watch::Sender<bool>)) {
    if last == 0 {
        loaded.send_replace(true);
    }
    while let Some(Read { sequence, subject, headers, payload, pending, .. }) = reader.next().await {
        let Some(core) = core.upgrade() else { return };
        let key = subject.rsplit('.').next().and_then(slot::parse_key);
        let is_mark = headers.is_some_and(|headers| headers.get("KV-Operation").is_some());
        if let Some(key) = key.filter(|_| !is_mark) {
            match bucket::parse::<Slot>(&subject, &payload) {
                Ok(slot) => core.timers.saw(key, sequence, &slot),
                Err(error) => tracing::error!(%error, "a timer cannot be read; it does not fire"),
            }
        }
        if sequence >= last || pending == 0 {
            loaded.send_replace(true);
        }
    }
}
