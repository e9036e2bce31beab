//! One life of one process: it may die or be suspended at any of its awaits, and what it does then never goes on.

use crate::time::{Wall, Watch};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Why a process has to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is dead: killed in the middle of whatever it did.
    Killed,
    /// It is to stop, with time for what is in flight.
    Stopped,
    /// It does not move any more, and may come back when another has taken its place.
    Suspended,
}

/// See the module.
pub struct Process {
    /// `p1/3`: the first process, its third life.
    pub name: String,
    /// The components whose events it handles.
    pub components: Vec<String>,
    /// Its clock.
    pub clock: Arc<Watch>,
    /// The requests that it serves; dropped with it.
    pub requests: Mutex<JoinSet<()>>,
    dead: AtomicBool,
    fenced: AtomicBool,
    suspended: AtomicBool,
    woken: Notify,
    end: Mutex<Option<End>>,
    ended: Notify,
    counts_at_once: Option<Instant>,
}

/// How long after an unclean end hand-outs are counted on disk before the call: about what a backlog takes.
const UNCLEAN: Duration = Duration::from_secs(2);

impl Process {
    /// A life that begins; `unclean` where the one before was killed.
    #[must_use]
    pub fn new(name: String, components: Vec<String>, wall: Wall, unclean: bool) -> Arc<Self> {
        Arc::new(Self {
            counts_at_once: unclean.then(|| Instant::now() + UNCLEAN),
            name,
            components,
            clock: Arc::new(Watch::new(wall)),
            requests: Mutex::default(),
            dead: AtomicBool::new(false),
            fenced: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            woken: Notify::new(),
            end: Mutex::new(None),
            ended: Notify::new(),
        })
    }

    /// It has to be replaced. Only the first reason counts; says whether this was it.
    pub fn finish(&self, end: End) -> bool {
        let mut place = self.end.lock();
        if place.is_some() {
            return false;
        }
        *place = Some(end);
        match end {
            End::Killed => self.dead.store(true, Ordering::Relaxed),
            End::Suspended => self.suspended.store(true, Ordering::Relaxed),
            End::Stopped => {}
        }
        self.ended.notify_one();
        true
    }

    /// Returns when it has to be replaced.
    pub async fn finished(&self) -> End {
        loop {
            if let Some(end) = *self.end.lock() {
                return end;
            }
            self.ended.notified().await;
        }
    }

    /// Whether requests may come to it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.end.lock().is_none()
    }

    /// Whether it has been killed.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Whether a hand-out is counted on disk before the call.
    #[must_use]
    pub fn counts_at_once(&self) -> bool {
        self.counts_at_once.is_some_and(|until| Instant::now() < until)
    }

    /// Another process holds its consumers now.
    pub fn fence(&self) {
        self.fenced.store(true, Ordering::Relaxed);
    }

    /// Whether another process holds its consumers.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Relaxed)
    }

    /// A suspended process moves again.
    pub fn wake(&self) {
        self.suspended.store(false, Ordering::Relaxed);
        self.woken.notify_waiters();
    }

    /// It is dead now, whatever ended it.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Returns when the process runs; never where it is dead.
    pub async fn runs(&self) {
        while self.suspended.load(Ordering::Relaxed) {
            // Woken in the order in which they wait: a run is the same each time.
            self.woken.notified().await;
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
